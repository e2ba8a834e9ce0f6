// Prints every query of pages/dashboard/queries.js as JSON, with arguments of the shop of dashboard.sql.
// usage: node dashboard_queries.mjs '{"session": "<id>", ...}'

import * as queries from '../pages/dashboard/queries.js';

const { session, bound, endpoint, event, now } = JSON.parse(process.argv[2]);
const day = 86_400_000;
const days = (number) => ({ from: now - number * day, to: now });
const low = 5;
const cursor = { after: session };

const samples = {
    sessions: {
        'the newest': [{}, null],
        'the next page': [{}, null, cursor],
        'the previous page': [{}, null, { before: session }],
        'the oldest first': [{ oldest: true }, null],
        'created in 7 days': [days(7), null],
        'created in 7 days, a month ago': [{ from: now - 37 * day, to: now - 30 * day }, null],
        'by id': [{ id: session }, null],
        'by email': [{ email: 'customer77@example.com' }, null],
        'by email, in 7 days': [{ email: 'customer77@example.com', ...days(7) }, null],
        'by reference': [{ reference: 'order-77' }, null],
        open: [{ status: 'open' }, null],
        'open, a currency': [{ status: 'open', currency: 'EUR' }, bound],
        complete: [{ status: 'complete' }, bound],
        'failed, which are rare': [{ status: 'failed' }, bound],
        'by amount, in 30 days': [{ least: 500, most: 500, ...days(30) }, bound],
        'by a currency that there is not': [{ currency: 'GBP' }, bound],
        'by metadata that there is not': [{ key: 'order_id', value: 'none' }, bound],
    },
    exportedSessions: { 'a thousand': [{}, null, {}], 'a thousand that are complete': [{ status: 'complete' }, bound, cursor] },
    searchBound: { '': [{}], 'of 30 days': [days(30)], 'of the open': [{ status: 'open', currency: 'EUR' }] },
    moreSessions: { '': [{}], 'that are open': [{ status: 'open' }], 'of 7 days': [days(7)] },
    sessionCount: { 'of a status': [{ status: 'failed' }, bound], 'of an email': [{ email: 'customer77@example.com' }, null],
        'that are open': [{ status: 'open' }, null], 'of metadata': [{ key: 'order_id', value: 'none' }, bound] },
    session: { '': [session] }, sessionLines: { '': [session] }, sessionTerms: { '': [session] },
    sessionVisit: { '': [session] },
    sessionPayments: { '': [session] }, refunds: { '': ['pay_1003'] }, sessionEvents: { '': [session] },
    sessionDeliveries: { '': [session, endpoint] }, consumerDeliveries: { '': [session, 'mail'] },
    funnel: { 'of a day': [days(1)], 'of 7 days': [days(7)], 'of 30 days': [days(30)] },
    paid: { 'of 7 days': [days(7)], 'of 30 days': [days(30)] },
    toRefund: { '': [], 'the next page': ['pay_300000'] },
    products: { '': [], active: [true], 'the next page': [true, 'product500'] },
    lowStock: { '': [low] }, product: { '': ['product7'] }, prices: { '': ['product7'] }, stockChanges: { '': ['product7'] },
    subscriptions: { '': [{}], 'past due': [{ status: 'past_due' }] }, subscription: { '': [session] }, periods: { '': [session] },
    coupons: { '': [] }, coupon: { '': ['COUPON7'] },
    couponPerformance: { 'of 7 days': ['COUPON7', days(7)], 'of 30 days': ['COUPON7', days(30)] },
    endpoints: { '': [] }, consumers: { '': [] }, deadDeliveries: { '': [] },
    deliveries: Object.fromEntries(queries.DELIVERY_STATES.map((state) => [state, [endpoint, state, 0]])),
    attempts: { '': [event, endpoint] },
    credential: { '': [] }, workerStatus: { '': [] }, outboxStatus: { '': [] },
};

// What is no query, and what is not measured, because it writes.
const others = new Set(['idAt', 'isBounded', 'redeliver']);
const missing = Object.keys(queries).filter((name) => typeof queries[name] === 'function' && !others.has(name) && !samples[name]);
if (missing.length > 0) throw new Error(`no sample of ${missing}`);

const all = Object.entries(samples).flatMap(([name, calls]) => Object.entries(calls).map(
    ([what, parameters]) => ({ what: what ? `${name}: ${what}` : name, query: queries[name](...parameters) })));
console.log(JSON.stringify(all));
