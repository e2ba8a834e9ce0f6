//! What happens to a session, and the events that tell of it.

use chrono::{DateTime, Utc};

use super::session::Session;
use super::status::Status;
use crate::webhooks::event::EventType;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The session after it.
    pub session: Session,
    /// True if the clock had ended the session, and the first event says so.
    pub ended_by_clock: bool,
    /// In order, at most two.
    pub events: Vec<EventType>,
}

impl Change {
    /// The session as the clock leaves it.
    pub fn by_clock(session: &Session, now: DateTime<Utc>) -> Self {
        let mut change =
            Self { session: session.clone(), ended_by_clock: session.overdue(now), events: Vec::with_capacity(2) };
        if change.ended_by_clock {
            change.session.status = session.ends_as();
            change.events.push(match session.ends_as() {
                Status::Failed => EventType::Failed,
                _ => EventType::Expired,
            });
        }
        if change.session.status != Status::Open || session.live_lease(now).is_none() {
            change.session.lease_expires_at = None;
        }
        change
    }

    /// Nothing else happens to the session, but this event tells of one of its payments.
    pub fn told(session: &Session, event: EventType, now: DateTime<Utc>) -> Self {
        let mut change = Self::by_clock(session, now);
        change.events.push(event);
        change
    }
}
