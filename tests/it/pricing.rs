//! Prices keep their guard-rails, and follow demand only as far as it is known.

use proptest::prelude::*;
use shopkeeper::decide::price::{
    Bounds, CeilingRule, Decision, FloorRule, PriceNote, PricePolicy, decide_price, quote,
};
use shopkeeper::domain::time::DAY_MS;
use shopkeeper::domain::{Cents, Item, ItemFields, ItemId, PriceEntry, PriceReason, Timestamp};
use shopkeeper::learn::demand::{DemandOutlook, DemandParams, ItemDemand, Sale, outlook};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const HALF_HOUR_MS: i64 = 1_800_000;

fn on() -> PricePolicy {
    PricePolicy { enabled: true, ..PricePolicy::default() }
}

fn demand(ratio: f64) -> ItemDemand {
    ItemDemand { ratio, expected_units: 10.0, sold_units: 10.0 * ratio, certainty: 0.5 }
}

/// An item with a list price, cost, lowest and highest price.
fn item(
    list: i64,
    cost: Option<i64>,
    price_min: Option<i64>,
    price_max: Option<i64>,
    in_force: i64,
) -> Item {
    Item {
        item_id: ItemId::new("tea").unwrap(),
        fields: ItemFields {
            price: Some(Cents(list)),
            cost: cost.map(Cents),
            price_min: price_min.map(Cents),
            price_max: price_max.map(Cents),
            ..ItemFields::default()
        },
        price_in_force: Some(Cents(in_force)),
        first_seen_at: Timestamp(0),
        updated_at: Timestamp(0),
        removed: false,
        revision: 1,
    }
}

/// Prices and the days before now on which they came into force; the last one is open.
fn trail(prices: &[(i64, i64)]) -> Vec<PriceEntry> {
    let at = |days: i64| NOW.plus_ms(-days * DAY_MS);
    let ends = prices.iter().skip(1).map(|&(days, _)| Some(at(days))).chain([None]);
    let entry = |(&(days, price), to): (&(i64, i64), Option<Timestamp>)| PriceEntry {
        item: ItemId::new("tea").unwrap(),
        price: Cents(price),
        from: at(days),
        to,
        reason: PriceReason::Demand,
    };
    prices.iter().zip(ends).map(entry).collect()
}

fn kinds(notes: &[PriceNote]) -> Vec<&'static str> {
    notes.iter().map(PriceNote::kind).collect()
}

fn decide(item: &Item, ratio: f64) -> Decision {
    decide_price(item, &[], Some(demand(ratio)), NOW, &on())
}

prop_compose! {
    fn any_item()(
        list in 0_i64..200_000,
        cost in proptest::option::of(0_i64..200_000),
        price_min in proptest::option::of(0_i64..200_000),
        price_max in proptest::option::of(0_i64..200_000),
        in_force in 1_i64..200_000,
    ) -> Item {
        item(list, cost, price_min, price_max, in_force)
    }
}

prop_compose! {
    fn any_policy()(
        sensitivity in 0.0..2.0_f64,
        margin_floor in 0.0..1.0_f64,
        step_max in 0.0..=1.0_f64,
    ) -> PricePolicy {
        PricePolicy { enabled: true, sensitivity, margin_floor, step_max }
    }
}

/// From nothing sold to everything sold.
fn any_ratio() -> impl Strategy<Value = f64> {
    (-9.0..9.0_f64).prop_map(f64::exp2)
}

