//! Parsers under texts by chance: no panic, an error that is documented, and what was written is read again.
//!
//! `PROPTEST_CASES` says how many cases, and `PROPTEST_RNG_SEED` which: `make torture` sets both.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::credential::{Environment, Kind, Tenant};
use crate::access::{api_key, client_secret, http_credential, redact};
use crate::catalog::{address, coupon, line};
use crate::checkout::money::{self, Currency};
use crate::dialects::{self, HttpRequest, Operation};
use crate::validate;
use crate::webhooks::event::EventId;
use crate::webhooks::signature::{self, Message, Scheme};
use crate::webhooks::{endpoint, url};
use crate::{Error, Result};

/// What a caller may do wrong. XX000, XX001 and F0000 are faults of our own.
const OF_CALLERS: [&str; 12] =
    ["22004", "22023", "22003", "22P02", "22021", "28000", "42501", "23505", "PT403", "PT404", "PT409", "PT429"];

fn config() -> ProptestConfig {
    let chosen = std::env::var("PROPTEST_CASES").is_ok();
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if chosen { default } else { ProptestConfig { cases: 2_000, ..default } }
}

fn refused<T>(result: &Result<T>) -> bool {
    if let Err(error) = result {
        let told = error.to_string();
        assert!(OF_CALLERS.contains(&error.sqlstate()) && !told.is_empty(), "{} {told}", error.sqlstate());
    }
    result.is_err()
}

/// Any text, and texts that are nearly what parsers want.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,80}",
        "-?[0-9]{0,40}(\\.[0-9]{0,40})?([eE][+-]?[0-9]{1,6})?",
        "(https?|ftp|myapp|javascript|HTTPS)?:?/{0,3}[a-z0-9.@:\\[\\]%-]{0,40}(/[!-~]{0,30})?(\\?[!-~]{0,20})?(#[!-~{}_A-Z]{0,30})?",
        "(sk|pk|rk|cs|whsec|evt|cs_secret)_?(live|test)?_?[A-Za-z0-9+/=_-]{0,80}",
        "[0-9]{0,5}-?[0-9]{0,3}-?[0-9]{0,3}[T ]?[0-9:.]{0,12}(Z|[+-][0-9:]{0,5})?",
        "[\\{\\[][\\PC]{0,60}[\\}\\]]?",
        "[a-z+]{1,10}@[a-z.-]{1,20}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Objects whose names are those of a request, for the most part.
fn body() -> impl Strategy<Value = Map<String, Value>> {
    let names = prop::sample::select(vec![
        "amount",
        "currency",
        "currency_code",
        "customer_email",
        "customer_id",
        "customer",
        "email",
        "metadata",
        "meta",
        "title",
        "description",
        "success_url",
        "cancel_url",
        "redirect_url",
        "callback_url",
        "expires_at",
        "expiresAt",
        "reference",
        "tx_ref",
        "quantity",
        "payment_methods",
        "price_id",
        "product_id",
        "subscription_id",
        "lines",
        "line_items",
        "country",
        "page",
        "limit",
    ]);
    let name = prop_oneof![9 => names.prop_map(str::to_owned), 1 => text()];
    prop::collection::vec((name, value()), 0..8).prop_map(|pairs| pairs.into_iter().collect())
}

fn currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(vec!["USD", "XOF", "JPY", "KWD", "CLF", "EUR"])
        .prop_map(|code| Currency::known(code).expect("a currency"))
}

fn tenant() -> impl Strategy<Value = Tenant> {
    (any::<u128>(), any::<bool>()).prop_map(|(id, live)| Tenant {
        organization_id: Uuid::from_u128(id),
        environment: if live { Environment::Live } else { Environment::Test },
    })
}

