//! Puts together what a session sells, and holds it.

use chrono::{DateTime, TimeDelta, Utc};
use rules::access::credential::Kind;
use rules::catalog::cart::Cart;
use rules::catalog::discount::{Coupon, Customers, Refusal};
use rules::catalog::line::{self, Asked, Line};
use rules::catalog::subscription::Action;
use rules::checkout::idempotency::RequestHash;
use rules::checkout::money::{self, Currency};
use rules::checkout::order::Order;
use rules::checkout::session::Session;
use rules::checkout::settings::Settings;
use rules::{Error, Result, validate};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::operations::subscribing;
use crate::store::catalog::{self, Priced};
use crate::store::holds::{self, Wait};
use crate::store::lines;
use crate::store::{session_periods, subscriptions};
use crate::tenant::{Caller, Tenant};
use crate::{backend, datum};

/// The cart of an order; `None` if it says only an amount.
pub fn of_order(caller: &Caller, settings: &Settings, order: &Order) -> Result<Option<Cart>> {
    let tenant = caller.tenant;
    let by_browser = caller.kind == Kind::Publishable;
    let names_amounts = || match by_browser && !settings.publishable_amounts {
        true => Err(Error::PriceRequired),
        false => Ok(()),
    };
    let currency = order.currency_code.map(|code| Currency::parse("currency_code", code)).transpose()?;
    let mut cart = if let Some(lines) = &order.lines {
        if order.product_id.is_some() || order.price_id.is_some() {
            return Err(Error::invalid("lines", "must not be given together with product_id or price_id"));
        }
        if settings.uses_catalog && order.subscription_id.is_some() {
            return Err(Error::invalid("lines", "must not be given together with subscription_id"));
        }
        if order.quantity.is_some_and(|quantity| quantity != 1) {
            return Err(Error::invalid("quantity", "must not be given together with lines, which have their own"));
        }
        let asked = Asked::parse(lines)?;
        if asked.iter().any(Asked::names_amount) {
            names_amounts()?;
        }
        of_lines(tenant, asked, currency)?
    } else if let Some(id) = order.subscription_id.filter(|_| settings.uses_catalog) {
        subscribing::renewal(caller, order, id, currency)?
    } else if settings.uses_catalog && (order.product_id.is_some() || order.price_id.is_some()) {
        of_price(caller, order, currency)?
    } else {
        names_amounts()?;
        // A code on an order without a catalog takes its part off the amount.
        if order.coupon_code.is_none() {
            return Ok(None);
        }
        let currency = currency.ok_or(Error::NullArgument { argument: "currency_code" })?;
        let amount = order.amount.ok_or(Error::NullArgument { argument: "amount" })?;
        let amount = money::check_amount("amount", amount, currency, false)?;
        plain(order.title.map(str::to_owned), amount, order.quantity.unwrap_or(1), currency)
    };
    if let (Some(amount), Some(_)) = (order.amount, &order.lines)
        && amount != cart.sums()?.amount
    {
        return Err(Error::invalid("amount", "differs from the sum of the lines"));
    }
    if let Some(code) = order.coupon_code {
        // Codes could be guessed: a session has a limit of tries, and failed creates leave none.
        if by_browser {
            return Err(Error::invalid("coupon_code", "must be applied with apply_coupon by a publishable API key"));
        }
        let (customer_id, customer_email) = cart.customer(order);
        let coupon = admitted(tenant, code, customer_id, customer_email, datum::now())?;
        match coupon.map(|coupon| cart.apply(coupon)).unwrap_or_else(|refusal| Ok(Err(refusal)))? {
            Ok(()) => {}
            Err(refusal) => return Err(Error::CouponRefused { reason: refusal.as_str() }),
        }
    }
    Ok(Some(cart))
}

