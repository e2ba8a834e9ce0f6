//! A session as it stands under its row lock, and the rules of its deadline.

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
}

impl Session {
    /// When the session becomes expired if it stays open.
    pub fn deadline(&self) -> DateTime<Utc> {
        self.lease_expires_at.map_or(self.expires_at, |lease| lease.max(self.expires_at))
    }

    /// True if the session is open in the database but expired by the clock.
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
        }
    }

    pub fn overdue() -> Session {
        Session { expires_at: now(), ..open() }
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
    fn expire_is_for_open_sessions_and_idempotent() {
        assert_eq!(open().expire(now()), Ok(Some(Status::Expired)));
        assert_eq!(overdue().expire(now()), Ok(Some(Status::Expired)));
        assert_eq!(Session { status: Status::Expired, ..open() }.expire(now()), Ok(None));
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