proptest! {
    #[test]
    fn a_price_never_leaves_its_bounds(item in any_item(), policy in any_policy(), ratio in any_ratio()) {
        let past = trail(&[(3, item.price_in_force.unwrap().0)]);
        let decision = decide_price(&item, &past, Some(demand(ratio)), NOW, &policy);
        let price = decision.price.unwrap();
        let fields = &item.fields;
        if let Some(bounds) = decision.bounds {
            prop_assert!(bounds.low <= price && price <= bounds.high);
            prop_assert!(fields.price_min.is_none_or(|min| price >= min));
            prop_assert!(fields.price_max.is_none_or(|max| price <= max));
            let least = |cost: Cents| cost.0 as f64 * (1.0 + policy.margin_floor);
            // The tolerance is far below a cent; it allows for rounding in the product.
            prop_assert!(fields.cost.is_none_or(|cost| price.0 as f64 >= least(cost) - 1e-6));
        } else if kinds(&decision.notes).contains(&"bounds_clash") {
            prop_assert_eq!(decision.price, item.price_in_force);
        } else {
            prop_assert!(kinds(&decision.notes).contains(&"no_guard_rails"));
            prop_assert_eq!(decision.price, fields.price);
        }
    }

    #[test]
    fn a_price_never_falls_when_demand_rises(
        item in any_item(), policy in any_policy(), low in any_ratio(), more in 1.0..9.0_f64,
    ) {
        let past = trail(&[(3, item.price_in_force.unwrap().0)]);
        let price = |ratio| decide_price(&item, &past, Some(demand(ratio)), NOW, &policy).price;
        prop_assert!(price(low) <= price(low * more));
    }

    #[test]
    fn a_price_never_goes_further_than_a_step_unless_to_reach_its_bounds(
        item in any_item(), policy in any_policy(), ratio in any_ratio(), today in 1_i64..200_000,
    ) {
        let a_day_ago = item.price_in_force.unwrap();
        let mut past = trail(&[(3, a_day_ago.0), (0, today)]);
        past[0].to = Some(NOW.plus_ms(-1_000));
        past[1].from = NOW.plus_ms(-1_000);
        let decision = decide_price(&item, &past, Some(demand(ratio)), NOW, &policy);
        if let Some(bounds) = decision.bounds.filter(|bounds| bounds.clamp(a_day_ago) == a_day_ago) {
            let moved = (decision.price.unwrap().0 - a_day_ago.0).abs() as f64;
            prop_assert!(moved <= a_day_ago.0 as f64 * policy.step_max + 1e-6, "{bounds:?}");
        }
    }

    #[test]
    fn while_pricing_is_off_the_price_is_the_list_price(
        item in any_item(), policy in any_policy(), ratio in any_ratio(),
    ) {
        let off = PricePolicy { enabled: false, ..policy };
        let decision = decide_price(&item, &trail(&[(3, 1)]), Some(demand(ratio)), NOW, &off);
        prop_assert_eq!(decision.price, item.fields.price);
        prop_assert!(kinds(&decision.notes).contains(&"pricing_disabled"));
        let back = item.price_in_force != item.fields.price;
        let reason = if back { PriceReason::BackToList } else { PriceReason::ListPrice };
        prop_assert_eq!(decision.reason, reason);
    }

    #[test]
    fn a_quote_holds_for_half_to_one_and_a_half_of_its_time(now in 0_i64..1 << 45, ttl_ms in 2_i64..1 << 35) {
        let quoted = quote(&item(500, None, None, None, 500), &[], Timestamp(now), ttl_ms, &on());
        let valid_ms = quoted.unwrap().valid_until.since_ms(Timestamp(now));
        prop_assert!(ttl_ms / 2 <= valid_ms && valid_ms <= ttl_ms + ttl_ms / 2);
    }

    #[test]
    fn an_outlook_is_finite_and_does_not_depend_on_the_order_of_sales(
        sales in proptest::collection::vec((0_u32..6, 0_i64..90, -3_i32..20), 0..200),
        seed in any::<u64>(),
    ) {
        let sale = |&(item, days, units): &(u32, i64, i32)| sale(item, days, f64::from(units));
        let mut sales: Vec<Sale> = sales.iter().map(sale).collect();
        let sorted = measure(&sales, &[Some(1), Some(1), Some(2), None, Some(2)]);
        let n_sales = sales.len().max(1);
        sales.rotate_left(seed as usize % n_sales);
        sales.reverse();
        prop_assert_eq!(&sorted, &measure(&sales, &[Some(1), Some(1), Some(2), None, Some(2)]));
        for demand in (0..5).filter_map(|item| sorted.of(item)) {
            prop_assert!(demand.ratio.is_finite() && demand.ratio > 0.0);
            prop_assert!((0.0..=1.0).contains(&demand.certainty));
            prop_assert!(demand.sold_units >= 0.0 && demand.expected_units >= 0.0);
        }
        prop_assert_eq!(sorted.of(5), None);
    }
}

#[test]
fn a_doubling_adds_what_a_halving_takes_off() {
    let tea = item(1_000, None, Some(500), Some(2_000), 1_000);
    let free = PricePolicy { step_max: 1.0, ..on() };
    let price = |ratio| decide_price(&tea, &[], Some(demand(ratio)), NOW, &free).price;
    assert_eq!(price(1.0), Some(Cents(1_000)));
    assert_eq!(price(2.0), Some(Cents(1_200)));
    assert_eq!(price(0.5), Some(Cents(800)));
    assert_eq!(price(100.0), Some(Cents(1_400)));
    assert_eq!(price(0.01), Some(Cents(600)));
}