/// The order with what its cart says: the amount, and what it left out.
pub fn priced<'o>(order: &Order<'o>, cart: &'o Cart) -> Result<Order<'o>> {
    let sold = match &cart.lines[..] {
        [line] if line.price_id.is_some() => Some(line),
        _ => None,
    };
    let subscribing = cart.subscribing.as_ref();
    let (customer_id, customer_email) = cart.customer(order);
    let of_line = |id: fn(&Line) -> &Option<String>| sold.and_then(|line| id(line).as_deref());
    Ok(Order {
        amount: Some(cart.sums()?.amount),
        currency_code: Some(cart.currency.code()),
        quantity: if order.lines.is_some() || sold.is_some() { Some(cart.quantity()) } else { order.quantity },
        title: order.title.or(of_line(|line| &line.title)),
        product_id: order.product_id.or(of_line(|line| &line.product_id)),
        price_id: order.price_id.or(of_line(|line| &line.price_id)),
        has_terms: true,
        subscription_id: subscribing.map_or(order.subscription_id, |it| Some(it.text.as_str())),
        customer_id,
        customer_email,
        ..order.clone()
    })
}

/// The cart of a session that says only an amount: its quantity at a unit's price. If that is no price, nobody knows what
/// another quantity costs, and it is one unit.
pub fn plain(title: Option<String>, amount: Decimal, quantity: i32, currency: Currency) -> Cart {
    let unit = amount.checked_div(Decimal::from(quantity)).unwrap_or_default().normalize();
    let is_price = (1..=line::MOST_UNITS).contains(&quantity)
        && unit.scale() <= currency.digits()
        && unit * Decimal::from(quantity) == amount;
    let line = Line {
        kind: line::Kind::Item,
        product_id: None,
        price_id: None,
        title,
        image_url: None,
        unit_amount: if is_price { money::with_digits(unit, currency) } else { amount },
        quantity: if is_price { quantity } else { 1 },
        minimum_quantity: 1,
        maximum_quantity: (!is_price).then_some(1),
        bounds: None,
        discount: Decimal::ZERO,
    };
    Cart::new(currency, vec![line])
}

/// What tells the order of a session from others: its cart before the buyer changed it, or else its price.
pub fn order_hash(cart: Option<&Cart>, amount: Decimal, currency_code: &str) -> Result<RequestHash> {
    match cart {
        Some(cart) => cart.order_hash(),
        None => plain(None, amount, 1, currency_code.parse()?).order_hash(),
    }
}

/// The hash of the order that a locked session was created with.
pub fn ordered(tenant: Tenant, session: Uuid, state: &Session) -> Result<RequestHash> {
    match lines::terms(tenant, session)?.filter(|_| state.has_terms) {
        Some(terms) => Ok(terms.order_hash),
        None => order_hash(None, state.amount, &state.currency_code),
    }
}

/// The coupon of a code, if the customer may have it now.
pub fn admitted(
    tenant: Tenant,
    code: &str,
    customer_id: Option<&str>,
    customer_email: Option<&str>,
    now: DateTime<Utc>,
) -> Result<std::result::Result<Coupon, Refusal>> {
    let code = code.trim().to_ascii_uppercase();
    let Some(coupon) = catalog::coupon(tenant, &code)? else { return Ok(Err(Refusal::NotFound)) };
    if let Err(refusal) = coupon.admits(now) {
        return Ok(Err(refusal));
    }
    if coupon.asks_for_customer() && customer_id.is_none() && customer_email.is_none() {
        return Ok(Err(Refusal::CustomerUnknown));
    }
    if coupon.customers != Customers::All {
        let has_bought = catalog::has_bought(tenant, customer_id, customer_email)?;
        match coupon.customers {
            Customers::New if has_bought => return Ok(Err(Refusal::NewCustomersOnly)),
            Customers::Returning if !has_bought => return Ok(Err(Refusal::ReturningCustomersOnly)),
            _ => {}
        }
    }
    Ok(Ok(coupon))
}

/// Who redeems a coupon: one customer may write an address in several ways.
pub fn customer(customer_id: Option<&str>, customer_email: Option<&str>) -> Option<String> {
    customer_id
        .map(|id| format!("id:{id}"))
        .or(customer_email.map(|email| format!("email:{}", validate::folded(email))))
}

