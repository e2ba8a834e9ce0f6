//! The events that are sent as webhooks: their types and their ids.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use uuid::Uuid;

use crate::access::credential::{Environment, Tenant};
use crate::{Error, Result};

/// The id of an event: the same in every delivery, and unique over all organizations. It consists of the event's key,
/// so no look-up is needed to find the event, and of the time at which the event was written: after a recovery to an
/// earlier time, another event may get the key of one that was sent already. Opaque to consumers. Ids compare in the order
/// in which the database locks events: a caller that locks in another order may wait in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    pub tenant: Tenant,
    pub subject_id: Uuid,
    pub sequence: i32,
    /// In microseconds since 2000, as the server counts.
    pub created_at: i64,
}

/// The longest time for which a consumer of the outbox may hold events.
const MAXIMUM_LEASE: TimeDelta = TimeDelta::hours(12);

/// How long a claim holds its events.
pub fn lease(lease: TimeDelta) -> Result<TimeDelta> {
    if lease < TimeDelta::seconds(1) || lease > MAXIMUM_LEASE {
        return Err(Error::invalid("lease", "must be between 1 second and 12 hours"));
    }
    Ok(lease)
}

const PREFIX: &str = "evt_";
/// The view `checkout.webhook_events` writes the same: subject, organization, sequence, environment, time.
const LENGTH: usize = 16 + 16 + 4 + 1 + 8;

impl EventId {
    pub fn parse(argument: &'static str, text: &str) -> Result<Self> {
        Self::read(text).ok_or_else(|| Error::Malformed { argument, fault: "is not an event id".into() })
    }

    /// Reads an id; `None` if the text is no id of this version.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; LENGTH] = bytes.try_into().ok()?;
        Some(Self {
            tenant: Tenant {
                organization_id: Uuid::from_slice(&bytes[16..32]).ok()?,
                environment: match bytes[36] {
                    b'l' => Environment::Live,
                    b't' => Environment::Test,
                    _ => return None,
                },
            },
            subject_id: Uuid::from_slice(&bytes[..16]).ok()?,
            sequence: i32::from_be_bytes(bytes[32..36].try_into().ok()?),
            created_at: i64::from_be_bytes(bytes[37..].try_into().ok()?),
        })
    }
}

/// The events of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    Completed,
    Expired,
    Failed,
    PaymentFailed,
    PaymentRejected,
    PaymentApplied,
    Refunded,
    RefundFailed,
    Expiring,
    Cancelled,
    EndpointDisabled,
    RequestsFailing,
    SubscriptionCreated,
    SubscriptionRenewed,
    SubscriptionRenewalDue,
    SubscriptionPastDue,
    SubscriptionEnded,
}

impl EventType {
    pub const ALL: [Self; 17] = [
        Self::Completed,
        Self::Expired,
        Self::Failed,
        Self::PaymentFailed,
        Self::PaymentRejected,
        Self::PaymentApplied,
        Self::Refunded,
        Self::RefundFailed,
        Self::Expiring,
        Self::Cancelled,
        Self::EndpointDisabled,
        Self::RequestsFailing,
        Self::SubscriptionCreated,
        Self::SubscriptionRenewed,
        Self::SubscriptionRenewalDue,
        Self::SubscriptionPastDue,
        Self::SubscriptionEnded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "checkout.session.completed",
            Self::Expired => "checkout.session.expired",
            Self::Failed => "checkout.session.failed",
            Self::PaymentFailed => "checkout.session.payment_failed",
            Self::PaymentRejected => "checkout.session.payment_rejected",
            Self::PaymentApplied => "checkout.session.payment_applied",
            Self::Refunded => "checkout.session.refunded",
            Self::RefundFailed => "checkout.session.refund_failed",
            Self::Expiring => "checkout.session.expiring",
            Self::Cancelled => "checkout.session.cancelled",
            Self::EndpointDisabled => "webhook_endpoint.disabled",
            Self::RequestsFailing => "requests.failing",
            Self::SubscriptionCreated => "subscription.created",
            Self::SubscriptionRenewed => "subscription.renewed",
            Self::SubscriptionRenewalDue => "subscription.renewal_due",
            Self::SubscriptionPastDue => "subscription.past_due",
            Self::SubscriptionEnded => "subscription.ended",
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(self.subject_id.as_bytes());
        bytes.extend(self.tenant.organization_id.as_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.push(self.tenant.environment.as_str().as_bytes()[0]);
        bytes.extend(self.created_at.to_be_bytes());
        write!(f, "{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(organization: u128, environment: Environment, session: u128, sequence: i32) -> EventId {
        let tenant = Tenant { organization_id: Uuid::from_u128(organization), environment };
        EventId { tenant, subject_id: Uuid::from_u128(session), sequence, created_at: 1 }
    }

    #[test]
    fn an_id_holds_the_key_of_its_event() {
        // SELECT checkout_data.event_id('00000000-0000-0000-0000-00000000000f', 'test', 'ffffffff-...-ffffffffffff', 7,
        //     '2000-01-01 00:00:00.000001+00')
        let text = "evt______________________wAAAAAAAAAAAAAAAAAAAA8AAAAHdAAAAAAAAAAB";
        let event = id(15, Environment::Test, u128::MAX, 7);
        assert_eq!(event.to_string(), text);
        assert_eq!(EventId::parse("event_id", text), Ok(event));
    }

    #[test]
    fn ids_are_in_the_order_of_locks() {
        use Environment::{Live, Test};
        let ids = [id(1, Live, 9, 9), id(1, Test, 1, 2), id(1, Test, 1, 10), id(1, Test, 2, 1), id(2, Live, 1, 1)];
        assert!(ids.is_sorted());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "evt_", "evt_AAAA", "018f", "evt_!!!!", &format!("evt_{}", "A".repeat(50))] {
            let error = EventId::parse("event_ids", text).expect_err(text);
            assert_eq!(error.sqlstate(), "22P02", "{text}");
        }
    }

    #[test]
    fn event_types_have_distinct_names() {
        let names: std::collections::HashSet<_> = EventType::ALL.map(EventType::as_str).into();
        assert_eq!(names.len(), EventType::ALL.len());
        // Standard Webhooks: words of letters, digits and underscores, with dots between them.
        assert!(
            names
                .iter()
                .all(|name| name.split('.').all(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_')))
        );
    }

    #[test]
    fn leases_are_bounded() {
        assert!(lease(TimeDelta::hours(12)).is_ok());
        assert!(lease(TimeDelta::hours(13)).is_err());
        assert!(lease(TimeDelta::milliseconds(999)).is_err());
    }
}
