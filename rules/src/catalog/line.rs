//! Lines of a session, and how they are asked for.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::checkout::money::{self, Currency};
use crate::validate::{self, in_range};
use crate::{Error, Result};

/// A session has no more lines (Stripe's bound).
pub const MOST: usize = 100;
/// A line has no more units (Stripe's bound).
pub const MOST_UNITS: i32 = 999_999;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Item,
    Shipping,
    Tax,
    Fee,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Shipping => "shipping",
            Self::Tax => "tax",
            Self::Fee => "fee",
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Item, Self::Shipping, Self::Tax, Self::Fee]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Error::invalid("lines", "has a kind that is not item, shipping, tax or fee"))
    }
}

/// What the buyer may pay for a unit of what has no fixed price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    pub minimum: Decimal,
    pub maximum: Option<Decimal>,
    pub suggested: Option<Decimal>,
}

impl Bounds {
    /// What a unit costs if nobody says more.
    pub fn proposed(&self) -> Decimal {
        self.suggested.unwrap_or(self.minimum)
    }
}

/// A line as it is sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub kind: Kind,
    pub product_id: Option<String>,
    pub price_id: Option<String>,
    pub title: Option<String>,
    pub image_url: Option<String>,
    pub unit_amount: Decimal,
    pub quantity: i32,
    pub minimum_quantity: i32,
    pub maximum_quantity: Option<i32>,
    /// `None`: the unit_amount is fixed.
    pub bounds: Option<Bounds>,
    pub discount: Decimal,
}

impl Line {
    pub fn subtotal(&self) -> Result<Decimal> {
        let subtotal = self.unit_amount.checked_mul(self.quantity.into());
        subtotal
            .filter(|subtotal| *subtotal < Decimal::from(money::AMOUNT_LIMIT))
            .ok_or_else(|| Error::OutOfRange { argument: "quantity", fault: "makes the amount too large".into() })
    }

    pub fn set_quantity(&mut self, quantity: i32) -> Result<()> {
        let most = self.maximum_quantity.unwrap_or(MOST_UNITS).min(MOST_UNITS);
        self.quantity = in_range("quantity", quantity, self.minimum_quantity, most)?;
        Ok(())
    }

    pub fn set_unit_amount(&mut self, argument: &'static str, amount: Decimal, currency: Currency) -> Result<()> {
        let amount = money::check_sum(argument, amount, currency, false)?;
        match &self.bounds {
            None if amount == self.unit_amount => {}
            None => return Err(Error::invalid(argument, "differs from the price, which is fixed")),
            Some(bounds) if amount < bounds.minimum => {
                return Err(Error::invalid(argument, format!("must be at least {}", bounds.minimum)));
            }
            Some(Bounds { maximum: Some(maximum), .. }) if amount > *maximum => {
                return Err(Error::invalid(argument, format!("must be at most {maximum}")));
            }
            Some(_) => self.unit_amount = amount,
        }
        Ok(())
    }
}

/// A line as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub kind: Kind,
    pub product_id: Option<String>,
    pub price_id: Option<String>,
    pub title: Option<String>,
    /// Of a unit.
    pub amount: Option<Decimal>,
    pub quantity: i32,
}

impl Asked {
    /// Reads the argument `lines`.
    pub fn parse(text: &str) -> Result<Vec<Self>> {
        let lines: Value = serde_json::from_str(text).map_err(|_| fault("is not JSON"))?;
        let Value::Array(lines) = lines else { return Err(fault("must be an array of objects")) };
        if lines.is_empty() || lines.len() > MOST {
            return Err(fault(format!("must have 1 to {MOST} lines")));
        }
        let read = |(at, line): (usize, &Value)| {
            let Value::Object(line) = line else { return Err(fault("must be an array of objects")) };
            Self::read(line).map_err(|error| match error {
                Error::InvalidArgument { argument: "lines", fault: what } => fault(format!("line {}: {what}", at + 1)),
                Error::InvalidArgument { argument, fault: what } | Error::OutOfRange { argument, fault: what } => {
                    fault(format!("line {}: {argument} {what}", at + 1))
                }
                error => error,
            })
        };
        lines.iter().enumerate().map(read).collect()
    }

