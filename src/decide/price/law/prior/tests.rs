use super::*;
use crate::{
    decide::price::law::LawTable,
    domain::{ItemId, PriceReason, time::MINUTE_MS},
};
use proptest::{option, prelude::*};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn entry(price: i64, from: Timestamp, to: Option<Timestamp>) -> PriceEntry {
    let item = ItemId::new("shoe").unwrap();
    PriceEntry { item, price: Cents(price), from, to, reason: PriceReason::ListPrice }
}

fn law(market: &str) -> MarketLaw {
    LawTable::default().of(market).clone()
}

/// The prior price for a reduction at `start`, after a price of 50 that ended at `end` and one of 100 since.
fn after_a_low_price(market: &str, end: Timestamp, start: Timestamp) -> Option<i64> {
    let ledger = [entry(50, end.plus_ms(-86_400_000), Some(end)), entry(100, end, Some(start))];
    prior_price(&ledger, start, &law(market)).price.map(|price| price.0)
}

#[test]
fn what_ended_30_local_days_ago_is_out_and_a_minute_later_in() {
    for (market, start, edge) in [
        // Over the change to summer time of 29 March 2026: 719 hours.
        ("fi", "2026-04-10T12:00:00+03:00", "2026-03-11T12:00:00+02:00"),
        ("de", "2026-04-10T12:00:00+02:00", "2026-03-11T12:00:00+01:00"),
        // Over the change to winter time of 25 October 2026: 721 hours.
        ("fi", "2026-11-10T12:00:00+02:00", "2026-10-11T12:00:00+03:00"),
        ("de", "2026-11-10T12:00:00+01:00", "2026-10-11T12:00:00+02:00"),
        // Without a change.
        ("de", "2026-07-31T00:00:00+02:00", "2026-07-01T00:00:00+02:00"),
    ] {
        let (start, edge) = (at(start), at(edge));
        assert_eq!(after_a_low_price(market, edge, start), Some(100), "{market} {start}");
        let later = edge.plus_ms(MINUTE_MS);
        assert_eq!(after_a_low_price(market, later, start), Some(50), "{market} {start}");
        assert_eq!(after_a_low_price(market, edge.plus_ms(1), start), Some(50), "{market} {start}");
    }
}

#[test]
fn a_reduction_in_the_hour_that_comes_twice_looks_back_no_less_than_30_days() {
    // 02:30 on 25 October 2026 in Berlin, for the first and for the second time.
    let [first, second] = [at("2026-10-25T02:30:00+02:00"), at("2026-10-25T02:30:00+01:00")];
    let edge = at("2026-09-25T02:30:00+02:00");
    for start in [first, second] {
        assert_eq!(prior_price(&[], start, &law("de")).window_from, edge);
    }
}

#[test]
fn a_flash_price_of_an_hour_counts_and_the_reduced_price_does_not() {
    let day = |days: i64| at("2026-06-30T09:00:00+03:00").plus_ms(days * 86_400_000);
    let flash = day(-5).plus_ms(3_600_000);
    let ledger = [
        entry(100, day(-90), Some(day(-5))),
        entry(60, day(-5), Some(flash)),
        entry(100, flash, Some(day(0))),
        entry(40, day(0), None),
    ];
    let prior = prior_price(&ledger, day(0), &law("fi"));
    assert_eq!(
        prior,
        PriorPrice {
            price: Some(Cents(60)),
            in_force_from: Some(day(-5)),
            window_from: day(-30),
            covers_window: true,
            unpriced_ms: 0,
        },
    );
}

#[test]
fn of_equal_lowest_prices_the_last_is_told() {
    let ledger = [
        entry(80, Timestamp(0), Some(Timestamp(1_000))),
        entry(90, Timestamp(1_000), Some(Timestamp(2_000))),
        entry(80, Timestamp(2_000), Some(Timestamp(3_000))),
    ];
    let prior = prior_price(&ledger, Timestamp(3_000), &law("fi"));
    assert_eq!(prior.in_force_from, Some(Timestamp(2_000)));
    assert!(!prior.covers_window);
}

