use super::*;
use crate::{
    domain::{
        Cents, Condition,
        time::{DAY_MS, HOUR_MS},
    },
    learn::demand::response::weeks::{History, Periods, PriceSpell, build},
};
use proptest::prelude::*;

fn hour(n: i64) -> Timestamp {
    Timestamp(1_700_000_000_000 + n * HOUR_MS)
}

fn seen(competitor: &str, price: i64, at: i64) -> CompetitorOffer {
    CompetitorOffer {
        competitor: competitor.to_owned(),
        price: Cents(price),
        shipping: None,
        in_stock: None,
        condition: Condition::New,
        match_confidence: None,
        observed_at: hour(at),
    }
}

fn own(_: Timestamp) -> OwnFacts {
    OwnFacts { price: Some(Cents(1_000)), ..OwnFacts::default() }
}

fn steps(offers: &[CompetitorOffer]) -> Vec<(Timestamp, Option<Timestamp>, f64)> {
    let spells = spells(7, offers, own, &TrustPolicy::default());
    assert!(spells.iter().all(|spell| spell.item == 7));
    spells.into_iter().map(|spell| (spell.from, spell.to, spell.price)).collect()
}

#[test]
fn the_index_steps_with_each_offer_and_ends_when_the_last_is_stale() {
    let stale = |at: i64| hour(at + 168).plus_ms(1);
    let offers = [
        seen("a", 1_000, 0),
        seen("b", 900, 24),
        // Seen again at the same price: the spell goes on.
        seen("b", 900, 30),
        // A day and a half later the other still weighs .354 of 1.354, more than a quarter.
        seen("b", 1_100, 36),
    ];
    assert_eq!(
        steps(&offers),
        [
            (hour(0), Some(hour(24)), 1_000.0),
            (hour(24), Some(hour(36)), 900.0),
            (hour(36), Some(stale(0)), 1_000.0),
            (stale(0), Some(stale(36)), 1_100.0),
        ],
    );
    assert_eq!(steps(&[]), []);
}

#[test]
fn where_nobody_looked_there_is_no_price() {
    let stale = hour(168).plus_ms(1);
    let offers = [seen("a", 1_000, 0), seen("a", 1_000, 400)];
    assert_eq!(
        steps(&offers),
        [(hour(0), Some(stale), 1_000.0), (hour(400), Some(hour(568).plus_ms(1)), 1_000.0),],
    );
}

#[test]
fn a_seller_who_sold_out_and_an_absurd_price_are_left_out_of_the_past_too() {
    let out = CompetitorOffer { in_stock: Some(false), ..seen("b", 900, 10) };
    let offers = [seen("a", 1_000, 0), seen("b", 900, 5), out, seen("c", 10, 20)];
    let prices: Vec<f64> = steps(&offers).iter().map(|step| step.2).collect();
    assert_eq!(prices, [1_000.0, 900.0, 1_000.0]);
}

#[test]
fn the_panel_takes_the_spells_as_they_are() {
    let offers: Vec<CompetitorOffer> = (0..8).map(|n| seen("a", 500, n * 24)).collect();
    let spells = spells(0, &offers, own, &TrustPolicy::default());
    let price = PriceSpell {
        item: 0,
        from: hour(0),
        to: None,
        price: 1_000.0,
        randomised: None,
        is_decided: false,
    };
    let periods = Periods { start: hour(0), length_ms: 7 * DAY_MS, n_periods: 1 };
    let panel = |competitors: &[CompetitorSpell]| {
        let history = History { prices: &[price], competitors, ..History::default() };
        format!("{:?}", build(&history, &[None], &periods))
    };
    let by_hand = CompetitorSpell { item: 0, from: hour(0), to: None, price: 500.0 };
    assert_eq!(panel(&spells), panel(&[by_hand]));
    assert_ne!(panel(&spells), panel(&[]));
}

proptest! {
    #[test]
    fn a_spell_has_the_index_that_would_have_been_told_at_any_time_in_it(
        rows in prop::collection::vec((0_u8..5, 700_i64..1_400, 0_i64..600), 1..25),
        at in 0_i64..900,
        minute in 0_i64..60,
    ) {
        let offers: Vec<CompetitorOffer> = rows
            .into_iter()
            .map(|(name, price, at)| seen(&format!("s{name}"), price, at))
            .collect();
        let policy = TrustPolicy::default();
        let spells = spells(0, &offers, own, &policy);
        for (spell, next) in spells.iter().zip(spells.iter().skip(1)) {
            prop_assert!(spell.from < spell.to.unwrap() && spell.to.unwrap() <= next.from);
        }
        let now = hour(at).plus_ms(minute * 60_000);
        let known = offers.iter().filter(|offer| offer.observed_at <= now);
        let told = index_price(&believe(known, now, &own(now), &policy).used, policy.quantile);
        let in_force = |spell: &&CompetitorSpell| {
            spell.from <= now && spell.to.is_none_or(|to| now < to)
        };
        prop_assert_eq!(spells.iter().find(in_force).map(|spell| spell.price), told);
    }

    #[test]
    fn no_history_panics(
        rows in prop::collection::vec((any::<i64>(), any::<i64>()), 0..8),
    ) {
        let offers: Vec<CompetitorOffer> = rows
            .into_iter()
            .enumerate()
            .map(|(at, (price, time))| CompetitorOffer {
                price: Cents(price),
                observed_at: Timestamp(time),
                ..seen(&format!("s{at}"), 1, 0)
            })
            .collect();
        for spell in spells(0, &offers, |_| OwnFacts::default(), &TrustPolicy::default()) {
            prop_assert!(spell.price > 0.0);
        }
    }
}
