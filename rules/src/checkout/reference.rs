//! How often the sessions of an organization may share a reference (the merchant's order id).

use std::str::FromStr;

use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferencePolicy {
    /// As often as wanted.
    None,
    /// Once, over all sessions of the organization in its environment.
    Unique,
    /// One open session at a time, and the answer of `create` if there is one.
    OneOpen(WhenOpen),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenOpen {
    Error,
    ReturnExisting,
    ExpirePrevious,
}

impl ReferencePolicy {
    pub const ALL: [(&'static str, Self); 5] = [
        ("none", Self::None),
        ("unique", Self::Unique),
        ("error", Self::OneOpen(WhenOpen::Error)),
        ("return_existing", Self::OneOpen(WhenOpen::ReturnExisting)),
        ("expire_previous", Self::OneOpen(WhenOpen::ExpirePrevious)),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, policy)| *policy == self).map_or("none", |(name, _)| name)
    }

    /// The value of `checkout_sessions.reference_policy` that puts a session under the matching unique index.
    pub fn constraint(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unique => "unique",
            Self::OneOpen(_) => "open",
        }
    }
}

impl FromStr for ReferencePolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, policy)| *policy).ok_or_else(|| {
            Error::invalid("reference_policy", "must be none, unique, error, return_existing or expire_previous")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_a_name_and_a_constraint() {
        for (text, constraint) in [
            ("none", "none"),
            ("unique", "unique"),
            ("error", "open"),
            ("return_existing", "open"),
            ("expire_previous", "open"),
        ] {
            let policy: ReferencePolicy = text.parse().expect(text);
            assert_eq!((policy.as_str(), policy.constraint()), (text, constraint));
        }
        assert!("open".parse::<ReferencePolicy>().is_err());
    }
}
