//! Statements on what sessions do to subscriptions: what renews one, and the period that a session pays.

use pgrx::AnyNumeric;
use rules::Result;
use rules::catalog::line::{Kind, Line};
use rules::catalog::subscription::{Action, Period, Subscription};
use rules::checkout::money::{self, Currency};
use rules::validate;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::row::Row;
use super::sessions::{key, owner};
use super::statement::statement;
use super::subscriptions::{broken, read_standing, time};
use crate::datum;
use crate::tenant::Tenant;

statement!(
    TO_RENEW,
    Transaction,
    "SELECT s.customer_id, s.customer_email, s.product_id::text, s.price_id::text, s.quantity::integer, \
       s.unit_amount::numeric, s.currency_code::text, s.current_period_end, s.ends_at, s.canceled_at IS NOT NULL, \
       checkout_data.period_boundary(s.anchor, s.time_zone, \
         checkout_data.period_span(s.interval_unit, s.interval_count, s.periods + 1)), r.name, r.image_url \
     FROM checkout_data.subscriptions s \
     LEFT JOIN checkout_data.products r ON r.organization_id = s.organization_id AND r.environment = s.environment \
       AND r.product_id = s.product_id \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.subscription_id = $3"
);

/// What a session sells that renews a subscription.
pub struct ToRenew {
    pub line: Line,
    pub currency: Currency,
    pub customer_id: Option<String>,
    pub customer_email: Option<String>,
    pub standing: Subscription,
    /// The next period.
    pub period: Period,
}

/// A subscription, not locked: its next period, at its own price, be that archived.
pub fn to_renew(tenant: Tenant, id: Uuid) -> Result<Option<ToRenew>> {
    TO_RENEW.with(|statement| statement.row(&key(tenant, id), read_to_renew))
}

fn read_to_renew(row: &Row) -> Result<ToRenew> {
    let currency: Currency = row.get::<String>(7)?.ok_or_else(broken)?.parse()?;
    let quantity = row.get(5)?.ok_or_else(broken)?;
    let unit_amount = datum::from_numeric("amount", &row.get::<AnyNumeric>(6)?.ok_or_else(broken)?)?;
    let standing = read_standing(time(row, 8)?, time(row, 9)?, row.get(10)?)?;
    Ok(ToRenew {
        line: Line {
            kind: Kind::Item,
            product_id: row.get(3)?,
            price_id: row.get(4)?,
            title: row.get(12)?,
            image_url: row.get(13)?,
            unit_amount: money::with_digits(unit_amount, currency),
            quantity,
            minimum_quantity: quantity,
            maximum_quantity: Some(quantity),
            bounds: None,
            discount: Decimal::ZERO,
        },
        currency,
        customer_id: row.get(1)?,
        customer_email: row.get(2)?,
        period: Period { follows: standing.current_period_end, end: time(row, 11)?.ok_or_else(broken)? },
        standing,
    })
}

statement!(
    OPEN_RENEWAL,
    Write,
    "SELECT o.checkout_session_id FROM checkout_data.open_sessions o \
     WHERE o.organization_id = $1 AND o.environment = $2 AND o.renews = $3"
);

/// The session that renews a subscription and has not ended.
pub fn open_renewal(tenant: Tenant, id: Uuid) -> Result<Option<Uuid>> {
    let session = OPEN_RENEWAL.with(|statement| statement.row(&key(tenant, id), |row| row.get::<pgrx::Uuid>(1)))?;
    Ok(session.flatten().map(datum::from_uuid))
}

statement!(
    HAD_TRIAL,
    Transaction,
    "SELECT FROM checkout_data.subscriptions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.product_id = $3 AND s.trial_end IS NOT NULL \
       AND s.customer_id = $4 \
     UNION ALL \
     SELECT FROM checkout_data.subscriptions s \
     WHERE s.organization_id = $1 AND s.environment = $2 AND s.product_id = $3 AND s.trial_end IS NOT NULL \
       AND s.customer_email IS NOT NULL AND checkout_data.folded(s.customer_email) = $5"
);

/// True if the customer has had a trial of a product.
pub fn had_trial(
    tenant: Tenant,
    product_id: &str,
    customer_id: Option<&str>,
    customer_email: Option<&str>,
) -> Result<bool> {
    let [organization_id, environment] = owner(tenant);
    let email = customer_email.map(validate::folded);
    let arguments = [organization_id, environment, product_id.into(), customer_id.into(), email.into()];
    Ok(HAD_TRIAL.with(|statement| statement.count(&arguments))? > 0)
}

statement!(
    PERIOD,
    Write,
    "INSERT INTO checkout_data.session_periods (organization_id, environment, checkout_session_id, subscription_id, trial, \
       period_start, period_end) VALUES ($1, $2, $3, $4, $5, $6, $7)"
);

/// Stores what a new session does to a subscription.
pub fn store_period(tenant: Tenant, session: Uuid, subscription: Uuid, action: &Action) -> Result<()> {
    let [organization_id, environment, id] = key(tenant, session);
    let period = action.renewed();
    let arguments = [
        organization_id,
        environment,
        id,
        datum::uuid(subscription).into(),
        (*action == Action::Begin { trial: true }).into(),
        period.map(|period| datum::timestamp(period.follows)).into(),
        period.map(|period| datum::timestamp(period.end)).into(),
    ];
    PERIOD.with(|statement| statement.count(&arguments)).map(|_| ())
}
