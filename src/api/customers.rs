//! Whose address it is, however it is written.

use pgrx::prelude::*;
use rules::validate;

use crate::datum::Text;
use crate::report::or_raise;

/// For indexes: the same for ever, as far as Unicode keeps the case of its letters.
#[pg_extern(sql = false)]
fn folded(email: Text) -> String {
    or_raise(|| email.read("customer_email").map(validate::folded))
}
