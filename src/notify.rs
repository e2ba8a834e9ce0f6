//! NOTIFY, for relays that wait for events: by the worker, in transactions of its own.

use pgrx::prelude::*;
use pgrx::{IntoDatum, direct_function_call_as_datum, pg_sys};

use crate::{gucs, worker};

const CHANNEL: &str = "checkout_sessions_webhooks";

/// Has relays told, once this transaction has committed, that there is something to deliver.
pub fn deliveries_due() {
    if gucs::WEBHOOK_NOTIFY.get() {
        worker::tell_relays_at_commit();
    }
}

/// For fan-out, which knows whether there is.
#[pg_extern(sql = false)]
fn deliveries_due_in_sql() {
    deliveries_due();
}

/// Tells whoever listens, at the commit of this transaction.
pub fn relays() {
    // SAFETY: within a transaction; two texts.
    unsafe { direct_function_call_as_datum(pg_sys::pg_notify, &[CHANNEL.into_datum(), "".into_datum()]) };
}
