//! A session as it stands under its locks, and the rules of its deadline.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::status::{Status, Trigger};
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub status: Status,
    pub amount: Decimal,
    pub currency_code: String,
    pub attempts: i32,
    pub max_retry_attempts: i32,
    pub expires_at: DateTime<Utc>,
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// True if the event of the expiry is written, and nothing else of it. The status is expired then.
    pub swept: bool,
}

impl Session {
    /// The status of a session from what its row says, and from whether it is among the open sessions. Also returns
    /// whether it has been swept.
    pub fn standing(stored: Status, among_open: bool) -> (Status, bool) {
        match stored {
            Status::Open if !among_open => (Status::Expired, true),
            stored => (stored, false),
        }
    }

    /// When the session becomes expired if it stays open.
    pub fn deadline(&self) -> DateTime<Utc> {
        self.deadline_with(self.lease_expires_at)
    }

    /// The deadline with another lease.
    pub fn deadline_with(&self, lease_expires_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
        lease_expires_at.map_or(self.expires_at, |lease| lease.max(self.expires_at))
    }

    /// True if the session is expired by the clock, and its event is not written yet.
    pub fn overdue(&self, now: DateTime<Utc>) -> bool {
        self.status == Status::Open && self.deadline() <= now
    }

    pub fn effective_status(&self, now: DateTime<Utc>) -> Status {
        if self.overdue(now) { Status::Expired } else { self.status }
    }

    /// The lease that is running, if any.
    pub fn live_lease(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.lease_expires_at.filter(|until| *until > now && self.status == Status::Open)
    }

    /// The status after a request to expire the session; `None` if it is expired already.
    pub fn expire(&self, now: DateTime<Utc>) -> Result<Option<Status>> {
        match self.status {
            Status::Expired => Ok(None),
            status if self.overdue(now) => Ok(status.on(Trigger::DeadlinePassed)),
            status => {
                let expired =
                    status.on(Trigger::ExpireRequested).ok_or(Error::SessionNotOpen { status: status.as_str() })?;
                match self.live_lease(now) {
                    Some(until) => Err(Error::PaymentInProgress { until }),
                    None => Ok(Some(expired)),
                }
            }
        }
    }
}

/// Sessions for tests.
#[cfg(test)]
pub(super) mod samples {
    use chrono::TimeDelta;

    use super::*;

    pub fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
    }

    pub fn open() -> Session {
        Session {
            status: Status::Open,
            amount: Decimal::new(10_000, 2),
            currency_code: "USD".into(),
            attempts: 0,
            max_retry_attempts: 2,
            expires_at: now() + TimeDelta::minutes(10),
            lease_expires_at: None,
            swept: false,
        }
    }

    pub fn overdue() -> Session {
        Session { expires_at: now(), ..open() }
    }

    pub fn swept() -> Session {
        let (status, swept) = Session::standing(Status::Open, false);
        Session { status, swept, ..overdue() }
    }

    pub fn leased(until: DateTime<Utc>) -> Session {
        Session { lease_expires_at: Some(until), ..open() }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::samples::*;
    use super::*;

    #[test]
    fn what_is_stored_as_open_and_is_not_among_the_open_sessions_has_been_swept() {
        for stored in Status::ALL {
            assert_eq!(Session::standing(stored, true), (stored, false));
        }
        assert_eq!(Session::standing(Status::Open, false), (Status::Expired, true));
        for ended in [Status::Complete, Status::Failed, Status::Expired] {
            assert_eq!(Session::standing(ended, false), (ended, false));
        }
    }

    #[test]
    fn a_lease_moves_the_deadline_only_if_it_ends_later() {
        let later = open().expires_at + TimeDelta::minutes(1);
        assert_eq!(open().deadline_with(Some(now())), open().expires_at);
        assert_eq!(open().deadline_with(Some(later)), later);
        assert_eq!(leased(later).deadline_with(None), open().expires_at);
    }

    #[test]
    fn expire_is_for_open_sessions_and_idempotent() {
        assert_eq!(open().expire(now()), Ok(Some(Status::Expired)));
        assert_eq!(overdue().expire(now()), Ok(Some(Status::Expired)));
        assert_eq!(Session { status: Status::Expired, ..open() }.expire(now()), Ok(None));
        assert_eq!(swept().expire(now()), Ok(None));
        for status in [Status::Complete, Status::Failed] {
            assert_eq!(
                Session { status, ..open() }.expire(now()),
                Err(Error::SessionNotOpen { status: status.as_str() })
            );
        }
        let until = now() + TimeDelta::minutes(1);
        assert_eq!(leased(until).expire(now()), Err(Error::PaymentInProgress { until }));
    }
}
