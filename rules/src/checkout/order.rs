//! The arguments of `create_checkout_session`, and the session that they make.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::money::{self, Currency};
use super::reference::ReferencePolicy;
use super::terms::Terms;
use crate::validate as check;
use crate::{Error, Result};

/// The arguments of `create_checkout_session`, as given. An idempotency key stands for this as JSON.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Order<'a> {
    #[serde(serialize_with = "normalized")]
    pub amount: Option<Decimal>,
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
    pub quantity: Option<i32>,
    pub allow_quantity: Option<bool>,
    pub allow_coupon_code: Option<bool>,
    pub require_billing_address: Option<bool>,
    pub is_spi: Option<bool>,
    pub is_pos: Option<bool>,
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

/// 10, 10.0 and 10.00 are the same order.
fn normalized<S: serde::Serializer>(amount: &Option<Decimal>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    amount.map(|amount| amount.normalize().to_string()).serialize(serializer)
}

fn microseconds<S: serde::Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    at.map(|at| at.timestamp_micros()).serialize(serializer)
}

fn span<S: serde::Serializer>(span: &Option<TimeDelta>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    span.map(|span| span.num_microseconds()).serialize(serializer)
}

/// The computed values of a new session; all others are stored as they were ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    pub checkout_session_id: Uuid,
    pub amount: Decimal,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub expiring_notice_at: Option<DateTime<Utc>>,
    pub max_retry_attempts: i32,
    pub quantity: i32,
    pub payment_methods: Vec<String>,
    pub url: Option<String>,
    pub reference_policy: &'static str,
    pub id_prefix: Option<&'static str>,
}

impl Order<'_> {
    /// Checks the order, and computes the session that it makes with this id, as of `now`.
    pub fn check(&self, terms: &Terms, checkout_session_id: Uuid, now: DateTime<Utc>) -> Result<NewSession> {
        let currency_code = check::required("currency_code", self.currency_code)?;
        let currency = Currency::parse("currency_code", currency_code)?;
        let amount = check::required("amount", self.amount)?;
        let amount = money::check_amount("amount", amount, currency, terms.sub_minor_amounts)?;

        if terms.customer_required && self.customer_id.is_none() && self.customer_email.is_none() {
            return Err(Error::CustomerRequired);
        }
        for (argument, value, limit) in [
            ("title", self.title, check::SHORT_TEXT),
            ("reference", self.reference, check::SHORT_TEXT),
            ("customer_id", self.customer_id, check::SHORT_TEXT),
            ("customer_name", self.customer_name, check::SHORT_TEXT),
            ("product_id", self.product_id, check::SHORT_TEXT),
            ("price_id", self.price_id, check::SHORT_TEXT),
            ("subscription_id", self.subscription_id, check::SHORT_TEXT),
            ("payment_link_id", self.payment_link_id, check::SHORT_TEXT),
            ("trace_id", self.trace_id, check::SHORT_TEXT),
        ] {
            check::optional_text(argument, value, limit)?;
        }
        self.description.map(|value| check::long_text("description", value, check::DESCRIPTION)).transpose()?;
        self.customer_email.map(|value| check::email("customer_email", value)).transpose()?;
        self.customer_phone.map(|value| check::phone("customer_phone", value)).transpose()?;
        self.country.map(|value| check::country("country", value)).transpose()?;
        self.success_url.map(|value| check::http_url("success_url", value)).transpose()?;
        self.cancel_url.map(|value| check::http_url("cancel_url", value)).transpose()?;

        let quantity = check::in_range("quantity", self.quantity.unwrap_or(1), 1, i32::MAX)?;
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
            created_at: now,
            expires_at,
            expiring_notice_at: terms.expiring_notice_at(now, expires_at),
            max_retry_attempts,
            quantity,
            payment_methods,
            url: terms.session_url(checkout_session_id),
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
    use crate::checkout::ids;
    use crate::checkout::policy::Policy;
    use crate::checkout::reference::WhenOpen;
    use crate::checkout::settings::Settings;

    fn terms() -> Terms<'static> {
        static SETTINGS: LazyLock<Settings> = LazyLock::new(|| Settings {
            reference_policy: ReferencePolicy::OneOpen(WhenOpen::Error),
            base_url: Some("https://pay.example/".into()),
            expiring_notice: Some(TimeDelta::minutes(10)),
            ..Settings::default()
        });
        Terms::new(&SETTINGS, &Policy::STANDARD, Kind::Secret, None, None)
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
        assert_eq!(session.url, Some(format!("https://pay.example/{}", session.checkout_session_id)));
        assert_eq!(session.reference_policy, "none", "it has no reference");
    }

    #[test]
    fn a_session_shorter_than_the_notice_has_none() {
        let order = Order { expires_in: Some(TimeDelta::minutes(9)), ..order() };
        assert_eq!(order.check(&terms(), ids::session_id(now()), now()).expect("valid").expiring_notice_at, None);
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
