//! Quotes keep their word, runs their rules, and a price never leaves its bounds.

use proptest::prelude::*;
use shopkeeper::{
    decide::price::{
        Bounds, Facts, Knowledge, PriceNote, PricePolicies, PricePolicy, PriceTerms, Scope,
        TermsChange, case_of,
        choice::{Case, choose, choose_without_curve},
        decide_all,
        guard::GuardRails,
        kept, quote,
        quote::{Verdict, verify},
    },
    domain::{
        Cents, Currency, Item, ItemFields, ItemId, PriceEntry, PriceReason, Timestamp, time::DAY_MS,
    },
    learn::demand::response::{DemandBelief, Evidence, Grade, Symmetric3},
};
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const HALF_HOUR_MS: i64 = 1_800_000;

fn on() -> PricePolicy {
    PricePolicy { enabled: true, ..PricePolicy::default() }
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
        back_on_sale_at: None,
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
    assert_eq!(kinds(&first.reasons), ["demand", "ceiling"]);
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

fn euro() -> Currency {
    "EUR".parse().unwrap()
}

/// Demand of 40 units a week at 10.00 that falls with the `elasticity`-th power of the price.
fn demand(elasticity: f64, sd: f64) -> DemandBelief {
    DemandBelief {
        coefficients: [40.0_f64.ln(), elasticity, 0.15],
        covariance: Symmetric3([0.01, 0.0, sd * sd, 0.0, 0.0, 0.01]),
        bounds: [[-8.0, -0.2], [0.0, 2.0]],
        reference_price: 1_000.0,
        reference_competitor: None,
        overdispersion: 1.0,
        overdispersion_squared: 0.0,
        evidence: Some(Evidence {
            price_min: 800.0,
            price_max: 1_300.0,
            n_price_points: 5,
            price_sd: 0.1,
            price_sd_beyond_promotion: 0.1,
            units: 400.0,
            n_periods: 12,
            exposed_periods: 12.0,
            n_randomised: 0,
            n_with_competitor: 0,
            prior_share: 0.2,
            grade: Grade::A,
        }),
    }
}

fn case(item: &Item, trail: &[PriceEntry], demand: DemandBelief, policy: &PricePolicy) -> Case {
    let knowledge = Knowledge { demand: Some(demand), ..Knowledge::default() };
    case_of((item, trail), knowledge, NOW, (policy, euro()))
}

prop_compose! {
    fn any_item()(
        list in 1_i64..200_000,
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
        margin_floor in 0.0..1.0_f64,
        step_max in 0.0..=1.0_f64,
        more in 0.0..1.0_f64,
        with_endings in any::<bool>(),
    ) -> PricePolicy {
        let mut policy = on();
        policy.choice.margin_floor = margin_floor;
        policy.choice.step_max = step_max;
        policy.choice.step_30d_max = step_max + more;
        policy.choice.endings = if with_endings { vec![99, 49] } else { vec![] };
        policy
    }
}

proptest! {
    #[test]
    fn a_price_never_leaves_its_bounds(
        item in any_item(), policy in any_policy(), elasticity in -6.0..-0.3_f64, sd in 0.0..1.0_f64,
    ) {
        let past = trail(&[(40, item.price_in_force.unwrap().0)]);
        let choice = choose(&case(&item, &past, demand(elasticity, sd), &policy));
        let (price, fields) = (choice.price.unwrap(), &item.fields);
        if let Ok(guard) = GuardRails::of(fields, &policy) {
            prop_assert_eq!(guard.bounds.clamp(price), price, "{:?}", choice.notes);
        } else {
            // Between bounds that contradict each other the price stays.
            prop_assert_eq!(Some(price), item.price_in_force);
        }
    }

    #[test]
    fn a_price_goes_no_further_than_a_step_unless_to_reach_its_bounds_or_the_next_ending(
        item in any_item(), policy in any_policy(), elasticity in -6.0..-0.3_f64,
    ) {
        let before = item.price_in_force.unwrap();
        let choice = choose(&case(&item, &trail(&[(40, before.0)]), demand(elasticity, 0.3), &policy));
        let guard = GuardRails::of(&item.fields, &policy);
        if guard.is_ok_and(|guard| guard.bounds.clamp(before) == before) {
            let moved = (choice.price.unwrap().0 - before.0).abs() as f64;
            let widened = if policy.choice.endings.is_empty() { 1.0 } else { 2.0 };
            prop_assert!(moved <= before.0 as f64 * policy.choice.step_max * widened + 1e-6);
        }
    }

    #[test]
    fn a_kept_case_is_decided_again_to_the_same_price(
        item in any_item(), policy in any_policy(), elasticity in -6.0..-0.3_f64,
    ) {
        let case = case(&item, &trail(&[(40, 500)]), demand(elasticity, 0.4), &policy);
        let kept = kept::encode(&case);
        let again = kept::decode(&kept).unwrap();
        prop_assert_eq!(&again, &case);
        prop_assert_eq!(choose_without_curve(&again).price, choose(&case).price);
        prop_assert_eq!(kept::replay_hash(&kept), kept::replay_hash(&kept::encode(&again)));
        // As it was kept before anybody could say that an item is promoted.
        let old = [&[1], &kept[1..kept.len() - 1]].concat();
        prop_assert_eq!(kept::decode(&old).unwrap(), case);
    }

    #[test]
    fn a_quote_holds_for_half_to_one_and_a_half_of_its_time(now in 0_i64..1 << 45, ttl_ms in 2_i64..1 << 35) {
        let quoted = quote(&item(500, None, None, None, 500), &[], Timestamp(now), ttl_ms, &on());
        let valid_ms = quoted.unwrap().valid_until.since_ms(Timestamp(now));
        prop_assert!(ttl_ms / 2 <= valid_ms && valid_ms <= ttl_ms + ttl_ms / 2);
    }

    #[test]
    fn a_quote_verifies_if_and_only_if_it_is_unchanged_and_not_expired(
        price in 1_i64..10_000, later_ms in 0_i64..2 * HALF_HOUR_MS, moved in 0_i64..3, shifted in 0_i64..2,
    ) {
        let tea = item(1_000, None, None, None, price);
        let past = trail(&[(3, price)]);
        let told = quote(&tea, &past, NOW, HALF_HOUR_MS, &on()).unwrap();
        let now = NOW.plus_ms(later_ms);
        // It moves right after the quote was made.
        let after = [
            PriceEntry { to: Some(NOW.plus_ms(1)), ..past[0].clone() },
            PriceEntry { price: Cents(price + 5), from: NOW.plus_ms(1), ..past[0].clone() },
        ];
        let id = ItemId::new("tea").unwrap();
        let said = (Cents(price + moved), told.valid_until.plus_ms(shifted));
        let verdict = verify((&told.quote_id, &id), said, &after, (now, HALF_HOUR_MS));
        let is_same = moved == 0 && shifted == 0;
        prop_assert_eq!(verdict == Verdict::Valid, is_same && now < told.valid_until);
    }
}

#[test]
fn a_quote_that_was_never_made_does_not_verify_however_well_it_is_made_up() {
    let tea = item(1_000, None, None, None, 500);
    // Somebody knows how ids are made, and makes one for half the price.
    let cheap =
        quote(&Item { price_in_force: Some(Cents(250)), ..tea }, &[], NOW, HALF_HOUR_MS, &on());
    let cheap = cheap.unwrap();
    let id = ItemId::new("tea").unwrap();
    let said = (cheap.price, cheap.valid_until);
    let verdict = verify((&cheap.quote_id, &id), said, &trail(&[(3, 500)]), (NOW, HALF_HOUR_MS));
    assert_eq!(verdict, Verdict::NeverOffered);
    // Nor does the price in force with a longer time, at which no quote ends.
    let tea = item(1_000, None, None, None, 500);
    let longer = quote(&tea, &[], NOW, HALF_HOUR_MS + 7_000, &on()).unwrap();
    let until = (longer.price, longer.valid_until);
    let verdict = verify((&longer.quote_id, &id), until, &trail(&[(3, 500)]), (NOW, HALF_HOUR_MS));
    assert_eq!(verdict, Verdict::NeverOffered);
    // Nor does a price of yesterday with a time of today.
    let past = trail(&[(9, 250), (1, 500)]);
    assert_eq!(
        verify((&cheap.quote_id, &id), said, &past, (NOW, HALF_HOUR_MS)),
        Verdict::NeverOffered
    );
}

fn decided(items: &[Item], policy: &PricePolicy) -> Vec<(String, i64, &'static str)> {
    decided_by(items, &PricePolicies::from(policy.clone()))
}

fn decided_by(items: &[Item], policies: &PricePolicies) -> Vec<(String, i64, &'static str)> {
    let priced: Vec<_> = items
        .iter()
        .map(|item| {
            let entry = PriceEntry {
                item: item.item_id.clone(),
                ..trail(&[(40, item.price_in_force.unwrap().0)])[0].clone()
            };
            (Arc::new(item.clone()), Arc::from([entry]))
        })
        .collect();
    let facts = Facts {
        items: &priced,
        knowledge: &|_| Knowledge { demand: Some(demand(-3.0, 0.1)), ..Knowledge::default() },
        cost_before: &|_| None,
        now: NOW,
        policies,
        currency: euro(),
    };
    let book = decide_all(&facts);
    assert_eq!(book, decide_all(&facts), "the same facts give the same book");
    assert_eq!(book.considered, items.len());
    book.decided
        .iter()
        .map(|decided| (decided.case.item.to_string(), decided.price.0, decided.reason.name()))
        .collect()
}

fn named(id: &str, list: i64, group: Option<&str>, attributes: serde_json::Value) -> Item {
    let mut item = item(list, Some(600), Some(500), Some(3_000), list);
    item.item_id = ItemId::new(id).unwrap();
    item.fields.group = group.map(str::to_owned);
    item.fields.attributes.clone_from(attributes.as_object().unwrap());
    item
}

#[test]
fn variants_of_a_group_cost_the_same_and_a_bigger_pack_no_more_by_the_unit() {
    let none = serde_json::json!({});
    let pack = |size: i64| serde_json::json!({ "pack_size": size });
    let mut items = vec![
        named("red", 1_200, Some("shirt"), none.clone()),
        named("blue", 1_200, Some("shirt"), none.clone()),
        named("one", 1_200, Some("tea"), pack(1)),
        named("two", 2_300, Some("tea"), pack(2)),
    ];
    items[3].fields.cost = Some(Cents(1_300));
    let moved = decided(&items, &on());
    let price = |id: &str| moved.iter().find(|decided| decided.0 == id).map(|decided| decided.1);
    assert_eq!(price("red"), Some(1_080));
    assert_eq!(price("blue"), price("red"));
    let (one, two) = (price("one").unwrap(), price("two").unwrap());
    assert!(two <= 2 * one && two >= one, "{one} {two}");
}

#[test]
fn variants_of_a_price_that_may_not_move_stay_with_it() {
    let variants = ["blue", "red"].map(|id| named(id, 1_200, Some("shirt"), serde_json::json!({})));
    assert_eq!(decided(&variants, &on()).len(), 2);
    let terms =
        PriceTerms { enabled: true, step_max: 0.1, step_30d_max: 0.3, ..PriceTerms::default() };
    for id in ["blue", "red"] {
        let off = TermsChange { enabled: Some(false), ..TermsChange::default() };
        let scope = format!("item:{id}").parse::<Scope>().unwrap();
        let policies = PricePolicies::new((on(), terms.clone()), [(scope, off)]);
        assert_eq!(decided_by(&variants, &policies), [], "{id} stays, and so does the other");
    }
}

#[test]
fn frozen_and_contracted_prices_and_switched_off_pricing_are_kept_to() {
    let frozen = named("f", 1_200, None, serde_json::json!({ "price_frozen": true }));
    let minimum = named("m", 1_200, None, serde_json::json!({ "price_advertised_min": "11.50" }));
    let allowed = PricePolicy { keeps_advertised_min: true, ..on() };
    let moved = decided(&[frozen.clone(), minimum.clone()], &allowed);
    assert_eq!(moved, [("m".to_owned(), 1_150, "demand")]);
    // Where the law does not let a contract keep prices up, it does not.
    assert_eq!(decided(&[minimum], &on()), [("m".to_owned(), 1_080, "demand")]);
    let mut away = frozen;
    away.price_in_force = Some(Cents(1_000));
    let off = PricePolicy::default();
    assert_eq!(decided(&[away], &off), [("f".to_owned(), 1_200, "back_to_list")]);
}
