//! The states of a checkout session, and the triggers that lead from one to another.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// `open` is where a session starts; the other three are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    Open,
    Complete,
    Failed,
    Expired,
}

/// The triggers: the things that can happen to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The deadline has passed.
    DeadlinePassed,
    /// A request to expire the session.
    ExpireRequested,
    /// A payment begins.
    PaymentBegan,
    /// A payment succeeded, in full and in the session's currency.
    PaymentSucceeded,
    /// A payment failed and may be tried again.
    PaymentFailed,
    /// A payment failed, and it was the last allowed attempt.
    RetriesExhausted,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Open, Self::Complete, Self::Failed, Self::Expired];

    /// The status that follows, or `None` where the trigger has no effect on a session in this status.
    pub fn on(self, trigger: Trigger) -> Option<Self> {
        match (self, trigger) {
            (Self::Open, Trigger::DeadlinePassed | Trigger::ExpireRequested) => Some(Self::Expired),
            (Self::Open, Trigger::PaymentBegan | Trigger::PaymentFailed) => Some(Self::Open),
            (Self::Open, Trigger::PaymentSucceeded) => Some(Self::Complete),
            (Self::Open, Trigger::RetriesExhausted) => Some(Self::Failed),
            (Self::Complete | Self::Failed | Self::Expired, _) => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::invalid("status", "must be open, complete, failed or expired"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_table_is_complete() {
        use Status::*;
        use Trigger::*;
        let triggers =
            [DeadlinePassed, ExpireRequested, PaymentBegan, PaymentSucceeded, PaymentFailed, RetriesExhausted];
        // Rows: the status before. Columns: the triggers in the order above.
        let table = [
            (Open, [Some(Expired), Some(Expired), Some(Open), Some(Complete), Some(Open), Some(Failed)]),
            (Complete, [None; 6]),
            (Failed, [None; 6]),
            (Expired, [None; 6]),
        ];
        assert_eq!(table.map(|(status, _)| status), Status::ALL);
        for (status, row) in table {
            for (trigger, expected) in triggers.into_iter().zip(row) {
                assert_eq!(status.on(trigger), expected, "{status:?} on {trigger:?}");
            }
        }
    }

    #[test]
    fn statuses_are_read_as_they_are_written() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        for text in ["", "Open", "completed", "open ", "canceled"] {
            assert_eq!(text.parse::<Status>().map_err(|e| e.sqlstate()), Err("22023"));
        }
    }
}