/// One line, from a price or the default price of a product.
fn of_price(caller: &Caller, order: &Order, currency: Option<Currency>) -> Result<Cart> {
    for (argument, id) in [("product_id", order.product_id), ("price_id", order.price_id)] {
        id.map(|id| validate::identifier(argument, id)).transpose()?;
    }
    let Priced { mut line, currency: of_price, recurs, has_trial } =
        find(caller.tenant, order.product_id, order.price_id, currency)?;
    line.set_quantity(order.quantity.unwrap_or(line.minimum_quantity))?;
    let subscribing = if recurs { Some(subscribing::beginning(caller, order, &mut line, has_trial)?) } else { None };
    if let Some(amount) = order.amount {
        let amount = money::check_sum("amount", amount, of_price, false)?;
        let units = Decimal::from(line.quantity);
        if line.bounds.is_some() {
            let unit = amount.checked_div(units).unwrap_or_default();
            if unit.normalize().scale() > of_price.digits() {
                return Err(Error::invalid("amount", "cannot be divided by the quantity"));
            }
            line.set_unit_amount("amount", unit, of_price)?;
        } else if amount != line.subtotal()? {
            return Err(Error::invalid("amount", "differs from the price times the quantity"));
        }
    }
    Ok(Cart { subscribing, ..Cart::new(of_price, vec![line]) })
}

/// A price that is sold, by its id or as the default of its product.
fn find(
    tenant: Tenant,
    product_id: Option<&str>,
    price_id: Option<&str>,
    currency: Option<Currency>,
) -> Result<Priced> {
    let priced = match (product_id, price_id) {
        (product_id, Some(price_id)) => {
            let priced = catalog::price(tenant, price_id)?
                .ok_or_else(|| Error::NotInCatalog { what: "price", id: price_id.to_owned() })?;
            if product_id.is_some() && priced.line.product_id.as_deref() != product_id {
                return Err(Error::invalid("price_id", "is a price of another product"));
            }
            priced
        }
        (Some(product_id), None) => {
            let mut priced = catalog::default_prices(tenant, product_id, currency)?;
            match (priced.pop(), priced.is_empty()) {
                (Some(priced), true) => priced,
                (Some(_), false) => return Err(Error::NullArgument { argument: "currency_code" }),
                (None, _) => {
                    return Err(match catalog::product_is_active(tenant, product_id)? {
                        None => Error::NotInCatalog { what: "product", id: product_id.to_owned() },
                        Some(false) => Error::NotSold { what: "product", id: product_id.to_owned() },
                        Some(true) => Error::invalid("product_id", "has no default price in this currency"),
                    });
                }
            }
        }
        (None, None) => return Err(Error::NullArgument { argument: "price_id" }),
    };
    match currency {
        Some(currency) if currency != priced.currency => Err(Error::invalid(
            "currency_code",
            format!("differs from the price's, which is {}", priced.currency.code()),
        )),
        _ => Ok(priced),
    }
}

