//! The arguments of `create_checkout_session`, and the session that they make.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::money::{self, Currency};
use super::policy::Policy;
use super::reference::ReferencePolicy;
use super::terms::Terms;
use crate::validate as check;
use crate::{Error, Result};

const DEFAULT_QUANTITY: i32 = 1;

/// The arguments of `create_checkout_session`, as given. An idempotency key stands for this as JSON, in which orders for
/// the same session have the same text.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Order<'a> {
    #[serde(serialize_with = "normalized")]
    pub amount: Option<Decimal>,
    #[serde(serialize_with = "in_upper_case")]
    pub currency_code: Option<&'a str>,
    pub title: Option<&'a str>,
    pub description: Option<&'a str>,
    pub reference: Option<&'a str>,
    pub customer_id: Option<&'a str>,
    pub customer_email: Option<&'a str>,
    pub customer_name: Option<&'a str>,
    pub customer_phone: Option<&'a str>,
    pub product_id: Option<&'a str>,
    pub price_id: Option<&'a str>,
    pub subscription_id: Option<&'a str>,
    pub payment_link_id: Option<&'a str>,
    #[serde(serialize_with = "one_by_default")]
    pub quantity: Option<i32>,
    #[serde(serialize_with = "false_by_default")]
    pub allow_quantity: Option<bool>,
    #[serde(serialize_with = "false_by_default")]
    pub allow_coupon_code: Option<bool>,
    #[serde(serialize_with = "false_by_default")]
    pub require_billing_address: Option<bool>,
    #[serde(serialize_with = "false_by_default")]
    pub is_spi: Option<bool>,
    #[serde(serialize_with = "false_by_default")]
    pub is_pos: Option<bool>,
    #[serde(serialize_with = "in_upper_case")]
    pub country: Option<&'a str>,
    pub success_url: Option<&'a str>,
    pub cancel_url: Option<&'a str>,
    pub payment_methods: Option<Vec<Option<String>>>,
    pub max_retry_attempts: Option<i32>,
    /// Microseconds since 1970, and microseconds.
    #[serde(serialize_with = "microseconds")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "span")]
    pub expires_in: Option<TimeDelta>,
    /// The text of the argument, with sorted names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_upper_case")]
    pub coupon_code: Option<&'a str>,
    /// True once its amount is that of a cart. Then it may be zero.
    #[serde(skip)]
    pub has_terms: bool,
    /// The dialect that it came through, and its scenario. With others it is another order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<&'a str>,
    /// Not part of the order: a repetition may have another.
    #[serde(skip)]
    pub trace_id: Option<&'a str>,
    /// Set only while the order is hashed: the text of its metadata.
    pub metadata: Option<String>,
}

type Written<S> = std::result::Result<<S as Serializer>::Ok, <S as Serializer>::Error>;

/// 10, 10.0 and 10.00 are the same order.
fn normalized<S: Serializer>(amount: &Option<Decimal>, serializer: S) -> Written<S> {
    amount.map(|amount| amount.normalize().to_string()).serialize(serializer)
}

/// usd and USD are the same order.
fn in_upper_case<S: Serializer>(code: &Option<&str>, serializer: S) -> Written<S> {
    code.map(str::to_ascii_uppercase).serialize(serializer)
}

/// A default that is said or left out is the same order, if the default is always the same.
fn one_by_default<S: Serializer>(quantity: &Option<i32>, serializer: S) -> Written<S> {
    quantity.unwrap_or(DEFAULT_QUANTITY).serialize(serializer)
}

fn false_by_default<S: Serializer>(flag: &Option<bool>, serializer: S) -> Written<S> {
    flag.unwrap_or(false).serialize(serializer)
}

fn microseconds<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Written<S> {
    at.map(|at| at.timestamp_micros()).serialize(serializer)
}

fn span<S: Serializer>(span: &Option<TimeDelta>, serializer: S) -> Written<S> {
    span.map(|span| span.num_microseconds()).serialize(serializer)
}

/// The computed values of a new session; all others are stored as they were ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    pub checkout_session_id: Uuid,
    pub amount: Decimal,
    pub currency: Currency,
    pub country: Option<&'static str>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub expiring_notice_at: Option<DateTime<Utc>>,
    pub max_retry_attempts: i32,
    pub quantity: i32,
    pub payment_methods: Vec<String>,
    pub reference_policy: &'static str,
    pub id_prefix: Option<&'static str>,
}

