//! NOTIFY, for relays that wait for events.

use pgrx::prelude::*;
use pgrx::{IntoDatum, direct_function_call_as_datum, pg_sys};

use crate::gucs;

const CHANNEL: &str = "checkout_sessions_webhooks";

/// Tells whoever listens, at the commit of this transaction and once, that there is something to deliver.
pub fn deliveries_due() {
    if gucs::WEBHOOK_NOTIFY.get() {
        // SAFETY: within a transaction; two texts. The server drops what it has noted already.
        unsafe { direct_function_call_as_datum(pg_sys::pg_notify, &[CHANNEL.into_datum(), "".into_datum()]) };
    }
}

/// For fan-out, which knows whether there are any.
#[pg_extern(schema = "checkout_data", name = "deliveries_due")]
fn deliveries_due_in_sql() {
    deliveries_due();
}
