//! What a failure of the database means for who has asked.

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the database did not answer in time")]
    Silence,
    /// A standby, or `default_transaction_read_only` of the server, the database or the role.
    #[error("the database takes no writes: it is a standby, or default_transaction_read_only is on")]
    ReadOnly,
    /// What is set in a session, and listened for, would be another client's.
    #[error(
        "the connection leads through a pooler, such as pgbouncer, that gives the relay no sessions of its own: connect to \
         the server itself"
    )]
    Pooled,
    /// Not the database's, but the reason to end a single pass.
    #[error("nothing can be sent: {0}")]
    Trouble(String),
}

const READ_ONLY: &str = "25006";

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no database, or none that takes anything: all statements wait until it is back.
    Absent,
    /// The relay may not do this any more: as with `Absent`, somebody has to do something.
    Denied,
    /// The lease is another's, or the endpoint is gone: to ask again would not help.
    Lost,
    /// The arguments are at fault, such as text that the database's encoding does not have.
    Argument,
    /// Somebody else is at the same rows: it may work a little later.
    Busy,
    /// A fault of these rows, for all that is known here: others may be without it.
    Other,
}

impl Fault {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code().map_or(Kind::Other, |code| kind(&code)),
            _ => Kind::Absent,
        }
    }

    /// For whoever asks how the relay is: without names.
    pub fn complaint(&self) -> &'static str {
        match self {
            Self::ReadOnly => "the database takes no writes",
            Self::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some(READ_ONLY) => {
                "the database takes no writes"
            }
            Self::Pooled => "the database is behind a pooler",
            _ => "the database does not answer",
        }
    }
}

fn kind(sqlstate: &str) -> Kind {
    match sqlstate {
        "PT409" | "PT404" => Kind::Lost,
        // A statement that is cancelled, or takes too long, is one of those whose class says that the server goes.
        "55P03" | "40P01" | "40001" | "57014" => Kind::Busy,
        "42501" => Kind::Denied,
        READ_ONLY => Kind::Absent,
        _ => match &sqlstate[..sqlstate.floor_char_boundary(2)] {
            // Connections; the server stops or starts; no memory, no space, no connections; the role is not let in.
            "08" | "57" | "53" | "28" | "3D" => Kind::Absent,
            "22" => Kind::Argument,
            _ => Kind::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_everybody_is_told_from_what_concerns_one() {
        for (codes, expected) in [
            (&["08006", "57P01", "57P03", "53100", "53300", "25006", "28000", "3D000"][..], Kind::Absent),
            (&["42501"], Kind::Denied),
            (&["PT404", "PT409"], Kind::Lost),
            (&["22021", "22P05", "22023"], Kind::Argument),
            (&["55P03", "40P01", "40001", "57014"], Kind::Busy),
            (&["23505", "XX000", "XX001", "42883", "", "5", "ä"], Kind::Other),
        ] {
            for code in codes {
                assert_eq!(kind(code), expected, "{code}");
            }
        }
        assert_eq!(Fault::Silence.kind(), Kind::Absent);
        assert_eq!(Fault::from(sqlx::Error::WorkerCrashed).kind(), Kind::Absent);
    }
}
