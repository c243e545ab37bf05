use super::*;
use crate::domain::{Condition, ItemId, PriceReason};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::ChaCha8Rng};

fn hour(n: i64) -> Timestamp {
    Timestamp(1_700_000_000_000 + n * HOUR_MS)
}

const NOW: i64 = 90 * 24;

/// Our ledger, from prices with the hours at which they began.
fn ledger(steps: &[(i64, i64)]) -> Vec<PriceEntry> {
    let ends = steps.iter().skip(1).map(|&(at, _)| Some(hour(at))).chain([None]);
    let entry = |(&(at, price), to): (&(i64, i64), Option<Timestamp>)| PriceEntry {
        item: ItemId::new("shoe").unwrap(),
        price: Cents(price),
        from: hour(at),
        to,
        reason: PriceReason::Demand,
    };
    steps.iter().zip(ends).map(entry).collect()
}

/// A feed that looks every six hours at prices with the hours at which they began.
fn feed(steps: &[(i64, i64)]) -> Vec<(Timestamp, Cents)> {
    let looks = (0..=NOW).step_by(6);
    let at = |now| steps.iter().rfind(|&&(from, _)| from <= now).map(|&(_, price)| price);
    looks.filter_map(|now| Some((hour(now), Cents(at(now)?)))).collect()
}

fn judge(ours: &[(i64, i64)], theirs: &[(i64, i64)]) -> Duel {
    duel(&ledger(ours), &feed(theirs), hour(NOW), &DuelPolicy::default())
}

/// A price every week, up and down in turns, from the second week on.
fn weekly(n: i64) -> Vec<(i64, i64)> {
    (0..=n).map(|week| (week * 168, if week % 2 == 0 { 1_000 } else { 900 })).collect()
}

fn later(steps: &[(i64, i64)], hours: i64) -> Vec<(i64, i64)> {
    let first = steps.first().map(|&(_, price)| (0, price));
    first
        .into_iter()
        .chain(steps.iter().skip(1).map(|&(at, price)| (at + hours, price - 10)))
        .collect()
}

#[test]
fn a_seller_who_moves_after_us_each_time_answers() {
    let ours = weekly(8);
    let found = judge(&ours, &later(&ours, 5));
    assert_eq!((found.n_our_moves, found.n_answered), (8, 8));
    assert_eq!((found.n_compared, found.n_followed_sooner), (8, 8));
    assert!((found.p_value - 0.5_f64.powi(8)).abs() < 1e-12);
    assert!(found.answers);
}

#[test]
fn a_spiral_in_which_both_only_cut_is_found() {
    let ours: Vec<(i64, i64)> = (0..12).map(|n| (n * 72, 2_000 - 20 * n)).collect();
    let found = judge(&ours, &later(&ours, 4));
    assert!(found.answers, "{found:?}");
}

#[test]
fn a_seller_whom_we_follow_does_not_answer_us() {
    let theirs = weekly(8);
    let ours = later(&theirs, 5);
    let found = judge(&ours, &theirs);
    assert_eq!(found.n_followed_sooner, 0);
    assert!(!found.answers);
}

#[test]
fn four_moves_are_too_few_and_five_are_enough() {
    for (n, answers) in [(4, false), (5, true)] {
        let ours = weekly(n);
        let found = judge(&ours, &later(&ours, 5));
        assert_eq!((found.n_answered, found.answers), (n as u32, answers));
    }
}

#[test]
fn six_answers_to_ten_moves_are_not_more_than_six_tenths() {
    let ours = weekly(10);
    for (n_answers, answers) in [(6, false), (10, true)] {
        let theirs = later(&ours[..=n_answers], 5);
        let found = judge(&ours, &theirs);
        assert_eq!((found.n_our_moves, found.n_answered), (10, n_answers as u32));
        assert_eq!(found.answers, answers);
    }
}

#[test]
fn an_answer_after_48_hours_or_in_the_other_direction_is_none() {
    let ours = weekly(8);
    assert_eq!(judge(&ours, &later(&ours, 48)).n_answered, 8);
    assert_eq!(judge(&ours, &later(&ours, 54)).n_answered, 0);
    let opposite: Vec<(i64, i64)> =
        later(&ours, 5).into_iter().map(|(at, price)| (at, 2_000 - price)).collect();
    assert_eq!(judge(&ours, &opposite).n_answered, 0);
}

