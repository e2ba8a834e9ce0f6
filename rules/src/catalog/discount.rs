//! Coupons, and what they take off a cart.
//!
//! A percentage is taken once, from the sum of the eligible lines, and rounded half away from zero; a fixed amount is
//! taken once, and not for each unit. The discount is allocated to the lines by largest remainder, so that the lines sum
//! up to the total.

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::line::{Kind, Line};
use crate::Result;
use crate::checkout::money::Currency;

/// How often a code may be tried for a session: codes must not be guessed.
pub const MOST_TRIES: i32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    Percent(Decimal),
    Amount(Decimal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Customers {
    All,
    New,
    Returning,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupon {
    pub code: String,
    pub value: Value,
    /// `None`: any.
    pub currency_code: Option<String>,
    pub valid_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub valid_until: Option<DateTime<Utc>>,
    pub max_redemptions: Option<i32>,
    pub max_redemptions_per_customer: Option<i32>,
    pub minimum_amount: Option<Decimal>,
    /// `None`: all.
    pub product_ids: Option<Vec<String>>,
    pub customers: Customers,
    pub active: bool,
}

/// Why a coupon is not applied. This is an answer and not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    Inactive,
    NotStarted,
    Ended,
    OtherCurrency,
    NoProduct,
    BelowMinimum,
    NoEffect,
    UsedUp,
    UsedByCustomer,
    CustomerUnknown,
    NewCustomersOnly,
    ReturningCustomersOnly,
    TooManyTries,
}

impl Refusal {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Inactive => "inactive",
            Self::NotStarted => "not_started",
            Self::Ended => "ended",
            Self::OtherCurrency => "other_currency",
            Self::NoProduct => "no_product",
            Self::BelowMinimum => "below_minimum",
            Self::NoEffect => "no_effect",
            Self::UsedUp => "used_up",
            Self::UsedByCustomer => "used_by_customer",
            Self::CustomerUnknown => "customer_unknown",
            Self::NewCustomersOnly => "new_customers_only",
            Self::ReturningCustomersOnly => "returning_customers_only",
            Self::TooManyTries => "too_many_tries",
        }
    }

    /// What buyers are told, whatever the reason is.
    pub const FOR_BUYERS: &'static str = "not_applicable";
}

impl Coupon {
    /// Checks that it may be applied now. One that is applied stays until the session ends.
    pub fn admits(&self, now: DateTime<Utc>) -> std::result::Result<(), Refusal> {
        if !self.active {
            return Err(Refusal::Inactive);
        }
        if self.valid_from.is_some_and(|from| now < from) {
            return Err(Refusal::NotStarted);
        }
        if self.valid_until.is_some_and(|until| until <= now) {
            return Err(Refusal::Ended);
        }
        Ok(())
    }

    /// True if redemptions are limited for each customer, whoever they are, or by what they have bought before.
    pub fn asks_for_customer(&self) -> bool {
        self.max_redemptions_per_customer.is_some() || self.customers != Customers::All
    }

    /// What it takes off each line. An error of the sums comes first.
    pub fn discounts(&self, lines: &[Line], currency: Currency) -> Result<std::result::Result<Vec<Decimal>, Refusal>> {
        let subtotals = lines.iter().map(Line::subtotal).collect::<Result<Vec<_>>>()?;
        Ok(self.of_subtotals(lines, &subtotals, currency))
    }

    fn of_subtotals(
        &self,
        lines: &[Line],
        subtotals: &[Decimal],
        currency: Currency,
    ) -> std::result::Result<Vec<Decimal>, Refusal> {
        if self.currency_code.as_ref().is_some_and(|code| code != currency.code()) {
            return Err(Refusal::OtherCurrency);
        }
        let eligible = |line: &Line| {
            line.kind == Kind::Item
                && self
                    .product_ids
                    .as_ref()
                    .is_none_or(|ids| line.product_id.as_ref().is_some_and(|id| ids.contains(id)))
        };
        if !lines.iter().any(eligible) {
            return Err(Refusal::NoProduct);
        }
        let spent: Decimal =
            lines.iter().zip(subtotals).filter(|(line, _)| line.kind == Kind::Item).map(|(_, sum)| *sum).sum();
        if self.minimum_amount.is_some_and(|minimum| spent < minimum) {
            return Err(Refusal::BelowMinimum);
        }
        let parts: Vec<Decimal> =
            lines.iter().zip(subtotals).map(|(line, sum)| if eligible(line) { *sum } else { Decimal::ZERO }).collect();
        let whole: Decimal = parts.iter().sum();
        let discount = match self.value {
            // All of it, even if it is finer than the currency's smallest unit.
            Value::Percent(percent) if percent == Decimal::ONE_HUNDRED => whole,
            Value::Percent(percent) => (whole * percent / Decimal::ONE_HUNDRED)
                .round_dp_with_strategy(currency.digits(), RoundingStrategy::MidpointAwayFromZero),
            Value::Amount(amount) => amount,
        }
        .min(whole);
        if discount.is_zero() {
            return Err(Refusal::NoEffect);
        }
        Ok(allocate(discount, &parts, currency))
    }
}

/// Divides a sum in the proportion of the parts, in the currency's smallest units, or in finer ones if an amount has them.
/// What is left after rounding down goes to the parts with the largest remainders, to earlier ones first. No part gets
/// more than itself.
pub fn allocate(sum: Decimal, parts: &[Decimal], currency: Currency) -> Vec<Decimal> {
    let digits = parts.iter().chain([&sum]).map(|amount| amount.normalize().scale()).fold(currency.digits(), u32::max);
    let units = |amount: Decimal| {
        let mut amount = amount;
        amount.rescale(digits);
        amount.mantissa()
    };
    let (sum, parts): (i128, Vec<i128>) = (units(sum), parts.iter().map(|part| units(*part)).collect());
    let whole: i128 = parts.iter().sum();
    if whole == 0 {
        return vec![Decimal::ZERO; parts.len()];
    }
    let mut shares: Vec<i128> = parts.iter().map(|part| sum * part / whole).collect();
    let left = usize::try_from(sum - shares.iter().sum::<i128>()).unwrap_or(0);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| (-(sum * parts[*at] % whole), *at));
    for at in order.into_iter().take(left) {
        shares[at] += 1;
    }
    shares.into_iter().map(|share| Decimal::from_i128_with_scale(share, digits)).collect()
}

#[cfg(test)]
#[path = "discount_tests.rs"]
mod tests;