#[test]
fn a_decision_says_which_rule_held_the_price() {
    let wide = item(1_000, None, Some(500), Some(2_000), 1_000);
    let stepped = decide(&wide, 4.0);
    assert_eq!(stepped.price, Some(Cents(1_100)));
    assert_eq!(stepped.notes, [PriceNote::DemandHigh, PriceNote::Step]);
    assert_eq!(stepped.reason, PriceReason::Demand);

    let narrow = item(1_000, Some(925), Some(500), Some(1_050), 1_000);
    let (high, low) = (decide(&narrow, 4.0), decide(&narrow, 0.25));
    assert_eq!(high.notes, [PriceNote::DemandHigh, PriceNote::Ceiling(CeilingRule::PriceMax)]);
    assert_eq!(low.notes, [PriceNote::DemandLow, PriceNote::Floor(FloorRule::Margin)]);
    // 925 with 5 % is 971.25, and a floor is rounded up.
    assert_eq!(low.bounds, Some(Bounds { low: Cents(972), high: Cents(1_050) }));

    let unknown = decide_price(&wide, &[], None, NOW, &on());
    assert_eq!(unknown.price, Some(Cents(1_000)));
    assert_eq!(unknown.notes, [PriceNote::DemandUnknown]);
}

#[test]
fn clashing_bounds_keep_the_price_and_are_named() {
    let clash = decide(&item(1_000, Some(1_900), Some(900), Some(1_500), 1_234), 2.0);
    assert_eq!(clash.price, Some(Cents(1_234)));
    assert_eq!(clash.notes, [PriceNote::BoundsClash(FloorRule::Margin)]);
    assert!(clash.notes[0].to_string().contains("cost"));
    assert_eq!(clash.bounds, None);
}

#[test]
fn with_one_side_only_the_careful_choice_stands_in_for_the_other() {
    let capped = item(1_000, None, None, Some(1_100), 1_000);
    let low = decide(&capped, 0.25);
    assert_eq!(low.price, Some(Cents(1_000)));
    assert_eq!(low.notes, [PriceNote::DemandLow, PriceNote::Floor(FloorRule::ListPrice)]);
    let free = PricePolicy { step_max: 1.0, ..on() };
    let floored = decide_price(
        &item(1_000, Some(500), None, None, 1_000),
        &[],
        Some(demand(4.0)),
        NOW,
        &free,
    );
    assert_eq!(floored.price, Some(Cents(1_200)));
    assert_eq!(floored.notes, [PriceNote::DemandHigh, PriceNote::Ceiling(CeilingRule::ListPrice)]);
    let bare = decide(&item(1_000, None, None, None, 900), 4.0);
    assert_eq!((bare.price, bare.reason), (Some(Cents(1_000)), PriceReason::BackToList));
    assert_eq!(kinds(&bare.notes), ["back_to_list", "no_guard_rails"]);
    let mut nameless = item(1, None, None, None, 1);
    nameless.fields.price = None;
    assert_eq!(decide(&nameless, 4.0).price, None);
}

#[test]
fn a_list_price_set_today_is_no_step() {
    let tea = item(1_500, Some(500), None, Some(2_000), 1_500);
    let mut past = trail(&[(9, 1_000), (0, 1_500)]);
    past[1].reason = PriceReason::ListPrice;
    let price = |past: &[PriceEntry]| decide_price(&tea, past, Some(demand(1.0)), NOW, &on()).price;
    assert_eq!(price(&past), Some(Cents(1_500)));
    past[1].reason = PriceReason::Demand;
    assert_eq!(price(&past), Some(Cents(1_100)));
}

