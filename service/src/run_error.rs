//! The reasons why a subcommand ends by itself.

use std::process::ExitCode;

use crate::database_error::DatabaseError;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Arguments, files or the machine's setup are wrong.
    #[error("{0}")]
    Usage(String),
    #[error("the database is not there: {0}")]
    Database(DatabaseError),
    #[error("{0}")]
    Failed(String),
}

impl RunError {
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
    }
}

impl From<DatabaseError> for RunError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Pooler => Self::Usage(error.to_string()),
            DatabaseError::ReadOnly => Self::Failed(error.to_string()),
            error => Self::Database(error),
        }
    }
}
