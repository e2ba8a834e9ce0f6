//! Decides what the relay does about an error of the database.

use crate::database_error::{DatabaseError, READ_ONLY};
use crate::sqlx;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// There is no database, or it accepts nothing: all statements wait until it is back.
    Absent,
    /// The relay is not allowed to do this any more. As with `Absent`, an operator has to act.
    Denied,
    /// The arguments are at fault, such as text that the database's encoding cannot represent.
    Argument,
    /// Another transaction is at the same rows: it may work a little later.
    Busy,
    /// As far as is known here, an error of these rows: others may be free of it.
    Other,
}

impl From<&DatabaseError> for Consequence {
    fn from(error: &DatabaseError) -> Self {
        match error {
            DatabaseError::Sql(sqlx::Error::Database(_)) => error.sqlstate().map_or(Self::Other, |code| of(&code)),
            _ => Self::Absent,
        }
    }
}

fn of(sqlstate: &str) -> Consequence {
    match sqlstate {
        // A statement that is cancelled, or takes too long, has a code of the class in which the server goes away.
        "55P03" | "40P01" | "40001" | "57014" => Consequence::Busy,
        "42501" => Consequence::Denied,
        READ_ONLY => Consequence::Absent,
        _ => match &sqlstate[..sqlstate.floor_char_boundary(2)] {
            // Classes: connections; the server stops or starts; no memory, no space, no connections; the role is not
            // let in.
            "08" | "57" | "53" | "28" | "3D" => Consequence::Absent,
            "22" => Consequence::Argument,
            _ => Consequence::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_everybody_is_told_from_what_concerns_one() {
        for (codes, expected) in [
            (&["08006", "57P01", "57P03", "53100", "53300", "25006", "28000", "3D000"][..], Consequence::Absent),
            (&["42501"], Consequence::Denied),
            (&["22021", "22P05", "22023"], Consequence::Argument),
            (&["55P03", "40P01", "40001", "57014"], Consequence::Busy),
            (&["23505", "XX000", "XX001", "42883", "", "5", "ä"], Consequence::Other),
        ] {
            for code in codes {
                assert_eq!(of(code), expected, "{code}");
            }
        }
        assert_eq!(Consequence::from(&DatabaseError::Timeout), Consequence::Absent);
        assert_eq!(Consequence::from(&DatabaseError::from(sqlx::Error::WorkerCrashed)), Consequence::Absent);
    }
}
