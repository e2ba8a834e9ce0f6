//! An attempt: a request that was sent once, and its outcome.

use std::time::Duration;

/// Metrics count attempts by these outcomes; the database decides what each means for the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Redirect,
    ClientError,
    ServerError,
    OtherStatus,
    Timeout,
    Dns,
    Connect,
    Tls,
    Closed,
    /// Its host has an address that webhooks must not go to.
    Refused,
    /// The database has given a URL or headers that cannot be sent.
    Invalid,
    /// The relay's machine has run out of a resource. No endpoint is at fault, so this is not recorded.
    Local,
    /// The relay reaches no host. This is not recorded either.
    Offline,
}

impl Outcome {
    pub const ALL: [Self; 14] = [
        Self::Success,
        Self::Redirect,
        Self::ClientError,
        Self::ServerError,
        Self::OtherStatus,
        Self::Timeout,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Closed,
        Self::Refused,
        Self::Invalid,
        Self::Local,
        Self::Offline,
    ];

    pub fn of_status(status: u16) -> Self {
        match status / 100 {
            2 => Self::Success,
            3 => Self::Redirect,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::OtherStatus,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::OtherStatus => "other_status",
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Local => "local",
            Self::Offline => "offline",
        }
    }

    /// Returns true if it says anything about the endpoint.
    pub fn counts(self) -> bool {
        !matches!(self, Self::Local | Self::Offline)
    }
}

/// The reason for a missing or incomplete response. The endpoint's owner reads it, so it has no addresses and URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    pub outcome: Outcome,
    pub text: String,
    /// Set if the relay may be unable to reach any host.
    pub doubt: Option<Doubt>,
}

/// A sign that the receiver or the relay's network is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// No route leads there.
    NoWay,
    /// The resolver has failed, or could not be asked.
    LookUp,
    /// No connection within the time for connecting.
    NoAnswer,
    /// The time was over after the connection was made.
    Interrupted,
}

impl SendError {
    pub fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self { outcome, text: text.into(), doubt: None }
    }

    pub fn in_doubt(self, doubt: Doubt) -> Self {
        Self { doubt: Some(doubt), ..self }
    }

    pub fn timeout(after: Duration) -> Self {
        Self::new(Outcome::Timeout, format!("timed out after {} s", after.as_secs_f64()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub outcome: Outcome,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub duration: Duration,
    /// The beginning of the body.
    pub response_body: Option<String>,
    pub retry_after: Option<Duration>,
}

impl Attempt {
    /// The number of bytes of its texts.
    pub fn size(&self) -> usize {
        [&self.error, &self.response_body].into_iter().flatten().map(String::len).sum()
    }
}

impl From<SendError> for Attempt {
    fn from(error: SendError) -> Self {
        Self {
            outcome: error.outcome,
            status: None,
            error: Some(error.text),
            duration: Duration::ZERO,
            response_body: None,
            retry_after: None,
        }
    }
}