/// Each request of a dialect, read from a body, a query and headers.
fn read(dialect: &str, body: &Value, query: &Map<String, Value>, headers: &Map<String, Value>, id: &str) {
    let dialect = dialects::find(dialect).expect("a dialect");
    for route in dialect.routes {
        let parameters = vec![id.into(); 3];
        let request = HttpRequest { parameters, headers, query, body, uses_catalog: id.len().is_multiple_of(2) };
        let error = match &route.operation {
            Operation::Create { read, .. } => read(&request).err(),
            Operation::Get { read, .. } => read(&request).err(),
            Operation::List { read, .. } => read(&request).err(),
            Operation::Expire { read, .. } => read(&request).err(),
        };
        if let Some(error) = error {
            let answer = dialect.refuse_reading(&error);
            let told = serde_json::from_str::<Value>(&answer.body);
            assert!(
                (400..500).contains(&answer.status) && told.is_ok(),
                "{}: {error}: {}",
                dialect.name,
                answer.status
            );
        }
        refused(&dialects::unknown_parameter(route, &request));
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn amounts(text in text(), currency in currency(), sub_minor: bool) {
        if let Ok(amount) = money::parse_amount("amount", &text) {
            prop_assert!(amount >= Decimal::ZERO);
            if let Ok(checked) = money::check_amount("amount", amount, currency, sub_minor) {
                // What was taken is taken again, as it is.
                prop_assert_eq!(money::check_amount("amount", checked, currency, sub_minor), Ok(checked));
                prop_assert_eq!(money::parse_amount("amount", &checked.to_string()), Ok(checked));
                prop_assert!(money::to_minor_units(checked, currency.code()).scale() <= 4);
            }
        } else {
            refused(&money::parse_amount("amount", &text));
        }
        if let Ok(reported) = money::parse_reported("amount", &text) {
            let plain = money::reported_amount(reported, currency);
            prop_assert_eq!(money::reported_amount(plain, currency), plain);
        }
    }

    #[test]
    fn minor_units(units in 0_i64..99_999_999_999, currency in currency()) {
        let amount = money::from_minor_units("amount", Decimal::from(units), currency)?;
        prop_assert_eq!(money::to_minor_units(amount, currency.code()), Decimal::from(units));
    }

    #[test]
    fn texts(text in text(), other in text()) {
        for check in [validate::identifier, validate::word, validate::http_url, validate::base_url, validate::email, validate::phone] {
            if !refused(&check("argument", &text)) {
                // What a check returns it takes.
                prop_assert!(check("argument", check("argument", &text)?).is_ok());
            }
        }
        refused(&validate::return_url("success_url", &text, std::slice::from_ref(&other)));
        refused(&validate::origins("origins", &[Some(text.clone()), None, Some(other.clone())]));
        refused(&validate::app_link_schemes(&[Some(text.clone())]));
        refused(&validate::payment_methods(&[Some(text.clone()), Some(other.clone())]));
        refused(&validate::country("country", &text));
        validate::with_session_id(&text, &other);
        refused(&http_credential::check_claim_paths("setting", &text));
        refused(&dialects::session_id("id", &text));
        refused(&endpoint::event_types(&[Some(text.clone()), Some(other.clone())]));
        if let Ok(code) = coupon::code(&text) {
            prop_assert_eq!(coupon::code(&code), Ok(code));
        }
    }

    #[test]
    fn webhook_urls(text in text(), ranges in prop_oneof![Just(String::new()), Just("10.0.0.0/8".to_owned()), text()]) {
        match endpoint::check_url(&text, Environment::Live, &ranges) {
            // The setting is checked where it is set.
            Err(Error::Misconfigured { .. }) => prop_assert!(endpoint::check_allowed_ranges("setting", &ranges).is_err()),
            result => { refused(&result); }
        }
        if let Ok(parsed) = url::parse(&text, Environment::Live, &url::Ranges::default()) {
            prop_assert!(parsed.scheme() == "https" && parsed.host_str().is_some());
            prop_assert!(url::parse(parsed.as_str(), Environment::Live, &url::Ranges::default()).is_ok());
        }
    }

    #[test]
    fn lines_and_addresses(value in value(), text in text()) {
        for text in [value.to_string(), text, json!([value]).to_string()] {
            refused(&line::Asked::parse(&text));
            if let Ok(checked) = address::check(&text) {
                prop_assert_eq!(address::check(&checked), Ok(checked));
            }
        }
    }

    #[test]
    fn ids_of_events(tenant in tenant(), subject: u128, sequence: i32, created_at: i64, text in text()) {
        let id = EventId { tenant, subject_id: Uuid::from_u128(subject), sequence, created_at };
        prop_assert_eq!(EventId::read(&id.to_string()), Some(id));
        if let Some(id) = EventId::read(&text) {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn keys(at in 0_usize..69, replaced in "[ -~]", kind in 0_usize..3, live: bool) {
        let kind = [Kind::Secret, Kind::Restricted, Kind::Publishable][kind];
        let key = api_key::generate(kind, if live { Environment::Live } else { Environment::Test });
        let presented = api_key::parse(&key.text).expect("a key");
        prop_assert!(api_key::matches(&presented.digest, Some(&key.digest)));
        let mut other = key.text.clone();
        let at = at.min(other.len() - 1);
        other.replace_range(at..=at, &replaced);
        prop_assert!(other == key.text || api_key::parse(&other).is_none(), "{other} for {}", key.text);
        // In a log there is only its name.
        let mut text = format!("SELECT '{}' AS key", key.text).into_bytes();
        let left = redact::mask(&mut text).expect("masked");
        let shown = String::from_utf8_lossy(&text[..left]).into_owned();
        prop_assert!(shown.contains(key.api_key_id()) && !shown.contains(&key.text[21..]), "{shown}");
    }

    #[test]
    fn client_secrets(tenant in tenant(), key: [u8; 32], session: u128, other: u128, text in text()) {
        let session = Uuid::from_u128(session);
        let secret = client_secret::derive(&key, tenant, session);
        let parsed = client_secret::ClientSecret::parse(&secret).expect("a secret");
        prop_assert!(parsed.opens(&key, session) && parsed.tenant == tenant);
        prop_assert!(Uuid::from_u128(other) == session || !parsed.opens(&key, Uuid::from_u128(other)));
        prop_assert!(client_secret::ClientSecret::parse(&text).is_none_or(|it| !it.opens(&key, session)));
    }

    #[test]
    fn masks(text in prop_oneof![text(), (text(), text(), text()).prop_map(|(a, b, c)| a + &b + &c)]) {
        let mut masked = text.clone().into_bytes();
        if let Some(left) = redact::mask(&mut masked) {
            prop_assert!(left <= masked.len());
            prop_assert!(redact::has_secret(text.as_bytes()));
        } else {
            prop_assert_eq!(masked, text.into_bytes());
        }
    }

    #[test]
    fn signatures(id in "[a-z_0-9]{1,20}", body in text(), seconds in 0_i64..4_000_000_000, stripe: bool, other in text()) {
        let scheme = if stripe { Scheme::Stripe } else { Scheme::Standard };
        let secret = endpoint::new_secret();
        let timestamp = DateTime::<Utc>::from_timestamp(seconds, 0).expect("in range");
        let signed = signature::headers(scheme, &[&secret], &Message { id: &id, timestamp, body: &body })?;
        let headers: Map<String, Value> = signed.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        let verify = |headers: &Map<String, Value>, body: &str, later: i64| {
            signature::verify(scheme, &secret, headers, body, timestamp + TimeDelta::seconds(later), TimeDelta::minutes(5))
        };
        prop_assert_eq!(verify(&headers, &body, 0), Ok(true));
        prop_assert_eq!(verify(&headers, &body, 301), Ok(false));
        prop_assert_eq!(verify(&headers, &format!("{body} "), 0), Ok(false));
        for name in headers.keys() {
            let mut forged = headers.clone();
            forged.insert(name.clone(), other.clone().into());
            // Stripe's scheme signs no id. The same number may be written in other ways.
            let signed = if stripe { name == "stripe-signature" } else { name != "content-type" };
            if signed && headers[name] != other.as_str() && other.parse() != Ok(seconds) {
                prop_assert_eq!(verify(&forged, &body, 0), Ok(false), "{}: {}", name, other);
            }
        }
        refused(&signature::sign(scheme, &other, &Message { id: &other, timestamp, body: &body }));
    }

    #[test]
    fn credentials_of_requests(headers in body(), claims in value(), text in text(), at in 0_usize..3) {
        let mut headers = headers;
        headers.insert(["x-api-key", "authorization", "idempotency-key"][at].to_owned(), text.clone().into());
        refused(&http_credential::api_key(&headers));
        refused(&http_credential::idempotency_key(&headers));
        http_credential::trace_id(&headers);
        http_credential::request_id(&headers);
        let mut all = Map::from_iter([("organization_id".to_owned(), claims)]);
        all.insert("kind".to_owned(), text.into());
        let read = http_credential::tenant(&all, "organization_id, app_metadata.organization_id", Environment::Live);
        prop_assert!(read.is_err() || read == Ok(None) || all["organization_id"].is_string());
    }

    #[test]
    fn requests_of_dialects(
        name in prop::sample::select(vec!["kobo", "lomi", "paygate", "flutterwave", "yuno"]),
        body in body(), query in body(), headers in body(), id in text(), raw in text(),
    ) {
        read(name, &Value::Object(body), &query, &headers, &id);
        if let Ok(value) = dialects::read_body(&raw) {
            read(name, &value, &query, &headers, &id);
        } else {
            refused(&dialects::read_body(&raw));
        }
        let dialect = dialects::find(name)?;
        if let Err(answer) = dialects::route(dialect, &raw, &id) {
            prop_assert!(matches!(answer.status, 404 | 405));
        }
        dialects::cors::options(dialect, &id, &headers);
    }
}