#[test]
fn gaps_are_told_and_an_open_entry_ends_where_the_next_begins() {
    let minute = |n: i64| at("2026-06-30T09:00:00+03:00").plus_ms(n * MINUTE_MS);
    let day = 24 * 60;
    let ledger = [
        // Nobody closed this one; the next shows that it was over.
        entry(70, minute(-80 * day), None),
        entry(100, minute(-40 * day), Some(minute(-20 * day))),
        entry(110, minute(-15 * day), None),
    ];
    let prior = prior_price(&ledger, minute(0), &law("fi"));
    assert_eq!(prior.price, Some(Cents(100)));
    assert_eq!(prior.unpriced_ms, 5 * 86_400_000);
    assert!(prior.covers_window);
    let none = prior_price(&[], minute(0), &law("fi"));
    assert_eq!((none.price, none.in_force_from, none.covers_window), (None, None, false));
    assert_eq!(none.unpriced_ms, 30 * 86_400_000);
}

#[test]
fn an_entry_of_a_clock_that_went_back_counts_between_its_two_times() {
    let minute = |n: i64| Timestamp(n * MINUTE_MS);
    let prior = |from, to| {
        let ledger = [
            entry(100, minute(0), Some(minute(89_000))),
            entry(70, minute(from), Some(minute(to))),
        ];
        prior_price(&ledger, minute(90_000), &law("us")).price.map(|price| price.0)
    };
    // The window begins at minute 46,800.
    assert_eq!(prior(46_900, 46_850), Some(70));
    assert_eq!(prior(46_801, 46_700), Some(70));
    assert_eq!(prior(46_800, 46_700), Some(100));
    assert_eq!(prior(50_000, 50_000), Some(100));
    // Written by a clock that runs ahead: not in force yet.
    assert_eq!(prior(95_000, 96_000), Some(100));
    assert_eq!(prior(90_000, 96_000), Some(100));
}

/// What anybody could have paid at some instant, entry by entry, straight from the definition.
fn brute_force(ledger: &[PriceEntry], from: i64, end: i64) -> Option<Cents> {
    let in_force = |entry: &PriceEntry, now: i64| {
        let next = ledger.iter().filter(|other| other.price.0 >= 0 && other.from > entry.from);
        let next = next.map(|other| other.from.0).min().unwrap_or(i64::MAX);
        let to = entry.to.map_or(next, |to| to.0);
        let reversed = to < entry.from.0 && (to..entry.from.0).contains(&now);
        entry.price.0 >= 0 && (reversed || (entry.from.0..to).contains(&now))
    };
    let minutes = (from..end).step_by(MINUTE_MS as usize);
    minutes
        .filter_map(|now| {
            let asked = ledger.iter().filter(|entry| in_force(entry, now));
            asked.map(|entry| entry.price).min()
        })
        .min()
}

prop_compose! {
    fn any_ledger()(rows in prop::collection::vec(
        (-2_i64..12, -70_000_i64..5_000, option::weighted(0.8, -3_000_i64..20_000)), 0..9,
    ), base in 0_i64..365) -> (Vec<PriceEntry>, Timestamp) {
        let start = at("2026-01-01T00:00:00Z").plus_ms(base * 86_400_000);
        let minute = |n: i64| start.plus_ms(n * MINUTE_MS);
        let entries = rows.into_iter().map(|(price, from, length)| {
            entry(price * 10, minute(from), length.map(|length| minute(from + length)))
        });
        (entries.collect(), start)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_prior_price_is_that_of_a_scan_minute_by_minute((ledger, start) in any_ledger()) {
        for market in ["fi", "us"] {
            let prior = prior_price(&ledger, start, &law(market));
            let scanned = brute_force(&ledger, prior.window_from.0, start.0);
            prop_assert_eq!(prior.price, scanned);
        }
    }

    #[test]
    fn the_order_of_the_ledger_does_not_matter(
        (ledger, start) in any_ledger(),
        shift in 0_usize..9,
    ) {
        let mut shuffled = ledger.clone();
        shuffled.reverse();
        let n = shuffled.len().max(1);
        shuffled.rotate_left(shift % n);
        let market = law("de");
        prop_assert_eq!(
            prior_price(&ledger, start, &market),
            prior_price(&shuffled, start, &market),
        );
    }

    #[test]
    fn no_ledger_panics(rows in prop::collection::vec(
        (any::<i64>(), any::<i64>(), any::<Option<i64>>()), 0..6,
    ), start in any::<i64>()) {
        let entries = rows.into_iter().map(|(price, from, to)| {
            entry(price, Timestamp(from), to.map(Timestamp))
        });
        let ledger: Vec<PriceEntry> = entries.collect();
        let prior = prior_price(&ledger, Timestamp(start), &law("us"));
        prop_assert!(prior.price.is_none_or(|price| price.0 >= 0));
        prop_assert!(prior.unpriced_ms >= 0);
    }
}
