//! Prices of products.

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::line::{Bounds, MOST_UNITS};
use super::subscription::Recurrence;
use crate::checkout::money::{self, Currency};
use crate::validate::in_range;
use crate::{Error, Result};

/// A price as it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked<'a> {
    pub currency_code: &'a str,
    pub amount: Option<Decimal>,
    pub minimum_amount: Option<Decimal>,
    pub maximum_amount: Option<Decimal>,
    pub suggested_amount: Option<Decimal>,
    pub minimum_quantity: i32,
    pub maximum_quantity: Option<i32>,
    pub interval_unit: Option<&'a str>,
    pub interval_count: Option<i32>,
    pub trial_period: Option<TimeDelta>,
}

/// What a unit costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    Fixed(Decimal),
    /// Buyers pay what they want.
    Within(Bounds),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    pub currency: Currency,
    pub unit: Unit,
    pub minimum_quantity: i32,
    pub maximum_quantity: Option<i32>,
    pub recurrence: Option<Recurrence>,
}

impl Asked<'_> {
    pub fn check(&self) -> Result<Price> {
        let currency = Currency::parse("currency_code", self.currency_code)?;
        let checked = |argument, amount: Option<Decimal>| {
            amount.map(|amount| money::check_sum(argument, amount, currency, false)).transpose()
        };
        let amount = checked("amount", self.amount)?;
        let minimum = checked("minimum_amount", self.minimum_amount)?;
        let maximum = checked("maximum_amount", self.maximum_amount)?;
        let suggested = checked("suggested_amount", self.suggested_amount)?;
        let unit = match (amount, minimum) {
            (None, None) => return Err(Error::invalid("amount", "must be given, or else minimum_amount")),
            (Some(_), Some(_)) => return Err(Error::invalid("amount", "must not be given with minimum_amount")),
            (Some(_), None) if maximum.is_some() => {
                return Err(Error::invalid("maximum_amount", "needs minimum_amount"));
            }
            (Some(_), None) if suggested.is_some() => {
                return Err(Error::invalid("suggested_amount", "needs minimum_amount"));
            }
            (Some(amount), None) => Unit::Fixed(amount),
            (None, Some(minimum)) => Unit::Within(bounds(minimum, maximum, suggested)?),
        };
        let minimum_quantity = in_range("minimum_quantity", self.minimum_quantity, 1, MOST_UNITS)?;
        let maximum_quantity = self
            .maximum_quantity
            .map(|most| in_range("maximum_quantity", most, minimum_quantity, MOST_UNITS))
            .transpose()?;
        let recurrence = Recurrence::check(self.interval_unit, self.interval_count, self.trial_period)?;
        if recurrence.is_some() && matches!(unit, Unit::Within(_)) {
            return Err(Error::invalid("interval_unit", "must not be given with minimum_amount"));
        }
        Ok(Price { currency, unit, minimum_quantity, maximum_quantity, recurrence })
    }
}

fn bounds(minimum: Decimal, maximum: Option<Decimal>, suggested: Option<Decimal>) -> Result<Bounds> {
    if maximum.is_some_and(|maximum| maximum < minimum) {
        return Err(Error::invalid("maximum_amount", "must not be less than minimum_amount"));
    }
    if suggested.is_some_and(|suggested| suggested < minimum || maximum.is_some_and(|maximum| suggested > maximum)) {
        return Err(Error::invalid("suggested_amount", "must be between minimum_amount and maximum_amount"));
    }
    Ok(Bounds { minimum, maximum, suggested })
}

/// What of a price changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    pub active: bool,
    pub is_default: bool,
}

