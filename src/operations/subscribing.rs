//! What sessions do to subscriptions: what a session sells that begins or renews one, and what happens when it is
//! complete.

use chrono::{DateTime, Utc};
use rules::access::credential::Kind;
use rules::catalog::cart::Cart;
use rules::catalog::line::Line;
use rules::catalog::subscription::{Action, Obstacle, Period, Subscribing, Subscription};
use rules::checkout::ids;
use rules::checkout::money::{self, Currency};
use rules::checkout::order::Order;
use rules::{Error, Result};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::datum;
use crate::shared::wake;
use crate::store;
use crate::store::session_periods::{self, ToRenew};
use crate::store::subscriptions::{self, unknown};
use crate::tenant::{Caller, Tenant};

/// The cart of an order that renews a subscription. What the order says must be what the subscription says.
pub fn renewal(caller: &Caller, order: &Order, id: &str, currency: Option<Currency>) -> Result<Cart> {
    if caller.kind == Kind::Publishable {
        return Err(Error::NotAllowed { kind: caller.kind });
    }
    let subscription_id = id.parse::<Uuid>().map_err(|_| unknown(id))?;
    let renewed = session_periods::to_renew(caller.tenant, subscription_id)?.ok_or_else(|| unknown(id))?;
    let ToRenew { line, currency: of_price, customer_id, customer_email, standing, period } = renewed;
    if let Some(obstacle) = standing.obstacle(&period) {
        return Err(obstacle.error());
    }
    let differs = |given: Option<&str>, own: &Option<String>| given.is_some_and(|given| own.as_deref() != Some(given));
    // The default of quantity is 1, and says nothing.
    let fault = if order.allow_quantity == Some(true) {
        Some("allow_quantity")
    } else if order.quantity.is_some_and(|quantity| quantity != 1 && quantity != line.quantity) {
        Some("quantity")
    } else if currency.is_some_and(|currency| currency != of_price) {
        Some("currency_code")
    } else {
        [
            ("product_id", order.product_id, &line.product_id),
            ("price_id", order.price_id, &line.price_id),
            ("customer_id", order.customer_id, &customer_id),
            ("customer_email", order.customer_email, &customer_email),
        ]
        .into_iter()
        .find(|(_, given, own)| differs(*given, own))
        .map(|(argument, ..)| argument)
    };
    if let Some(argument) = fault {
        return Err(Error::invalid(argument, "differs from the subscription's"));
    }
    if let Some(amount) = order.amount
        && money::check_sum("amount", amount, of_price, false)? != line.subtotal()?
    {
        return Err(Error::invalid("amount", "differs from the subscription's"));
    }
    let subscribing = Subscribing {
        subscription_id,
        text: subscription_id.to_string(),
        action: Action::Renew(period),
        customer_id,
        customer_email,
    };
    Ok(Cart { subscribing: Some(subscribing), ..Cart::new(of_price, vec![line]) })
}

pub const TRIAL_USED: Error = Error::SubscriptionConflict { fault: "has a trial that the customer has used already" };

/// What an order begins that sells a price which recurs. A trial is free, and a customer gets one of a product.
pub fn beginning(caller: &Caller, order: &Order, line: &mut Line, has_trial: bool) -> Result<Subscribing> {
    if order.customer_id.is_none() && order.customer_email.is_none() {
        return Err(Error::CustomerRequired);
    }
    let product_id = line.product_id.as_deref().unwrap_or_default();
    let trial = has_trial
        && caller.kind != Kind::Publishable
        && !session_periods::had_trial(caller.tenant, product_id, order.customer_id, order.customer_email)?;
    if trial {
        line.unit_amount = Decimal::new(0, line.unit_amount.scale());
    }
    let subscription_id = ids::session_id(datum::now());
    Ok(Subscribing {
        subscription_id,
        text: subscription_id.to_string(),
        action: Action::Begin { trial },
        customer_id: None,
        customer_email: None,
    })
}

/// Stores what a new session does to a subscription. Its row among the open sessions is there: from now on no other session
/// renews the subscription. Whoever did until then is waited for, and the next period is read again.
pub fn store(tenant: Tenant, session: Uuid, subscription: Uuid, action: &Action) -> Result<()> {
    let action = match action {
        Action::Begin { .. } => *action,
        Action::Renew(_) => Action::Renew(next_period(tenant, subscription)?),
    };
    session_periods::store_period(tenant, session, subscription, &action)
}

/// As store, for a session that recovers another: meanwhile the period must not have been paid, nor the trial of the
/// product been used.
pub fn store_again(
    tenant: Tenant,
    session: Uuid,
    subscription: Uuid,
    action: &Action,
    product_id: &str,
    customer: (Option<&str>, Option<&str>),
) -> Result<()> {
    if matches!(action, Action::Begin { trial: true })
        && session_periods::had_trial(tenant, product_id, customer.0, customer.1)?
    {
        return Err(TRIAL_USED);
    }
    if let Some(period) = action.renewed()
        && next_period(tenant, subscription)?.follows != period.follows
    {
        return Err(Obstacle::AlreadyRenewed.error());
    }
    session_periods::store_period(tenant, session, subscription, action)
}

/// The next period of a subscription, which is locked and changed until the transaction ends.
fn next_period(tenant: Tenant, subscription: Uuid) -> Result<Period> {
    let gone = || unknown(&subscription.to_string());
    subscriptions::lock(tenant, subscription)?.ok_or_else(gone)?;
    let ToRenew { standing, period, .. } = session_periods::to_renew(tenant, subscription)?.ok_or_else(gone)?;
    if let Some(obstacle) = standing.obstacle(&period) {
        return Err(obstacle.error());
    }
    subscriptions::touch(tenant, subscription, datum::now())?;
    Ok(period)
}

/// What a locked session that is being completed does to a subscription. `renewed` is the one that it renews, locked. Returns
/// false if it begins a trial that the customer has used.
pub fn follow(
    tenant: Tenant,
    session: Uuid,
    subscription: Uuid,
    action: &Action,
    renewed: Option<&Subscription>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let settings = &store::settings::for_report(tenant)?.subscriptions;
    let next_event_at = match action {
        Action::Begin { .. } => subscriptions::begin(tenant, session, settings, now)?,
        Action::Renew(period) => Some(renew(tenant, session, subscription, period, renewed, now)?),
    };
    if let Some(at) = next_event_at {
        wake::wake_at_commit(at);
    }
    Ok(next_event_at.is_some())
}

fn renew(
    tenant: Tenant,
    session: Uuid,
    subscription: Uuid,
    period: &Period,
    renewed: Option<&Subscription>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    let settings = &store::settings::for_report(tenant)?.subscriptions;
    let has_lapsed = renewed.is_some_and(|renewed| renewed.has_lapsed(now));
    let renewed = subscriptions::renew(tenant, subscription, session, period, has_lapsed, settings, now)?;
    renewed.ok_or_else(|| Error::Internal("a subscription that is locked is gone".into()))
}
