use proptest::prelude::*;

use super::super::cart::Cart;
use super::*;

fn currency(code: &str) -> Currency {
    code.parse().expect("known")
}

/// A line of an item whose unit costs this many of the smallest units.
fn item(units: i64, quantity: i32, currency: Currency, product_id: &str) -> Line {
    Line {
        kind: Kind::Item,
        product_id: Some(product_id.into()),
        price_id: None,
        title: None,
        image_url: None,
        unit_amount: Decimal::new(units, currency.digits()),
        quantity,
        minimum_quantity: 1,
        maximum_quantity: None,
        bounds: None,
        discount: Decimal::ZERO,
    }
}

fn coupon(value: Value) -> Coupon {
    Coupon {
        code: "SUMMER".into(),
        value,
        currency_code: None,
        valid_from: None,
        valid_until: None,
        max_redemptions: None,
        max_redemptions_per_customer: None,
        minimum_amount: None,
        product_ids: None,
        customers: Customers::All,
        active: true,
    }
}

fn percent(percent: i64) -> Coupon {
    coupon(Value::Percent(percent.into()))
}

fn refusal(coupon: Coupon, lines: &[Line], code: &str) -> Option<Refusal> {
    coupon.discounts(lines, currency(code)).expect("not too large").err()
}

#[test]
fn a_percentage_is_rounded_once_and_half_away_from_zero() {
    let usd = currency("USD");
    let lines = [item(5, 1, usd, "a"), item(5, 1, usd, "b"), item(5, 1, usd, "c")];
    // 10 % of 0.15 is 0.015: one cent for each line would be too much.
    let discounts = percent(10).discounts(&lines, usd).expect("small").expect("applies");
    assert_eq!(discounts.iter().sum::<Decimal>(), Decimal::new(2, 2));
    assert_eq!(discounts, [1, 1, 0].map(|cents| Decimal::new(cents, 2)), "ties go to earlier lines");
}

/// Case 27: 100 % leaves exactly nothing.
#[test]
fn a_hundred_percent_leaves_nothing() {
    let jpy = currency("JPY");
    let mut cart = Cart::new(jpy, vec![item(333, 3, jpy, "a"), item(1, 1, jpy, "b")]);
    cart.apply(percent(100)).expect("small").expect("applies");
    assert_eq!(cart.sums().expect("small").amount, Decimal::ZERO);
}

#[test]
fn an_amount_below_the_smallest_unit_is_discounted_to_nothing_as_well() {
    let usd = currency("USD");
    let line = Line { unit_amount: Decimal::new(12_345, 4), ..item(0, 1, usd, "a") };
    let mut cart = Cart::new(usd, vec![line, item(100, 1, usd, "b")]);
    cart.apply(percent(100)).expect("small").expect("applies");
    assert_eq!(cart.sums().expect("small").amount, Decimal::ZERO);
    cart.apply(percent(50)).expect("small").expect("applies");
    let sums = cart.sums().expect("small");
    assert_eq!((sums.subtotal, sums.discount), (Decimal::new(22_345, 4), Decimal::new(112, 2)));
}

#[test]
fn sums_that_are_too_large_are_refused_before_they_are_multiplied() {
    let clf = currency("CLF");
    let lines = vec![item(9_000_000_000_000_000_000, 1, clf, "a"); 100];
    assert!(Cart::new(clf, lines).apply(percent(10)).is_err());
}

/// Case 29: a currency without decimals keeps whole units.
#[test]
fn yen_stay_yen() {
    let jpy = currency("JPY");
    let mut cart = Cart::new(jpy, vec![item(500, 1, jpy, "a")]);
    cart.apply(percent(45)).expect("small").expect("applies");
    assert_eq!(cart.sums().expect("small").amount, Decimal::from(275));
}

#[test]
fn a_fixed_amount_is_taken_once_and_never_more_than_there_is() {
    let usd = currency("USD");
    let lines = [item(1_000, 3, usd, "a")];
    let off = |cents| coupon(Value::Amount(Decimal::new(cents, 2))).discounts(&lines, usd).expect("small");
    assert_eq!(off(500), Ok(vec![Decimal::new(500, 2)]), "not for each unit");
    assert_eq!(off(10_000), Ok(vec![Decimal::new(3_000, 2)]));
}

#[test]
fn each_refusal_has_its_reason() {
    let usd = currency("USD");
    let lines = [item(1_000, 1, usd, "tea")];
    let euro = Coupon { currency_code: Some("EUR".into()), ..percent(10) };
    assert_eq!(refusal(euro, &lines, "USD"), Some(Refusal::OtherCurrency));
    let coffee = Coupon { product_ids: Some(vec!["coffee".into()]), ..percent(10) };
    assert_eq!(refusal(coffee, &lines, "USD"), Some(Refusal::NoProduct));
    let large = Coupon { minimum_amount: Some(Decimal::new(1_001, 2)), ..percent(10) };
    assert_eq!(refusal(large, &lines, "USD"), Some(Refusal::BelowMinimum));
    // Case 25: a percentage of next to nothing.
    assert_eq!(refusal(percent(1), &[item(1, 1, usd, "tea")], "USD"), Some(Refusal::NoEffect));
    assert_eq!(refusal(percent(10), &[item(0, 1, usd, "tea")], "USD"), Some(Refusal::NoEffect));
}