impl Order<'_> {
    /// The order with everything that it implies, whatever the organization's settings are: a label with nothing to see
    /// is none, an amount has no noise, and what the policy of a dialect fixes is as if it had been said. An organization's own defaults are not
    /// filled in: they may change between two calls, and the second would no longer be a repetition of the first.
    pub fn complete(mut self, policy: &Policy) -> Self {
        for label in [
            &mut self.title,
            &mut self.description,
            &mut self.reference,
            &mut self.customer_name,
            &mut self.customer_phone,
            &mut self.trace_id,
        ] {
            *label = check::label(*label);
        }
        if let (Some(amount), Some(currency)) = (self.amount, self.currency_code.and_then(Currency::known)) {
            // Without the noise of binary floating-point numbers, which may differ from one program to another.
            self.amount = Some(money::reported_amount(amount, currency));
        }
        self.max_retry_attempts = self.max_retry_attempts.or(policy.max_retry_attempts);
        if self.expires_at.is_none() && self.expires_in.is_none() {
            self.expires_in = policy.lifetime.map(|lifetime| lifetime.default);
        }
        self
    }

    /// Checks the order, and computes the session that it makes with this id, as of `now`.
    pub fn check(&self, terms: &Terms, checkout_session_id: Uuid, now: DateTime<Utc>) -> Result<NewSession> {
        let currency_code = check::required("currency_code", self.currency_code)?;
        let currency = Currency::parse("currency_code", currency_code)?;
        let amount = check::required("amount", self.amount)?;
        let check_amount = if self.has_terms { money::check_sum } else { money::check_amount };
        let amount = check_amount("amount", amount, currency, terms.sub_minor_amounts)?;

        if terms.customer_required && self.customer_id.is_none() && self.customer_email.is_none() {
            return Err(Error::CustomerRequired);
        }
        for (argument, value) in
            [("title", self.title), ("customer_name", self.customer_name), ("trace_id", self.trace_id)]
        {
            check::optional_text(argument, value, check::SHORT_TEXT)?;
        }
        for (argument, value) in [
            ("reference", self.reference),
            ("customer_id", self.customer_id),
            ("product_id", self.product_id),
            ("price_id", self.price_id),
            ("subscription_id", self.subscription_id),
            ("payment_link_id", self.payment_link_id),
        ] {
            value.map(|value| check::identifier(argument, value)).transpose()?;
        }
        self.description.map(|value| check::long_text("description", value, check::DESCRIPTION)).transpose()?;
        self.customer_email.map(|value| check::email("customer_email", value)).transpose()?;
        self.customer_phone.map(|value| check::phone("customer_phone", value)).transpose()?;
        let country = self.country.map(|value| check::country("country", value)).transpose()?;
        for (argument, value) in [("success_url", self.success_url), ("cancel_url", self.cancel_url)] {
            value.map(|value| check::return_url(argument, value, terms.app_link_schemes)).transpose()?;
        }

        let quantity = check::in_range("quantity", self.quantity.unwrap_or(DEFAULT_QUANTITY), 1, i32::MAX)?;
        let max_retry_attempts = check::in_range(
            "max_retry_attempts",
            self.max_retry_attempts.unwrap_or(terms.max_retry_attempts),
            0,
            check::MAXIMUM_RETRY_ATTEMPTS,
        )?;
        let payment_methods = match &self.payment_methods {
            Some(methods) => check::payment_methods(methods)?,
            None => terms.payment_methods.to_vec(),
        };

        let expires_at = terms.lifetime.expires_at(now, self.expires_at, self.expires_in)?;
        let reference_policy = match self.reference {
            Some(_) => terms.reference_policy,
            None => ReferencePolicy::None,
        };
        Ok(NewSession {
            checkout_session_id,
            amount,
            currency,
            country,
            created_at: now,
            expires_at,
            expiring_notice_at: terms.expiring_notice_at(now, expires_at),
            max_retry_attempts,
            quantity,
            payment_methods,
            reference_policy: reference_policy.constraint(),
            id_prefix: terms.id_prefix,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::access::credential::Kind;
    use crate::checkout::idempotency::request_hash;
    use crate::checkout::ids;
    use crate::checkout::reference::WhenOpen;
    use crate::checkout::settings::Settings;

    fn terms() -> Terms<'static> {
        static SETTINGS: LazyLock<Settings> = LazyLock::new(|| Settings {
            reference_policy: ReferencePolicy::OneOpen(WhenOpen::Error),
            expiring_notice: Some(TimeDelta::minutes(10)),
            ..Settings::default()
        });
        Terms::new(&SETTINGS, &Policy::STANDARD, Kind::Secret, None)
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 123_456_000).expect("in range")
    }

    fn order() -> Order<'static> {
        Order {
            amount: Some(Decimal::new(100_000, 1)),
            currency_code: Some("XOF"),
            customer_email: Some("john@example.com"),
            ..Order::default()
        }
    }

    #[test]
    fn a_session_takes_what_is_not_said_from_its_organization() {
        let session = order().check(&terms(), ids::session_id(now()), now()).expect("valid");
        assert_eq!(session.amount.to_string(), "10000");
        assert_eq!(session.expires_at, now() + TimeDelta::minutes(60));
        assert_eq!(session.expiring_notice_at, Some(now() + TimeDelta::minutes(50)));
        assert_eq!(session.max_retry_attempts, 3);
        assert_eq!(session.quantity, 1);
        assert_eq!(session.payment_methods, ["bank_transfer", "payid"]);
        assert_eq!(session.reference_policy, "none", "it has no reference");
    }

    #[test]
    fn a_session_shorter_than_the_notice_has_none() {
        let order = Order { expires_in: Some(TimeDelta::minutes(9)), ..order() };
        assert_eq!(order.check(&terms(), ids::session_id(now()), now()).expect("valid").expiring_notice_at, None);
    }

    #[test]
    fn codes_are_stored_in_upper_case() {
        let order = Order { currency_code: Some("xof"), country: Some("sn"), ..order() };
        let session = order.check(&terms(), ids::session_id(now()), now()).expect("valid");
        assert_eq!((session.currency.code(), session.country), ("XOF", Some("SN")));
    }

    #[test]
    fn a_label_with_nothing_to_see_is_none() {
        for blank in ["", " ", "\t\n", "\u{a0}\u{200b}"] {
            let order = Order {
                title: Some(blank),
                description: Some(blank),
                reference: Some(blank),
                customer_name: Some(blank),
                customer_phone: Some(blank),
                trace_id: Some(blank),
                ..order()
            };
            let order = order.complete(&Policy::STANDARD);
            let labels = [order.title, order.description, order.reference, order.customer_name, order.customer_phone];
            assert_eq!((labels, order.trace_id), ([None; 5], None), "{blank:?}");
        }
        let kept = Order { title: Some(" Tea "), ..order() }.complete(&Policy::STANDARD);
        assert_eq!(kept.title, Some(" Tea "));
        let id = Order { customer_id: Some(" "), ..order() }.complete(&Policy::STANDARD);
        let refused = id.check(&terms(), ids::session_id(now()), now());
        assert_eq!(refused, Err(Error::invalid("customer_id", "must not be blank")), "an id must name something");
    }

    #[test]
    fn orders_for_the_same_session_are_the_same_request() {
        let hash = |order: Order, policy| request_hash(&order.complete(policy)).expect("serializable");
        let same = |one, other, policy| assert_eq!(hash(one, policy), hash(other, policy));
        let said = Order {
            amount: Some(Decimal::new(10_000, 0)),
            currency_code: Some("xof"),
            country: Some("sn"),
            title: Some(" "),
            quantity: Some(1),
            allow_quantity: Some(false),
            allow_coupon_code: Some(false),
            require_billing_address: Some(false),
            is_spi: Some(false),
            is_pos: Some(false),
            ..order()
        };
        same(said, Order { country: Some("SN"), ..order() }, &Policy::STANDARD);
        let noisy = Order { amount: Some(Decimal::new(10_000_000_000_000_001, 12)), ..order() };
        same(noisy, order(), &Policy::STANDARD);
        let fixed =
            Policy { max_retry_attempts: Some(3), lifetime: Policy::fixed(TimeDelta::minutes(60)), ..Policy::STANDARD };
        let said = || Order { max_retry_attempts: Some(3), expires_in: Some(TimeDelta::minutes(60)), ..order() };
        same(said(), order(), &fixed);
        assert_ne!(hash(said(), &Policy::STANDARD), hash(order(), &Policy::STANDARD), "the organization's may change");
        for other in [
            Order { currency_code: Some("USD"), ..order() },
            Order { quantity: Some(2), ..order() },
            Order { is_pos: Some(true), ..order() },
        ] {
            assert_ne!(hash(other, &Policy::STANDARD), hash(order(), &Policy::STANDARD));
        }
    }

    #[test]
    fn each_fault_names_its_argument() {
        let cases: Vec<(Order, &str)> = vec![
            (Order { amount: None, ..order() }, "argument \"amount\" must not be null"),
            (Order { currency_code: None, ..order() }, "argument \"currency_code\" must not be null"),
            (Order { customer_email: None, ..order() }, "customer_id or customer_email must be given"),
            (Order { title: Some(""), ..order() }, "argument \"title\" must not be empty"),
            (Order { quantity: Some(0), ..order() }, "argument \"quantity\" must be at least 1"),
            (
                Order { max_retry_attempts: Some(11), ..order() },
                "argument \"max_retry_attempts\" must be between 0 and 10",
            ),
            (
                Order { success_url: Some("javascript:alert(1)"), ..order() },
                "argument \"success_url\" must be an http or https URL",
            ),
        ];
        for (order, message) in cases {
            let error = order.check(&terms(), ids::session_id(now()), now()).expect_err(message);
            assert_eq!(error.to_string(), message);
        }
    }
}
