//! A session as it stands under its locks, and the rules of its deadline.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::rejection::Rejection;
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
    /// True if the event of its end by the clock is written, and nothing else of it. The status is what it ended as.
    pub swept: bool,
    /// True if it has lines, and may hold what it sells.
    pub has_terms: bool,
    /// Why what it sells cannot be had, if so.
    pub unavailable: Option<Rejection>,
}

impl Session {
    /// The session from what its row says, and from whether it is among the open sessions.
    pub fn standing(self, among_open: bool) -> Self {
        match self.status {
            Status::Open if !among_open => Self { status: self.ends_as(), swept: true, ..self },
            _ => self,
        }
    }

    /// True if no further attempt is allowed. Such a session is open only as long as the lease of another payment runs.
    pub fn exhausted(&self) -> bool {
        self.attempts > self.max_retry_attempts
    }

    /// When the session ends if it stays open.
    pub fn deadline(&self) -> DateTime<Utc> {
        match self.lease_expires_at {
            Some(lease) if self.exhausted() => lease,
            Some(lease) => lease.max(self.expires_at),
            None => self.expires_at,
        }
    }

    /// How the session ends if its deadline passes.
    pub fn ends_as(&self) -> Status {
        if self.exhausted() { Status::Failed } else { Status::Expired }
    }

    /// True if the clock has ended the session, and the event of that is not written yet.
    pub fn overdue(&self, now: DateTime<Utc>) -> bool {
        self.status == Status::Open && self.deadline() <= now
    }

    pub fn effective_status(&self, now: DateTime<Utc>) -> Status {
        if self.overdue(now) { self.ends_as() } else { self.status }
    }

    /// The lease that is running, if any.
    pub fn live_lease(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.lease_expires_at.filter(|until| *until > now && self.status == Status::Open)
    }

    /// The status after a request to expire the session; `None` if it is expired already.
    pub fn expire(&self, now: DateTime<Utc>) -> Result<Option<Status>> {
        match self.status {
            Status::Expired => Ok(None),
            status if self.overdue(now) && !self.exhausted() => Ok(status.on(Trigger::DeadlinePassed)),
            _ if self.overdue(now) => Err(Error::SessionNotOpen { status: self.ends_as().as_str() }),
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
            has_terms: false,
            unavailable: None,
        }
    }

    pub fn overdue() -> Session {
        Session { expires_at: now(), ..open() }
    }

    pub fn swept() -> Session {
        overdue().standing(false)
    }

    pub fn leased(until: DateTime<Utc>) -> Session {
        Session { lease_expires_at: Some(until), ..open() }
    }

    /// Out of retries while another payment holds it.
    pub fn exhausted(until: DateTime<Utc>) -> Session {
        Session { attempts: open().max_retry_attempts + 1, ..leased(until) }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::samples::*;
    use super::*;

    #[test]
    fn what_is_stored_as_open_and_is_not_among_the_open_sessions_has_been_swept() {
        let standing = |status, among_open| {
            let session = Session { status, ..open() }.standing(among_open);
            (session.status, session.swept)
        };
        for stored in Status::ALL {
            assert_eq!(standing(stored, true), (stored, false));
        }
        assert_eq!(standing(Status::Open, false), (Status::Expired, true));
        for ended in [Status::Complete, Status::Failed, Status::Expired] {
            assert_eq!(standing(ended, false), (ended, false));
        }
        assert_eq!(exhausted(now()).standing(false).status, Status::Failed);
    }

    #[test]
    fn a_lease_moves_the_deadline_only_if_it_ends_later() {
        let later = open().expires_at + TimeDelta::minutes(1);
        assert_eq!(open().deadline(), open().expires_at);
        assert_eq!(leased(now()).deadline(), open().expires_at);
        assert_eq!(leased(later).deadline(), later);
    }

    #[test]
    fn a_session_without_retries_fails_when_the_lease_ends() {
        let until = now() + TimeDelta::minutes(1);
        let session = exhausted(until);
        assert!(until < session.expires_at);
        assert_eq!(session.deadline(), until);
        assert_eq!(session.effective_status(now()), Status::Open);
        assert_eq!(session.effective_status(until), Status::Failed);
        assert_eq!(session.expire(until), Err(Error::SessionNotOpen { status: "failed" }));
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
