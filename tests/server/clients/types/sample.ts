// What a developer writes, and what the types refuse: each @ts-expect-error must be an error.

import { PostgrestClient } from '@supabase/postgrest-js';
import type { Database } from '../../../../types/checkout.js';

const shop = new PostgrestClient<Database, { PostgrestVersion: '13' }, 'checkout'>('http://localhost:3000', { schema: 'checkout' });

export async function pay(reference: string): Promise<string> {
    const { data: session, error } = await shop.rpc('create_checkout_session', {
        amount: 12.34, currency_code: 'USD', customer_email: 'jane@example.com', reference, metadata: { cart: 17 },
    });
    if (error || !session) throw new Error(error?.message);
    const id: string = session.checkout_session_id;
    const due: number = session.amount;
    const status: 'open' | 'complete' | 'failed' | 'expired' = session.status;
    // @ts-expect-error a customer's name may be missing
    const name: string = session.customer_name;
    // @ts-expect-error no session has this status
    if (session.status === 'completed') return 'never';
    // @ts-expect-error there is no such field
    session.currency;
    const { data: payment } = await shop.rpc('record_payment', {
        checkout_session_id: id, payment_id: 'pay_1', outcome: 'succeeded', amount: due,
    });
    if (payment?.status === 'rejected') {
        const reason: 'session_expired' | 'session_failed' | 'already_paid' | 'amount_mismatch' | 'currency_mismatch'
            | 'out_of_stock' | 'trial_used' | 'already_renewed' | 'subscription_canceled' | null = payment.rejection_reason;
        return `${status} ${name} ${reason}`;
    }
    return id;
}

export async function wrong(id: string): Promise<void> {
    // @ts-expect-error the currency is required
    await shop.rpc('create_checkout_session', { amount: 12.34, customer_id: 'c' });
    // @ts-expect-error it is currency_code
    await shop.rpc('create_checkout_session', { amount: 12.34, currency: 'USD', customer_id: 'c' });
    // @ts-expect-error there is no such outcome
    await shop.rpc('record_payment', { checkout_session_id: id, payment_id: 'pay_1', outcome: 'paid' });
    // @ts-expect-error there is no such function
    await shop.rpc('pay_checkout_session', { checkout_session_id: id });
    // @ts-expect-error an amount is a number
    await shop.rpc('record_refund', { payment_id: 'pay_1', refund_id: 're_1', amount: '2.34' });
}

export async function lists(): Promise<void> {
    const { data: payments } = await shop.rpc('list_payments', { to_refund: true });
    for (const payment of payments ?? []) console.log(payment.payment_id, payment.amount - payment.refunded_amount);
    const { data: funnel } = await shop.rpc('session_funnel', { bucket: 'week' });
    for (const week of funnel ?? []) console.log(week.created, week.median_time_to_pay);
    // @ts-expect-error there is no such period
    await shop.rpc('session_funnel', { bucket: 'year' });
}

export async function queries(): Promise<void> {
    const { data: sessions } = await shop.from('checkout_sessions').select('status, amount, customer_email, payments(payment_id, status)')
        .eq('metadata->>order_id', 'A-17').order('created_at', { ascending: false });
    for (const session of sessions ?? []) {
        const due: number = session.amount;
        const paid = session.payments.filter((payment) => payment.status === 'succeeded').map((payment) => payment.payment_id);
        // @ts-expect-error an email address may be missing
        const to: string = session.customer_email;
        console.log(session.status === 'expired', due, paid, to);
    }
    const { data: open } = await shop.from('open_checkout_sessions').select('client_secret').single();
    // @ts-expect-error there is no such column
    console.log(open?.client_secret.length);
    // @ts-expect-error nothing is written through a view
    await shop.from('payments').insert({ payment_id: 'pay_1' });
}
