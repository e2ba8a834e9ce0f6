//! Carts: the lines of a session, with its coupon, and their sums.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::discount::{Coupon, Refusal};
use super::line::{Kind, Line};
use super::subscription::Subscribing;
use crate::checkout::idempotency::{self, RequestHash};
use crate::checkout::money::{self, Currency};
use crate::checkout::order::Order;
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    pub currency: Currency,
    pub lines: Vec<Line>,
    pub coupon: Option<Coupon>,
    /// What becomes of a subscription when the session is complete.
    pub subscribing: Option<Subscribing>,
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
        Self { currency, lines, coupon: None, subscribing: None }
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

    /// What tells this order from others: not how catalog's products are called, nor how their amounts are written.
    pub fn order_hash(&self) -> Result<RequestHash> {
        let lines = self.lines.iter().map(|line| {
            let title = line.title.as_ref().filter(|_| line.price_id.is_none());
            let unit_amount = line.unit_amount.normalize().to_string();
            (line.kind.as_str(), &line.product_id, &line.price_id, title, unit_amount, line.quantity)
        });
        let coupon = self.coupon.as_ref().map(|coupon| &coupon.code);
        idempotency::request_hash(&(self.currency.code(), lines.collect::<Vec<_>>(), coupon, self.renews()))
    }

    /// The subscription that it renews.
    /// Who buys: the id and the email address. Of a renewal its subscription says it.
    pub fn customer<'o>(&'o self, order: &Order<'o>) -> (Option<&'o str>, Option<&'o str>) {
        let renewed = self.subscribing.as_ref();
        let id = order.customer_id.or(renewed.and_then(|it| it.customer_id.as_deref()));
        (id, order.customer_email.or(renewed.and_then(|it| it.customer_email.as_deref())))
    }

    pub fn renews(&self) -> Option<Uuid> {
        let renewed = self.subscribing.as_ref().filter(|subscribing| subscribing.action.renewed().is_some())?;
        Some(renewed.subscription_id)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::line::Asked;

    fn cart(lines: &str, currency: &str) -> Cart {
        let currency: Currency = currency.parse().expect("a currency");
        let lines = Asked::parse(lines).expect("lines").into_iter().map(|asked| asked.line(currency).expect("a line"));
        Cart::new(currency, lines.collect())
    }

    #[test]
    fn an_order_is_known_by_what_it_sells_and_not_by_how_that_is_written() {
        let hash = |cart: &Cart| cart.order_hash().expect("a hash");
        let card = cart(r#"[{"title": "Card", "amount": 5}]"#, "EUR");
        assert_eq!(hash(&card), hash(&cart(r#"[{"amount": 5.00, "title": "Card", "quantity": 1}]"#, "EUR")));
        for (lines, currency) in [
            (r#"[{"title": "Card", "amount": 5}]"#, "USD"),
            (r#"[{"title": "Mug", "amount": 5}]"#, "EUR"),
            (r#"[{"title": "Card", "amount": 2.50, "quantity": 2}]"#, "EUR"),
            (r#"[{"title": "Card", "amount": 2}, {"title": "Card", "amount": 3}]"#, "EUR"),
            (r#"[{"title": "Card", "amount": 4}, {"kind": "tax", "amount": 1}]"#, "EUR"),
        ] {
            assert_ne!(hash(&card), hash(&cart(lines, currency)), "{lines}");
        }
        let mut sold = Cart { lines: vec![Line { price_id: Some("card".into()), ..card.lines[0].clone() }], ..card };
        let before = hash(&sold);
        sold.lines[0].title = Some("Postcard".into());
        assert_eq!(hash(&sold), before, "the merchant has renamed the product");
    }
}