fn of_lines(tenant: Tenant, asked: Vec<Asked>, currency: Option<Currency>) -> Result<Cart> {
    let mut currency = currency;
    let mut lines = Vec::with_capacity(asked.len());
    // Those of the catalog say the currency of the others.
    for (at, line) in asked.iter().enumerate().filter(|(_, line)| !line.names_amount()) {
        let of_line = |error| of_line(at, error);
        let Priced { line: mut sold, currency: of_price, recurs, .. } =
            find(tenant, line.product_id.as_deref(), line.price_id.as_deref(), currency).map_err(of_line)?;
        if recurs {
            return Err(of_line(Error::invalid("price_id", "recurs, and is sold alone: without lines")));
        }
        currency = Some(of_price);
        sold.set_quantity(line.quantity).map_err(of_line)?;
        if let Some(amount) = line.amount {
            sold.set_unit_amount("amount", amount, of_price).map_err(of_line)?;
        }
        if line.title.is_some() {
            sold.title = line.title.clone();
        }
        lines.push((at, sold));
    }
    let currency = currency.ok_or(Error::NullArgument { argument: "currency_code" })?;
    for (at, line) in asked.into_iter().enumerate() {
        if line.names_amount() {
            lines.push((at, line.line(currency).map_err(|error| of_line(at, error))?));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    Ok(Cart::new(currency, lines.into_iter().map(|(_, line)| line).collect()))
}

/// The fault of a line, which says which line it is.
fn of_line(at: usize, error: Error) -> Error {
    match error {
        Error::InvalidArgument { argument, fault } | Error::OutOfRange { argument, fault } => {
            Error::invalid("lines", format!("line {}: {argument} {fault}", at + 1))
        }
        error => error,
    }
}

/// What a session could not hold.
pub enum Missing {
    Coupon(Refusal),
    Units(Error),
}

/// Holds what a session sells until its deadline, and returns the number of its holds. The rows of coupons and products
/// are locked in one order.
pub fn hold(
    tenant: Tenant,
    session: Uuid,
    cart: &Cart,
    customer: Option<&str>,
    deadline: DateTime<Utc>,
    wait: Wait,
) -> Result<std::result::Result<i32, Missing>> {
    let mut held = 0;
    if let Some(coupon) = &cart.coupon {
        if let Err(refusal) = holds::reserve_redemption(tenant, session, coupon, customer, deadline, wait)? {
            return Ok(Err(Missing::Coupon(refusal)));
        }
        held += 1;
    }
    let units = cart.units();
    for (product_id, quantity) in units {
        match holds::reserve_units(tenant, session, product_id, quantity, deadline, wait) {
            Ok(tracked) => held += i32::from(tracked),
            Err(error @ Error::SoldOut { .. }) => return Ok(Err(Missing::Units(error))),
            Err(error) => return Err(error),
        }
    }
    Ok(Ok(held))
}

/// As hold, for a caller to whom what is missing is an error.
pub fn hold_all(
    tenant: Tenant,
    session: Uuid,
    cart: &Cart,
    customer: Option<&str>,
    deadline: DateTime<Utc>,
    wait: Wait,
) -> Result<i32> {
    waiting(|| hold(tenant, session, cart, customer, deadline, wait))?.map_err(|missing| match missing {
        Missing::Coupon(refusal) => Error::CouponRefused { reason: refusal.as_str() },
        Missing::Units(error) => error,
    })
}

/// The cart of a locked session that has terms, with its coupon.
pub fn of_session(tenant: Tenant, session: Uuid, currency_code: &str, coupon_code: Option<&str>) -> Result<Cart> {
    let currency: Currency = currency_code.parse()?;
    let mut cart = Cart::new(currency, lines::read(tenant, session, currency)?);
    if let Some(code) = coupon_code {
        cart.coupon = catalog::coupon(tenant, code)?;
    }
    Ok(cart)
}

/// Copies what an expired session sold to the session that recovered it, at the same prices, and holds it again.
pub fn sell_again(
    tenant: Tenant,
    expired: Uuid,
    session: Uuid,
    currency_code: &str,
    deadline: DateTime<Utc>,
) -> Result<()> {
    let terms = lines::terms(tenant, expired)?.unwrap_or_default();
    let cart = of_session(tenant, expired, currency_code, terms.coupon_code.as_deref())?;
    let ordered = lines::ordered(tenant, expired)?;
    let hold_count = match ordered.by_browser {
        true => None,
        false => {
            let customer = customer(ordered.customer_id.as_deref(), ordered.customer_email.as_deref());
            Some(hold_all(tenant, session, &cart, customer.as_deref(), deadline, Wait::ForOthers)?)
        }
    };
    lines::store(tenant, session, &cart, &cart.sums()?, hold_count, &terms.order_hash)?;
    match terms.subscribing {
        Some((id, action)) => {
            let product_id = cart.lines.first().and_then(|line| line.product_id.as_deref()).unwrap_or_default();
            let customer = (ordered.customer_id.as_deref(), ordered.customer_email.as_deref());
            subscribing::store_again(tenant, session, id, &action, product_id, customer)
        }
        None => Ok(()),
    }
}

/// The subscription that an expired session would have renewed, if it can still be.
pub fn to_renew_again(tenant: Tenant, expired: Uuid) -> Result<Option<Uuid>> {
    let terms = lines::terms(tenant, expired)?;
    let Some((id, Action::Renew(period))) = terms.and_then(|terms| terms.subscribing) else { return Ok(None) };
    let standing =
        session_periods::to_renew(tenant, id)?.ok_or_else(|| subscriptions::unknown(&id.to_string()))?.standing;
    standing.obstacle(&period).map_or(Ok(Some(id)), |obstacle| Err(obstacle.error()))
}

/// Waits no longer than a second for what others hold.
pub fn waiting<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    backend::with_lock_timeout(BUYERS_WAIT, work)
}

/// How long a buyer waits for other buyers of the same thing.
const BUYERS_WAIT: TimeDelta = TimeDelta::seconds(1);

/// The reason of a refusal, as a caller may know it.
pub fn reason(refusal: Refusal, by_buyer: bool) -> &'static str {
    if by_buyer { Refusal::FOR_BUYERS } else { refusal.as_str() }
}
