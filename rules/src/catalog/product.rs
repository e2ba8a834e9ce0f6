//! Products, and their stock.

use crate::validate;
use crate::{Error, Result};

/// A text that buyers read, or merchants; `None` if it says nothing.
pub fn description(text: &str) -> Result<Option<&str>> {
    let Some(text) = validate::label(Some(text)) else { return Ok(None) };
    validate::long_text("description", text, validate::DESCRIPTION).map(Some)
}

/// The address of an image; `None` if there is none.
pub fn image_url(text: &str) -> Result<Option<&str>> {
    let Some(text) = validate::label(Some(text)) else { return Ok(None) };
    validate::http_url("image_url", text).map(Some)
}

/// The stock that a new product begins with.
pub fn first_stock(on_hand: Option<i32>, continue_selling: bool) -> Result<Option<i32>> {
    match on_hand {
        None if continue_selling => Err(Error::invalid("continue_selling", "needs on_hand: the stock is not tracked")),
        None => Ok(None),
        Some(units) => validate::in_range("on_hand", units, 0, i32::MAX).map(Some),
    }
}

/// The stock after a change. Less than nothing cannot be taken away; but units that are missing already may come back.
pub fn adjusted(on_hand: i64, change: i32, continue_selling: bool) -> Result<i64> {
    if change == 0 {
        return Err(Error::invalid("change", "must not be zero"));
    }
    let after = on_hand
        .checked_add(change.into())
        .ok_or_else(|| Error::OutOfRange { argument: "change", fault: "makes the stock too large".into() })?;
    if change < 0 && after < 0 && !continue_selling {
        return Err(Error::invalid("change", format!("takes away more than the {on_hand} that are on hand")));
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_nothing() {
        assert_eq!(description(" \u{200b}"), Ok(None));
        assert_eq!(description("Two\nlines"), Ok(Some("Two\nlines")));
        assert_eq!(image_url(""), Ok(None));
        assert_eq!(image_url("https://shop.example/mug.png"), Ok(Some("https://shop.example/mug.png")));
        for url in ["mug.png", "javascript:alert(1)", "data:image/png;base64,AAAA", "ftp://shop.example/mug.png"] {
            assert_eq!(image_url(url).map_err(|error| error.sqlstate()), Err("22023"), "{url}");
        }
    }

    #[test]
    fn stock_begins_at_nothing_or_more() {
        assert_eq!(first_stock(None, false), Ok(None));
        assert_eq!(first_stock(Some(0), true), Ok(Some(0)));
        assert!(first_stock(Some(-1), true).is_err());
        assert!(first_stock(None, true).is_err());
    }

    #[test]
    fn no_more_is_taken_away_than_is_there() {
        assert_eq!(adjusted(5, -5, false), Ok(0));
        assert_eq!(
            adjusted(5, -6, false),
            Err(Error::invalid("change", "takes away more than the 5 that are on hand"))
        );
        assert_eq!(adjusted(5, -6, true), Ok(-1));
        assert_eq!(adjusted(-3, 1, false), Ok(-2), "what was sold too much comes back in parts");
        assert_eq!(adjusted(i64::MAX, 1, false).map_err(|error| error.sqlstate()), Err("22003"));
        assert_eq!(adjusted(i64::MIN, -1, true).map_err(|error| error.sqlstate()), Err("22003"));
        assert_eq!(adjusted(5, 0, true).map_err(|error| error.sqlstate()), Err("22023"));
    }
}
