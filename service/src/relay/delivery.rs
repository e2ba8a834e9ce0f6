//! A delivery, in the form in which the database gives it out and takes it back.

use uuid::Uuid;

/// A claimed delivery. No `Debug`: headers, body and URL stay out of logs.
pub struct Delivery {
    pub key: DeliveryKey,
    pub organization_id: Uuid,
    pub url: String,
    /// A JSON object of texts.
    pub headers: String,
    pub body: String,
    pub attempt: i32,
    /// The database lets it go to the machine that the relay runs on.
    pub to_this_machine: bool,
}

/// The key by which the database knows the lease of a delivery. What the id of an event is made of is the database's
/// affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryKey {
    pub event_id: String,
    pub webhook_endpoint_id: Uuid,
    /// The token of the claim: other deliveries have the same.
    pub lease_token: Uuid,
}

pub struct Recorded {
    pub event_id: String,
    pub webhook_endpoint_id: Uuid,
    /// pending, delivered, dead or paused.
    pub status: String,
}
