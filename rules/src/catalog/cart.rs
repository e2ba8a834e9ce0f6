//! Carts: the lines of a session, with its coupon, and their sums.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::discount::{Coupon, Refusal};
use super::line::{Kind, Line};
use crate::checkout::money::{self, Currency};
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    pub currency: Currency,
    pub lines: Vec<Line>,
    pub coupon: Option<Coupon>,
}

/// subtotal - discount + shipping + tax + fees = amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub subtotal: Decimal,
    pub discount: Decimal,
    pub shipping: Decimal,
    pub tax: Decimal,
    pub fees: Decimal,
    pub amount: Decimal,
}

impl Cart {
    pub fn new(currency: Currency, lines: Vec<Line>) -> Self {
        Self { currency, lines, coupon: None }
    }

    pub fn sums(&self) -> Result<Sums> {
        let mut sums = Sums::default();
        for line in &self.lines {
            let subtotal = line.subtotal()?;
            sums.discount += line.discount;
            *match line.kind {
                Kind::Item => &mut sums.subtotal,
                Kind::Shipping => &mut sums.shipping,
                Kind::Tax => &mut sums.tax,
                Kind::Fee => &mut sums.fees,
            } += subtotal;
        }
        let amount = sums.subtotal - sums.discount + sums.shipping + sums.tax + sums.fees;
        if sums.subtotal + sums.shipping + sums.tax + sums.fees >= Decimal::from(money::AMOUNT_LIMIT) {
            return Err(Error::OutOfRange { argument: "lines", fault: "sum up to an amount that is too large".into() });
        }
        for sum in [&mut sums.subtotal, &mut sums.discount, &mut sums.shipping, &mut sums.tax, &mut sums.fees] {
            *sum = money::with_digits(*sum, self.currency);
        }
        Ok(Sums { amount: money::with_digits(amount, self.currency), ..sums })
    }

    /// Puts a coupon in the place of the one before. Refused, the cart stays as it is.
    pub fn apply(&mut self, coupon: Coupon) -> Result<std::result::Result<(), Refusal>> {
        // Sums that are too large come before any arithmetic with them.
        self.sums()?;
        Ok(coupon.discounts(&self.lines, self.currency)?.map(|discounts| {
            for (line, discount) in self.lines.iter_mut().zip(discounts) {
                line.discount = discount;
            }
            self.coupon = Some(coupon);
        }))
    }

    pub fn remove_coupon(&mut self) {
        self.coupon = None;
        self.lines.iter_mut().for_each(|line| line.discount = Decimal::ZERO);
    }

    /// Computes the discount anew after a change. Returns false if the coupon no longer applies: then it is removed.
    pub fn keep_coupon(&mut self) -> Result<bool> {
        let Some(coupon) = self.coupon.clone() else { return Ok(true) };
        self.remove_coupon();
        Ok(self.apply(coupon)?.is_ok())
    }

    /// The units of each product, in the order of their ids.
    pub fn units(&self) -> BTreeMap<&str, i32> {
        let mut units = BTreeMap::new();
        for line in &self.lines {
            if let Some(product_id) = &line.product_id {
                *units.entry(product_id.as_str()).or_default() += line.quantity;
            }
        }
        units
    }

    /// The units of all its items.
    pub fn quantity(&self) -> i32 {
        self.lines.iter().filter(|line| line.kind == Kind::Item).map(|line| line.quantity).sum::<i32>().max(1)
    }
}