/// Case 22: the end is exclusive.
#[test]
fn a_coupon_is_valid_from_a_time_until_another() {
    let now = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
    let of = |valid_from, valid_until| Coupon { valid_from, valid_until, ..percent(10) }.admits(now);
    let second = chrono::TimeDelta::seconds(1);
    assert_eq!(of(Some(now), Some(now + second)), Ok(()));
    assert_eq!(of(Some(now + second), None), Err(Refusal::NotStarted));
    assert_eq!(of(None, Some(now)), Err(Refusal::Ended));
    assert_eq!(Coupon { active: false, ..percent(10) }.admits(now), Err(Refusal::Inactive));
}

/// Case 19: a coupon with a minimum goes when less is left.
#[test]
fn a_coupon_goes_with_its_minimum() {
    let usd = currency("USD");
    let mut cart = Cart::new(usd, vec![item(1_000, 2, usd, "tea")]);
    let minimum = Coupon { minimum_amount: Some(Decimal::from(20)), ..percent(10) };
    cart.apply(minimum).expect("small").expect("applies");
    assert_eq!(cart.sums().expect("small").amount, Decimal::from(18));
    cart.lines[0].set_quantity(1).expect("allowed");
    assert_eq!(cart.keep_coupon(), Ok(false));
    let sums = cart.sums().expect("small");
    assert_eq!((sums.amount, sums.discount), (Decimal::from(10), Decimal::ZERO));
}

/// One currency for each exponent of ISO 4217.
const EXPONENTS: [&str; 4] = ["JPY", "USD", "KWD", "CLF"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    /// Cases 26 and 28: whatever is in a cart, its lines sum up to the total, and nothing is below zero.
    #[test]
    fn sums_add_up(
        exponent in 0..EXPONENTS.len(),
        goods in prop::collection::vec((0..10_000_000_i64, 1..1_000_i32, 0..3_u8), 1..12),
        extra in prop::collection::vec((0..100_000_i64, 0..3_u8), 0..4),
        (percentage, off, of_product) in (1..=1_000_000_i64, 1..1_000_000_000_i64, prop::option::of(0..3_u8)),
        is_percentage in any::<bool>(),
    ) {
        let currency = currency(EXPONENTS[exponent]);
        let mut lines: Vec<Line> =
            goods.iter().map(|(units, quantity, product)| item(*units, *quantity, currency, &product.to_string())).collect();
        for (units, kind) in extra {
            let kind = [Kind::Shipping, Kind::Tax, Kind::Fee][usize::from(kind)];
            lines.push(Line { kind, product_id: None, ..item(units, 1, currency, "") });
        }
        let mut cart = Cart::new(currency, lines);
        let before = cart.sums().expect("small");
        let value = match is_percentage {
            true => Value::Percent(Decimal::new(percentage, 4)),
            false => Value::Amount(Decimal::new(off, currency.digits())),
        };
        let product_ids = of_product.map(|product| vec![product.to_string()]);
        let eligible: Decimal = cart.lines.iter()
            .filter(|line| line.kind == Kind::Item)
            .filter(|line| product_ids.as_ref().is_none_or(|ids| ids.contains(line.product_id.as_ref().expect("item"))))
            .map(|line| line.subtotal().expect("small")).sum();
        let applied = cart.apply(Coupon { product_ids, ..coupon(value) }).expect("small");
        let sums = cart.sums().expect("small");
        if applied.is_err() {
            prop_assert_eq!(sums, before);
            return Ok(());
        }
        prop_assert!(sums.discount > Decimal::ZERO && sums.discount <= eligible);
        if let Value::Percent(percent) = value {
            let exact = eligible * percent / Decimal::ONE_HUNDRED;
            prop_assert!((sums.discount - exact).abs() <= Decimal::new(5, currency.digits() + 1));
        }
        let mut total = Decimal::ZERO;
        for line in &cart.lines {
            prop_assert!(line.discount >= Decimal::ZERO && line.discount <= line.subtotal().expect("small"));
            prop_assert!(line.discount.scale() <= currency.digits());
            total += line.subtotal().expect("small") - line.discount;
        }
        prop_assert_eq!(total, sums.amount);
        prop_assert_eq!(sums.subtotal - sums.discount + sums.shipping + sums.tax + sums.fees, sums.amount);
        // Removed, the cart is as before.
        cart.remove_coupon();
        prop_assert_eq!(cart.sums().expect("small"), before);
    }
}