    fn read(line: &Map<String, Value>) -> Result<Self> {
        let mut asked =
            Self { kind: Kind::Item, product_id: None, price_id: None, title: None, amount: None, quantity: 1 };
        for (name, value) in line {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                ("kind", Value::String(kind)) => asked.kind = kind.parse()?,
                ("product_id", Value::String(id)) => {
                    asked.product_id = Some(validate::identifier("product_id", id)?.to_owned());
                }
                ("price_id", Value::String(id)) => {
                    asked.price_id = Some(validate::identifier("price_id", id)?.to_owned());
                }
                ("title", Value::String(title)) => {
                    validate::optional_text("title", Some(title), validate::SHORT_TEXT)?;
                    asked.title = validate::label(Some(title)).map(str::to_owned);
                }
                ("amount", Value::Number(amount)) => {
                    asked.amount = Some(money::parse_amount("amount", &amount.to_string())?);
                }
                ("quantity", Value::Number(quantity)) => {
                    let quantity = quantity.as_i64().and_then(|quantity| i32::try_from(quantity).ok());
                    let quantity = quantity.ok_or_else(|| Error::invalid("quantity", "must be an integer"))?;
                    asked.quantity = in_range("quantity", quantity, 1, MOST_UNITS)?;
                }
                ("kind" | "product_id" | "price_id" | "title", _) => {
                    return Err(fault(format!("{name} must be a text")));
                }
                ("amount" | "quantity", _) => return Err(fault(format!("{name} must be a number"))),
                _ => {
                    return Err(fault(
                        "has a member that is not kind, product_id, price_id, title, amount or quantity",
                    ));
                }
            }
        }
        asked.check()
    }

    fn check(self) -> Result<Self> {
        let of_catalog = self.product_id.is_some() || self.price_id.is_some();
        match self.kind {
            Kind::Item if of_catalog => {}
            Kind::Item if self.title.is_none() || self.amount.is_none() => {
                return Err(fault("needs a price_id or product_id, or a title and an amount"));
            }
            Kind::Item => {}
            _ if of_catalog => return Err(fault(format!("a {} has no product or price", self.kind.as_str()))),
            _ if self.amount.is_none() => return Err(fault("amount is missing")),
            _ if self.quantity != 1 => return Err(fault(format!("a {} has the quantity 1", self.kind.as_str()))),
            _ => {}
        }
        Ok(self)
    }

    /// True if it says itself what it costs.
    pub fn names_amount(&self) -> bool {
        self.product_id.is_none() && self.price_id.is_none()
    }

    /// The line, if it says itself what it costs.
    pub fn line(self, currency: Currency) -> Result<Line> {
        let amount = validate::required("amount", self.amount)?;
        Ok(Line {
            kind: self.kind,
            product_id: None,
            price_id: None,
            title: self.title,
            image_url: None,
            unit_amount: money::check_sum("amount", amount, currency, false)?,
            quantity: self.quantity,
            minimum_quantity: 1,
            maximum_quantity: None,
            bounds: None,
            discount: Decimal::ZERO,
        })
    }
}

fn fault(fault: impl Into<String>) -> Error {
    Error::invalid("lines", fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_price_or_says_what_it_costs() {
        let lines = Asked::parse(
            r#"[{"price_id": "p", "quantity": 2}, {"title": "Gift", "amount": 1.50},
                {"kind": "shipping", "title": "Post", "amount": 5}, {"kind": "tax", "amount": 0}]"#,
        )
        .expect("valid");
        assert_eq!((lines[0].price_id.as_deref(), lines[0].quantity, lines[0].names_amount()), (Some("p"), 2, false));
        assert_eq!((lines[1].title.as_deref(), lines[1].amount), (Some("Gift"), Some(Decimal::new(150, 2))));
        assert_eq!((lines[2].kind, lines[3].kind), (Kind::Shipping, Kind::Tax));
    }

    #[test]
    fn each_fault_names_its_line() {
        for (text, message) in [
            ("{}", "must be an array of objects"),
            ("[]", "must have 1 to 100 lines"),
            ("[1]", "must be an array of objects"),
            (
                r#"[{"price_id": "p"}, {"title": "x"}]"#,
                "line 2: needs a price_id or product_id, or a title and an amount",
            ),
            (r#"[{"kind": "shipping"}]"#, "line 1: amount is missing"),
            (r#"[{"kind": "shipping", "amount": 1, "quantity": 2}]"#, "line 1: a shipping has the quantity 1"),
            (r#"[{"kind": "fee", "amount": 1, "price_id": "p"}]"#, "line 1: a fee has no product or price"),
            (r#"[{"kind": "gift", "amount": 1}]"#, "line 1: has a kind that is not item, shipping, tax or fee"),
            (r#"[{"price_id": "p", "quantity": 0}]"#, "line 1: quantity must be between 1 and 999999"),
            (r#"[{"price_id": "p", "quantity": 1.5}]"#, "line 1: quantity must be an integer"),
            (r#"[{"price_id": 5}]"#, "line 1: price_id must be a text"),
            (r#"[{"title": "x", "amount": -1}]"#, "line 1: amount must not be negative"),
            (r#"[{"title": "x", "amount": "1"}]"#, "line 1: amount must be a number"),
            (
                r#"[{"price": "p"}]"#,
                "line 1: has a member that is not kind, product_id, price_id, title, amount or quantity",
            ),
        ] {
            assert_eq!(Asked::parse(text), Err(Error::invalid("lines", message)), "{text}");
        }
    }
}