#[test]
fn moves_within_one_window_or_still_unwatched_do_not_count() {
    let daily: Vec<(i64, i64)> = (0..10).map(|day| (240 + day * 24, 1_000 - day)).collect();
    let seller = feed(&[(0, 1_000)]);
    let policy = DuelPolicy::default();
    // Of nine moves on nine days in a row, the first, the fourth and the seventh.
    assert_eq!(duel(&ledger(&daily), &seller, hour(NOW), &policy).n_our_moves, 3);
    let now = hour(240 + 24 + 47);
    assert_eq!(duel(&ledger(&daily), &seller, now, &policy).n_our_moves, 0);
    assert_eq!(duel(&ledger(&daily), &[], hour(NOW), &policy).n_our_moves, 0);
    assert_eq!(duel(&[], &seller, hour(NOW), &policy), Counts::default().judged(&policy));
}

#[test]
fn every_seller_is_judged_by_name() {
    let ours = weekly(8);
    let offer = |competitor: &str| {
        let competitor = competitor.to_owned();
        move |(observed_at, price)| CompetitorOffer {
            competitor: competitor.clone(),
            price,
            shipping: None,
            in_stock: None,
            condition: Condition::New,
            match_confidence: None,
            observed_at,
        }
    };
    let answering = feed(&later(&ours, 5)).into_iter().map(offer("Repricer"));
    let quiet = feed(&[(0, 1_000)]).into_iter().map(offer("Shop"));
    let offers: Vec<CompetitorOffer> = answering.chain(quiet).collect();
    let found = duels(&ledger(&ours), &offers, hour(NOW), &CompetitionPolicy::default());
    let answers: Vec<(&str, bool)> =
        found.iter().map(|(name, duel)| (&**name, duel.answers)).collect();
    assert_eq!(answers, [("repricer", true), ("shop", false)]);
}

/// A random price about every so many hours.
fn random_steps(rng: &mut ChaCha8Rng, hours: i64) -> Vec<(i64, i64)> {
    let mut at = 0;
    let mut steps = vec![];
    while at < NOW {
        steps.push((at, rng.random_range(900..1_100)));
        at += rng.random_range(1..2 * hours);
    }
    steps
}

/// The test's promise, one wrong finding in twenty at most; to be found, most moves must be answered besides. With
/// 1,000 pairs the standard error at 0.05 is 0.007.
#[test]
fn sellers_who_have_nothing_to_do_with_us_are_rarely_taken_for_answering() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for (our_hours, their_hours) in [(96, 96), (168, 24), (72, 12), (48, 168)] {
        let n = 1_000;
        let wrong = (0..n)
            .filter(|_| {
                let ours = random_steps(&mut rng, our_hours);
                let theirs = random_steps(&mut rng, their_hours);
                judge(&ours, &theirs).answers
            })
            .count();
        assert!(
            wrong as f64 / f64::from(n) < 0.05 + 3.0 * 0.007,
            "{our_hours} {their_hours}: {wrong}"
        );
    }
}

/// Once a week we move; four times in five the seller is seen to do the same within 30 hours. Three in four such
/// sellers were found when this was written, of 1,000.
#[test]
fn most_sellers_who_answer_four_moves_in_five_are_found() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut found = 0;
    for _ in 0..500 {
        let ours = random_steps(&mut rng, 168);
        let mut theirs = vec![(0, 1_000)];
        for &(at, price) in &ours[1..] {
            if rng.random_bool(0.8) {
                theirs.push((at + rng.random_range(1..30), price));
            }
        }
        theirs.sort_unstable();
        found += u32::from(judge(&ours, &theirs).answers);
    }
    assert!(found > 325, "{found}");
}

proptest! {
    #[test]
    fn counts_nest_and_no_history_panics(
        ours in prop::collection::vec((-3_000_i64..3_000, 1_i64..5), 0..30),
        theirs in prop::collection::vec((-3_000_i64..3_000, -1_i64..5), 0..30),
        wild in any::<(i64, i64, i64)>(),
    ) {
        let mut ledger = ledger(&ours);
        let mut seen: Vec<(Timestamp, Cents)> =
            theirs.into_iter().map(|(at, price)| (hour(at), Cents(price))).collect();
        let found = duel(&ledger, &seen, hour(0), &DuelPolicy::default());
        prop_assert!(found.n_answered <= found.n_our_moves);
        prop_assert!(found.n_followed_sooner <= found.n_compared);
        prop_assert!(found.n_compared <= found.n_our_moves);
        prop_assert!(0.0 <= found.p_value && found.p_value <= 1.0);
        seen.reverse();
        ledger.reverse();
        prop_assert_eq!(duel(&ledger, &seen, hour(0), &DuelPolicy::default()), found);
        seen.push((Timestamp(wild.0), Cents(wild.1)));
        duel(&ledger, &seen, Timestamp(wild.2), &DuelPolicy::default());
    }
}
