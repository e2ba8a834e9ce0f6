// Every query that the dashboard sends. benches/dashboard.py measures them, from this file.
//
// A query is a view with PostgREST's parameters, or a function (rpc) with named arguments. Sessions are always in the
// order of their ids, which are UUIDv7 of created_at: every index that serves a filter ends with the id.

export const PAGE = 25;
/** More sessions than this are not counted. */
export const COUNTED = 10_000;
/** As many of the newest sessions are searched for what no index finds. */
export const SEARCHED = 20_000;
/** As many payments are summed. */
export const SUMMED = 5_000;
const LIST = 100;
// What has a time at all: an index on a time finds only this.
const EVER = 'gte.2000-01-01';

const view = (name, where, more) => ({ view: name, where, ...more });
const rpc = (name, named = {}) => ({ rpc: name, named });

/** The least id of a session that was created then (milliseconds) or later. */
export function idAt(time) {
    const hex = Math.max(0, Math.floor(time)).toString(16).padStart(12, '0');
    return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

// sessions ------------------------------------------------------------------------------------------------------

const COLUMNS = 'checkout_session_id,created_at,status,payment_status,amount,currency_code,customer_email,reference,title';
const EXPORTED = `${COLUMNS},customer_id,customer_name,payment_id,attempts,expires_at,completed_at,metadata`;
// Open sessions are few, and have a view that begins with them.
const source = (filters) => (filters.status === 'open' ? 'open_checkout_sessions' : 'checkout_sessions');
const byIndex = (filters) => Boolean(filters.id || filters.email || filters.reference);
const byScan = (filters) =>
    Boolean((filters.status && filters.status !== 'open') || filters.currency || filters.least || filters.most || filters.key);

/** Whether a search has to stop somewhere: no index finds what is asked for. */
export const isBounded = (filters) => byScan(filters) && !byIndex(filters);

function conditions(filters) {
    const where = [];
    const add = (column, operator, value) => value && where.push([column, `${operator}.${value}`]);
    add('checkout_session_id', 'eq', filters.id);
    add('checkout_session_id', 'gte', filters.from && idAt(filters.from));
    add('checkout_session_id', 'lt', filters.to && idAt(filters.to));
    // A bounded search goes on from here.
    add('checkout_session_id', filters.oldest ? 'gt' : 'lt', filters.past);
    return { where, add };
}

function matching(filters, bound) {
    const { where, add } = conditions(filters);
    add('checkout_session_id', filters.oldest ? 'lte' : 'gte', bound);
    add('customer_email', 'eq', filters.email);
    add('reference', 'eq', filters.reference);
    if (filters.status !== 'open') add('status', 'eq', filters.status);
    add('currency_code', 'eq', filters.currency);
    add('amount', 'gte', filters.least);
    add('amount', 'lte', filters.most);
    // Without a value: any text, which is not less than the empty one.
    if (filters.key) where.push([`metadata->>${filters.key}`, filters.value ? `eq.${filters.value}` : 'gte.']);
    return where;
}

const direction = (descending) => `checkout_session_id.${descending ? 'desc' : 'asc'}`;

/** Where a bounded search stops: the id of the last session that is searched. */
export const searchBound = (filters) =>
    view(source(filters), conditions(filters).where, {
        select: 'checkout_session_id',
        order: direction(!filters.oldest),
        limit: 1,
        offset: SEARCHED - 1,
    });

/** A page, and one row more if there is a next one. `cursor`: {after} or {before}, an id in the order of the list. */
export function sessions(filters, bound, cursor = {}, limit = PAGE + 1, select = COLUMNS) {
    const where = matching(filters, bound);
    const id = cursor.after ?? cursor.before;
    const descending = Boolean(filters.oldest) === Boolean(cursor.before);
    if (id) where.push(['checkout_session_id', `${descending ? 'lt' : 'gt'}.${id}`]);
    return view(source(filters), where, { select, order: direction(descending), limit });
}
export const exportedSessions = (filters, bound, cursor) => sessions(filters, bound, cursor, 1000, EXPORTED);
/** A row, if there are more sessions than are counted. A bounded search needs not ask. */
export const moreSessions = (filters) =>
    view(source(filters), matching(filters, null), {
        select: 'checkout_session_id',
        order: direction(true),
        limit: 1,
        offset: COUNTED,
    });
export const sessionCount = (filters, bound) =>
    view(source(filters), matching(filters, bound), { select: 'checkout_session_id', limit: 1, count: true });

export const session = (id) => view('checkout_sessions', [['checkout_session_id', `eq.${id}`]]);
export const sessionLines = (id) => view('session_lines', [['checkout_session_id', `eq.${id}`]], { order: 'line.asc' });
export const sessionTerms = (id) => view('session_terms', [['checkout_session_id', `eq.${id}`]]);
export const sessionVisit = (id) => view('session_visits', [['checkout_session_id', `eq.${id}`]]);
export const sessionPayments = (id) =>
    view('payments', [['checkout_session_id', `eq.${id}`]], { order: 'created_at.asc,payment_id.asc', limit: LIST });
export const refunds = (paymentId) => rpc('list_refunds', { payment_id: paymentId });
export const sessionEvents = (id) =>
    view('webhook_events', [['checkout_session_id', `eq.${id}`]], { order: 'sequence.asc', limit: LIST });
// By receiver, because the key of deliveries begins with it.
export const sessionDeliveries = (id, endpoint) =>
    view(
        'webhook_deliveries',
        [
            ['webhook_endpoint_id', `eq.${endpoint}`],
            ['subject_id', `eq.${id}`],
        ],
        { order: 'sequence.asc', limit: LIST },
    );
export const consumerDeliveries = (id, consumer) =>
    view(
        'webhook_deliveries',
        [
            ['consumer', `eq.${consumer}`],
            ['subject_id', `eq.${id}`],
        ],
        { order: 'sequence.asc', limit: LIST },
    );

// overview ------------------------------------------------------------------------------------------------------

const time = (milliseconds) => new Date(milliseconds).toISOString();
export const funnel = ({ from, to }) =>
    rpc('session_funnel', { created_after: time(from), created_before: time(to), bucket: 'day' });
export const paid = ({ from, to }) =>
    view(
        'payments',
        [
            ['status', 'eq.succeeded'],
            ['created_at', `gte.${time(from)}`],
            ['created_at', `lt.${time(to)}`],
        ],
        { select: 'amount,currency_code,refunded_amount', order: 'created_at.desc', limit: SUMMED },
    );
export const toRefund = (after) =>
    rpc('list_payments', { to_refund: true, page_size: LIST, ...(after && { starting_after: after }) });

// catalog -------------------------------------------------------------------------------------------------------

export const products = (active, after) =>
    rpc('list_products', {
        page_size: PAGE + 1,
        ...(active !== undefined && { active }),
        ...(after && { starting_after: after }),
    });
export const lowStock = (units) =>
    view(
        'products',
        [
            ['available', `lte.${units}`],
            ['active', 'eq.true'],
        ],
        { order: 'available.asc,product_id.asc', limit: LIST },
    );
export const product = (id) => view('products', [['product_id', `eq.${id}`]]);
export const prices = (id) => view('prices', [['product_id', `eq.${id}`]], { order: 'created_at.desc', limit: LIST });
export const stockChanges = (id) =>
    view('inventory_changes', [['product_id', `eq.${id}`]], { order: 'created_at.desc', limit: PAGE });
export const coupons = (after) => rpc('list_coupons', { page_size: PAGE + 1, ...(after && { starting_after: after }) });
export const coupon = (code) => view('coupons', [['code', `eq.${code}`]]);
// Of one coupon: of all, it reads every session that had one.
export const couponPerformance = (code, { from, to }) =>
    rpc('coupon_performance', { code, created_after: time(from), created_before: time(to) });

// subscriptions -------------------------------------------------------------------------------------------------

export const subscriptions = ({ status, after }) =>
    rpc('list_subscriptions', { page_size: PAGE + 1, ...(status && { status }), ...(after && { starting_after: after }) });
export const subscription = (id) => view('subscriptions', [['subscription_id', `eq.${id}`]]);
export const periods = (id) =>
    view('session_periods', [['subscription_id', `eq.${id}`]], { order: 'checkout_session_id.desc', limit: LIST });

// webhooks ------------------------------------------------------------------------------------------------------

export const endpoints = () => view('webhook_endpoints', [], { order: 'created_at.asc', limit: LIST });
export const consumers = () => rpc('list_webhook_consumers');
export const deadDeliveries = () => view('webhook_deliveries', [['dead_at', EVER]], { order: 'dead_at.desc', limit: LIST });
const DELIVERIES = {
    all: [[], 'subject_id.desc,sequence.desc'],
    waiting: [[['next_attempt_at', EVER]], 'next_attempt_at.asc'],
    delivered: [[['delivered_at', EVER]], 'subject_id.desc,sequence.desc'],
    dead: [[['dead_at', EVER]], 'dead_at.desc'],
};
export const DELIVERY_STATES = Object.keys(DELIVERIES);
export function deliveries(endpoint, state, offset) {
    const [where, order] = DELIVERIES[state];
    return view('webhook_deliveries', [['webhook_endpoint_id', `eq.${endpoint}`], ...where], { order, limit: PAGE + 1, offset });
}
export const attempts = (eventId, endpoint) => rpc('list_webhook_attempts', { event_id: eventId, webhook_endpoint_id: endpoint });
/** The only act. */
export const redeliver = (eventIds, endpoint) =>
    rpc('redeliver_webhook_events', { event_ids: eventIds, webhook_endpoint_id: endpoint });

// refused calls -------------------------------------------------------------------------------------------------

export const requestFailures = (since) =>
    view('request_failures', [['minute', `gte.${time(since)}`]], { order: 'minute.desc', limit: 1_000 });

// who, and how the database is ----------------------------------------------------------------------------------

export const credential = () => rpc('current_credential');
export const workerStatus = () => rpc('worker_status');
export const outboxStatus = () => rpc('outbox_status');