impl State {
    /// What is not given stays as it is. A price that is archived is no default.
    pub fn changed(self, price_id: &str, active: Option<bool>, is_default: Option<bool>) -> Result<Self> {
        let wanted = active.unwrap_or(self.active);
        if is_default == Some(true) && !wanted {
            return Err(match active {
                Some(_) => Error::invalid("is_default", "must not be true of a price that is archived"),
                None => Error::NotSold { what: "price", id: price_id.to_owned() },
            });
        }
        Ok(Self { active: wanted, is_default: wanted && is_default.unwrap_or(self.is_default) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(cents: i64) -> Option<Decimal> {
        Some(Decimal::new(cents, 2))
    }

    fn asked() -> Asked<'static> {
        Asked { currency_code: "usd", minimum_quantity: 1, ..Asked::default() }
    }

    fn refusal(asked: Asked) -> String {
        asked.check().expect_err("is refused").to_string()
    }

    #[test]
    fn a_price_has_an_amount_or_bounds() {
        let fixed = Asked { amount: Some(Decimal::new(125, 1)), ..asked() }.check().expect("a price");
        assert_eq!(fixed.unit, Unit::Fixed(Decimal::new(1250, 2)));
        let free = Asked { amount: Some(Decimal::ZERO), ..asked() }.check().expect("a price");
        assert_eq!(free.unit, Unit::Fixed(Decimal::ZERO));
        let any = Asked { minimum_amount: cents(0), suggested_amount: cents(500), ..asked() }.check().expect("a price");
        let bounds = Bounds { minimum: Decimal::ZERO, maximum: None, suggested: cents(500) };
        assert_eq!(any.unit, Unit::Within(bounds));
        for (asked, message) in [
            (asked(), "argument \"amount\" must be given, or else minimum_amount"),
            (
                Asked { amount: cents(1), minimum_amount: cents(1), ..asked() },
                "argument \"amount\" must not be given with minimum_amount",
            ),
            (
                Asked { amount: cents(1), maximum_amount: cents(1), ..asked() },
                "argument \"maximum_amount\" needs minimum_amount",
            ),
            (
                Asked { amount: cents(1), suggested_amount: cents(1), ..asked() },
                "argument \"suggested_amount\" needs minimum_amount",
            ),
            (
                Asked { minimum_amount: cents(2), maximum_amount: cents(1), ..asked() },
                "argument \"maximum_amount\" must not be less than minimum_amount",
            ),
            (
                Asked { minimum_amount: cents(2), suggested_amount: cents(1), ..asked() },
                "argument \"suggested_amount\" must be between minimum_amount and maximum_amount",
            ),
            (
                Asked { currency_code: "JPY", amount: cents(50), ..asked() },
                "argument \"amount\" has more decimal places than JPY allows (0)",
            ),
        ] {
            assert_eq!(refusal(asked), message);
        }
    }

    #[test]
    fn quantities_have_bounds() {
        let priced = |least, most| {
            Asked { amount: cents(1), minimum_quantity: least, maximum_quantity: most, ..asked() }.check()
        };
        assert!(priced(1, None).is_ok() && priced(3, Some(3)).is_ok() && priced(1, Some(MOST_UNITS)).is_ok());
        for (least, most) in [(0, None), (MOST_UNITS + 1, None), (3, Some(2)), (1, Some(MOST_UNITS + 1))] {
            assert_eq!(priced(least, most).map_err(|error| error.sqlstate()), Err("22023"));
        }
    }

    #[test]
    fn an_archived_price_is_no_default() {
        let default = State { active: true, is_default: true };
        let archived = State { active: false, is_default: false };
        assert_eq!(default.changed("p", None, None), Ok(default));
        assert_eq!(default.changed("p", Some(false), None), Ok(archived));
        assert_eq!(archived.changed("p", Some(true), Some(true)), Ok(default));
        assert_eq!(archived.changed("p", None, Some(false)), Ok(archived));
        assert_eq!(
            archived.changed("p", None, Some(true)).map_err(|error| error.to_string()),
            Err("price \"p\" is not active".to_owned())
        );
        assert_eq!(default.changed("p", Some(false), Some(true)).map_err(|error| error.sqlstate()), Err("22023"));
    }
}