#[test]
fn the_prior_price_is_the_lowest_of_the_30_days_before() {
    let lowest = |prices: &[(i64, i64)], now_price: i64| {
        let tea = item(100, None, None, None, now_price);
        quote(&tea, &trail(prices), NOW, HALF_HOUR_MS, &on())
            .unwrap()
            .lowest_30d
            .map(|price| price.0)
    };
    assert_eq!(lowest(&[(60, 100), (10, 80), (3, 100), (0, 70)], 70), Some(80));
    assert_eq!(lowest(&[(60, 100), (10, 80), (3, 100), (0, 80)], 80), Some(80));
    assert_eq!(lowest(&[(60, 100), (10, 80), (3, 100), (0, 85)], 85), Some(80));
    // What ended before the window does not count; what reached into it does.
    assert_eq!(lowest(&[(60, 50), (30, 100), (0, 70)], 70), Some(100));
    assert_eq!(lowest(&[(60, 50), (29, 100), (0, 70)], 70), Some(50));
    // The present price only counts alone, also if its reason was renewed.
    assert_eq!(lowest(&[(5, 70)], 70), Some(70));
    assert_eq!(lowest(&[(60, 100), (5, 70), (2, 70)], 70), Some(100));
    assert_eq!(lowest(&[], 70), None);
}

#[test]
fn the_same_state_gets_the_same_quote() {
    let tea = item(1_000, Some(500), None, Some(1_100), 1_100);
    let past = trail(&[(3, 1_100)]);
    let at = |now: i64, tea: &Item| quote(tea, &past, Timestamp(now), HALF_HOUR_MS, &on()).unwrap();
    let slot = 944_444 * HALF_HOUR_MS;
    let first = at(slot, &tea);
    assert_eq!(first, at(slot + HALF_HOUR_MS / 2, &tea));
    assert_eq!(first.valid_until, Timestamp(slot + HALF_HOUR_MS));
    assert_eq!(first.quote_id.len(), 32);
    assert_eq!(kinds(&first.reasons), ["demand_high", "ceiling"]);
    assert_eq!(first.bounds, Some(Bounds { low: Cents(525), high: Cents(1_100) }));
    let later = at(slot + HALF_HOUR_MS / 2 + 1, &tea);
    assert_eq!(later.valid_until, Timestamp(slot + 2 * HALF_HOUR_MS));
    assert_ne!(later.quote_id, first.quote_id);
    let cheaper = Item { price_in_force: Some(Cents(1_099)), ..tea.clone() };
    assert_ne!(at(slot, &cheaper).quote_id, first.quote_id);
    let free = Item { price_in_force: None, ..tea };
    assert_eq!(quote(&free, &past, NOW, HALF_HOUR_MS, &on()), None);
}

#[test]
fn a_quote_says_that_pricing_is_off_or_has_no_guard_rails() {
    let bare = item(1_000, None, None, None, 1_000);
    let mut past = trail(&[(3, 1_000)]);
    past[0].reason = PriceReason::ListPrice;
    let kinds_with = |policy| {
        let quoted = quote(&bare, &past, NOW, HALF_HOUR_MS, &policy).unwrap();
        kinds(&quoted.reasons)
    };
    assert_eq!(kinds_with(PricePolicy::default()), ["list_price", "pricing_disabled"]);
    assert_eq!(kinds_with(on()), ["list_price", "no_guard_rails"]);
}

#[test]
fn bounds_that_clash_tell_nothing_of_demand() {
    // It cost 900 and now costs more than anybody may ask.
    let tea = item(1_000, Some(2_000), None, Some(1_200), 900);
    let quoted = quote(&tea, &trail(&[(3, 900)]), NOW, HALF_HOUR_MS, &on()).unwrap();
    assert_eq!(kinds(&quoted.reasons), ["bounds_clash"]);
}

#[test]
fn a_price_that_a_bound_alone_explains_is_the_bounds() {
    let over = item(2_000, None, None, Some(1_200), 2_000);
    for demand in [None, Some(demand(1.5))] {
        let decision = decide_price(&over, &[], demand, NOW, &on());
        assert_eq!((decision.price, decision.reason), (Some(Cents(1_200)), PriceReason::GuardRail));
    }
}

fn sale(item: u32, days: i64, units: f64) -> Sale {
    // Noon, so that no sale lies on the edge of a window.
    Sale { item, at: NOW.plus_ms(-days * DAY_MS - DAY_MS / 2), units }
}

/// `n` sales of one unit, spread over the days before now from `from` down to `to`.
fn sales(item: u32, n: i64, from: i64, to: i64) -> impl Iterator<Item = Sale> {
    (0..n).map(move |at| sale(item, to + at * (from - to) / n, 1.0))
}

fn measure(sales: &[Sale], category_of: &[Option<u32>]) -> DemandOutlook {
    outlook(sales, category_of, NOW, &DemandParams::default()).unwrap()
}

