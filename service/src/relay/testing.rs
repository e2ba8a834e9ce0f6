//! Helpers for the tests of the relay.

use rules::access::credential::{Environment, Tenant};
use rules::webhooks::event::EventId;
use uuid::Uuid;

/// The id of an event, in the database's form.
pub fn event_id(organization: u128, environment: Environment, session: u128, sequence: i32) -> String {
    let tenant = Tenant { organization_id: Uuid::from_u128(organization), environment };
    EventId { tenant, checkout_session_id: Uuid::from_u128(session), sequence }.to_string()
}
