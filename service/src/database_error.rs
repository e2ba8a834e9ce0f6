//! The reasons why the database gives no answer.

use std::borrow::Cow;

use crate::sqlx;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error("the database did not answer in time")]
    Timeout,
    /// A standby, or `default_transaction_read_only` of the server, the database or the role.
    #[error("the database takes no writes: it is a standby, or default_transaction_read_only is on")]
    ReadOnly,
    /// Behind a pooler, a session's settings and notifications would be another client's.
    #[error(
        "the connection leads through a pooler, such as pgbouncer, that gives this program no sessions of its own: connect \
         to the server itself"
    )]
    Pooler,
}

pub const READ_ONLY: &str = "25006";

impl DatabaseError {
    /// The server's code for the error; `None` if the error is not the server's.
    pub fn sqlstate(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Sql(sqlx::Error::Database(error)) => error.code(),
            _ => None,
        }
    }

    /// The text for the health check: without names.
    pub fn complaint(&self) -> &'static str {
        match self {
            Self::Pooler => "the database is behind a pooler",
            Self::ReadOnly => "the database takes no writes",
            _ if self.sqlstate().as_deref() == Some(READ_ONLY) => "the database takes no writes",
            _ => "the database does not answer",
        }
    }
}