#[test]
fn demand_is_the_posterior_mean_of_gamma_and_poisson() {
    // Both items are on sale since before the baseline of 56 days: 56 and 28 sales there, 14 and 3 in
    // the last 7 days. With a = 2 and the shop's rate m = 84/112 = 3/4, a/m = 8/3:
    //   rates     (2 + 56) / (8/3 + 56) = 87/88 and (2 + 28) / (8/3 + 56) = 45/88 a day;
    //   expected  7 · 87/88 = 609/88 and 7 · 45/88 = 315/88 sales.
    // The first item departs more, so with k = 20 the second alone gives the shop's level:
    //   level     (20 + 3) / (20 + 315/88) = 2024/2075;
    //   expected  609/88 · 2024/2075 = 14007/2075, and
    //   ratio     (20 + 14) / (20 + 14007/2075) = 70550/55507.
    let mut all = vec![sale(0, 80, 1.0), sale(1, 80, 1.0)];
    all.extend(sales(0, 56, 63, 7).chain(sales(0, 14, 7, 0)));
    all.extend(sales(1, 28, 63, 7).chain(sales(1, 3, 7, 0)));
    let measured = measure(&all, &[None, None, None]);
    let first = measured.of(0).unwrap();
    // 1e-12: a dozen operations of double precision.
    assert!((measured.shop_ratio() - 2_024.0 / 2_075.0).abs() < 1e-12);
    assert!((first.expected_units - 14_007.0 / 2_075.0).abs() < 1e-12);
    assert!((first.ratio - 70_550.0 / 55_507.0).abs() < 1e-12, "{first:?}");
    assert_eq!((first.sold_units, measured.of(2)), (14.0, None));
}

/// A shop of 20 items in two categories, each selling one a day.
fn steady_shop() -> (Vec<Sale>, Vec<Option<u32>>) {
    let sales = (0..20).flat_map(|item| sales(item, 80, 80, 0)).collect();
    (sales, (0..22).map(|item| Some(item % 2)).collect())
}

#[test]
fn few_sales_hardly_move_an_item_and_many_move_it_to_their_ratio() {
    let (mut all, categories) = steady_shop();
    all.push(sale(20, 2, 1.0));
    // Two hundred a day, and twice that in the last week.
    all.extend(sales(21, 12_600, 63, 0).chain(sales(21, 1_400, 7, 0)));
    let measured = measure(&all, &categories);
    let (once, often) = (measured.of(20).unwrap(), measured.of(21).unwrap());
    assert!((once.ratio - 1.0).abs() < 0.1, "{once:?}");
    // The shop's level, measured on some 130 sales, is off by 5 %.
    assert!((often.ratio - 2.0).abs() < 0.15, "{often:?}");
    assert!(once.certainty < 0.2 && often.certainty > 0.95);
    assert!((measured.of(0).unwrap().ratio - 1.0).abs() < 0.1);
}

#[test]
fn an_item_of_few_sales_follows_its_category() {
    let (mut all, categories) = steady_shop();
    all.extend((0..20).step_by(2).flat_map(|item| sales(item, 7, 7, 0)));
    all.extend([sale(20, 40, 1.0), sale(21, 40, 1.0)]);
    let measured = measure(&all, &categories);
    let (up, flat) = (measured.of(20).unwrap().ratio, measured.of(21).unwrap().ratio);
    assert!(up > 1.15 && flat < 0.9, "{up} {flat}");
}

#[test]
fn a_season_moves_the_shop_and_no_single_item() {
    let (mut all, categories) = steady_shop();
    all.extend((0..20).flat_map(|item| sales(item, 7, 7, 0)));
    let measured = measure(&all, &categories);
    assert!(measured.shop_ratio() > 1.8);
    for item in 0..20 {
        let ratio = measured.of(item).unwrap().ratio;
        // The level is drawn towards 1 by 20 sales as expected, against 133; the items see that rest.
        assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
    }
}

#[test]
fn nothing_is_expected_without_a_past() {
    assert_eq!(measure(&[], &[]), DemandOutlook::default());
    let measured = measure(&[sale(0, 1, 3.0), sale(0, 0, 3.0)], &[None]);
    assert_eq!((measured.of(0), measured.shop_ratio()), (None, 1.0));
    let wrong = DemandParams { prior_units: f64::NAN, ..DemandParams::default() };
    let error = outlook(&[], &[], NOW, &wrong).unwrap_err().to_string();
    assert!(error.starts_with("prior_units must be"), "{error}");
}
