use super::*;
use crate::learn::{demand::response::ResponseParams, recommenders::FitError};

fn small() -> ArenaParams {
    ArenaParams { n_items: 40, n_categories: 4, decision_weeks: 16, ..ArenaParams::default() }
}

#[test]
fn nobody_earns_more_than_who_knows_the_truth() {
    let contenders = textbook_contenders(ResponseParams::default());
    let found = standings(&small(), &[5.0], &[1, 2], &contenders).unwrap();
    assert_eq!(found.len(), contenders.len());
    for standing in &found {
        assert!(standing.share.mean < 1.0 && standing.share.mean > 0.5, "{standing:?}");
    }
    assert!(
        (found[0].worst_week - 1.0).abs() < 1e-12,
        "keeping prices is as good as keeping prices"
    );
}

#[test]
fn who_is_told_nearly_all_finds_elasticities_where_much_is_sold() {
    let shop = Shop::new(&small(), 300_000.0, 4);
    let told = play(&shop, &mut told::Told::new(&shop)).unwrap();
    let oracle = play(&shop, &mut fixed::Oracle::new(&shop)).unwrap();
    // Where demand hardly answers to price, a little less of an answer means a much higher price.
    let elastic = shop.items().iter().enumerate().filter(|(_, item)| item.elasticity < -1.7);
    for (at, item) in elastic {
        let [found, best] = [told.last_prices[at], oracle.last_prices[at]];
        assert!((found / best - 1.0).abs() < 0.05, "{at}: {found} {best} {item:?}");
    }
    assert!(told.profit() > 0.99 * oracle.profit());
}

#[test]
fn who_is_told_how_items_were_drawn_gains_by_it_where_little_is_sold() {
    let found =
        standings(&small(), &[1.0], &[1, 2, 3, 4], &textbook_contenders(ResponseParams::default()));
    let found = found.unwrap();
    let share =
        |name: &str| found.iter().find(|standing| standing.policy == name).unwrap().share.mean;
    let told = share("told all but own demand");
    for other in ["keep prices", "elasticity -2.5 for all", "pooled counts, Thompson"] {
        assert!(told > share(other), "{told} {other} {}", share(other));
    }
}

#[test]
fn the_same_seed_gives_the_same_standings_on_any_number_of_threads() {
    let contenders = || textbook_contenders(ResponseParams::default());
    let on = |n: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| standings(&small(), &[2.0], &[5], &contenders()).unwrap())
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn a_price_moves_by_no_more_than_a_step_and_stays_where_none_is_told() {
    struct Wild;
    impl Policy for Wild {
        fn prices(&mut self, ledger: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
            let wild = [f64::NAN, 1e12, 0.0, f64::INFINITY];
            Ok((0..ledger.costs().len()).map(|at| wild[at % 4]).collect())
        }
    }
    let params = ArenaParams { decision_weeks: 1, ..small() };
    let shop = Shop::new(&params, 5.0, 1);
    let before = shop.history(params.history_weeks - 1);
    let after = play(&shop, &mut Wild).unwrap().last_prices;
    for (at, (&before, after)) in before.iter().zip(after).enumerate() {
        let [low, high] = shop.step_bounds(before);
        assert!((after - [before, high, low, before][at % 4]).abs() < 1e-9);
    }
}
