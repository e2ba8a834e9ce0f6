//! Whose address it is, however it is written.

use pgrx::prelude::*;
use rules::validate;

/// For indexes: the same for ever, as far as Unicode keeps the case of its letters.
#[pg_extern(sql = false)]
fn folded(email: &str) -> String {
    validate::folded(email)
}
