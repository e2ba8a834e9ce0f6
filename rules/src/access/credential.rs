//! The credential of a transaction: the organization for which a caller acts, and the caller's rights.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Error;

/// Test sessions and live ones never see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Live,
    Test,
}

impl Environment {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl FromStr for Environment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(Error::invalid("environment", "must be live or test")),
        }
    }
}

/// The rights of a credential's holder: everything of one organization, only to read, or only what a browser may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Secret,
    Restricted,
    Publishable,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Restricted => "restricted",
            Self::Publishable => "publishable",
        }
    }

    /// Everything that its organization may do.
    pub fn may_act(self) -> bool {
        self == Self::Secret
    }

    /// Everything that its organization has.
    pub fn may_read(self) -> bool {
        matches!(self, Self::Secret | Self::Restricted)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "secret" => Ok(Self::Secret),
            "restricted" => Ok(Self::Restricted),
            "publishable" => Ok(Self::Publishable),
            _ => Err(Error::invalid("kind", "must be secret, restricted or publishable")),
        }
    }
}

/// A tenant: one organization, in one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tenant {
    pub organization_id: Uuid,
    pub environment: Environment,
}

/// The credential that was presented in this transaction: an API key, or the claims of a token, which PostgREST has
/// verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub tenant: Tenant,
    pub kind: Kind,
    /// The id of the API key, or the token's subject: the mark on new sessions.
    pub name: Option<String>,
    /// The payment methods of sessions whose create names none, if the API key sets them.
    pub payment_methods: Option<Vec<String>>,
    /// True if it came with an HTTP request: then errors have other SQLSTATEs.
    pub http: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for environment in [Environment::Live, Environment::Test] {
            assert_eq!(environment.as_str().parse(), Ok(environment));
        }
        for kind in [Kind::Secret, Kind::Restricted, Kind::Publishable] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for text in ["", "Live", "LIVE", "live ", "sandbox"] {
            assert!(text.parse::<Environment>().is_err(), "{text}");
            assert!(text.parse::<Kind>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_credential_survives_being_kept_as_text() {
        let credential = Credential {
            tenant: Tenant { organization_id: Uuid::from_bytes([7; 16]), environment: Environment::Test },
            kind: Kind::Publishable,
            name: Some("pk_test_\" \u{1F511}".into()),
            payment_methods: Some(vec!["card".into()]),
            http: true,
        };
        let text = serde_json::to_string(&credential).expect("serializable");
        assert_eq!(serde_json::from_str::<Credential>(&text).expect("as written"), credential);
    }
}
