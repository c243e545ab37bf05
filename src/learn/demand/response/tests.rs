//! The model as a whole, on sales whose answer is known.

use super::*;
use crate::learn::recommenders::{FitError, NEVER_STOP};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Poisson, StandardNormal};

fn row(item: u32, period: u32, units: f64, price: f64) -> PanelRow {
    PanelRow {
        item,
        period,
        units,
        price,
        competitor: None,
        promotion: 0.0,
        exposure: 1.0,
        randomised: None,
        is_decided: false,
    }
}

fn panel(n_items: usize, n_periods: usize, rows: &[PanelRow], n_categories: u32) -> Panel {
    let mut builder = PanelBuilder::new(n_items, n_periods);
    for row in rows {
        builder.push(row);
    }
    let categories: Vec<_> = (0..n_items as u32).map(|item| Some(item % n_categories)).collect();
    builder.build(&categories)
}

/// Items whose elasticities lie around -2.5 with deviation 0.5; their sales with a season, competitors and promotions.
fn shop(n_items: u32, n_categories: u32, n_periods: u32, seed: u64) -> (Vec<PanelRow>, Vec<f64>) {
    shop_at(0.0, n_items, n_categories, n_periods, seed)
}

/// The same, each item selling `e^level` times as much.
fn shop_at(
    shop_level: f64,
    n_items: u32,
    n_categories: u32,
    n_periods: u32,
    seed: u64,
) -> (Vec<PanelRow>, Vec<f64>) {
    let mut rows = vec![];
    let mut truth = vec![];
    for item in 0..n_items {
        // A stream of its own, so that an item is the same whatever the others sell and however long.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(item));
        let z: f64 = StandardNormal.sample(&mut rng);
        let elasticity = -2.5 + 0.5 * z;
        let level: f64 = shop_level + rng.random_range(0.0..3.0);
        truth.push(elasticity);
        for period in 0..n_periods {
            let (own, cross) = (rng.random_range(-0.2..0.2), rng.random_range(-0.2..0.2));
            let promotion = f64::from(u8::from(rng.random_bool(0.1)));
            let exposure = if rng.random_bool(0.1) { 0.5 } else { 1.0 };
            let season = 0.4 * (f64::from(period + item % n_categories) / 4.0).sin();
            let log: f64 = level + elasticity * own + 0.3 * cross + 0.5 * promotion + season;
            let sales = Poisson::new(exposure * log.exp()).unwrap();
            rows.push(PanelRow {
                competitor: Some(9.0 * f64::exp(cross)),
                promotion,
                exposure,
                ..row(item, period, sales.sample(&mut rng), 10.0 * f64::exp(own))
            });
        }
    }
    (rows, truth)
}

fn fitted(panel: &Panel) -> DemandResponse {
    fit(panel, &ResponseParams::default(), NEVER_STOP).unwrap()
}

#[test]
fn at_two_prices_the_elasticity_is_the_ratio_of_logarithms() {
    let units = [8.0, 12.0, 10.0, 10.0, 20.0, 20.0, 19.0, 21.0];
    let rows: Vec<PanelRow> = (0..8)
        .map(|at| {
            // The second half of each is sold in half the time, and counts twice.
            let exposure = if at % 4 < 2 { 1.0 } else { 0.5 };
            let price = if at < 4 { 10.0 } else { 8.0 };
            PanelRow { exposure, ..row(0, at, exposure * units[at as usize], price) }
        })
        .collect();
    let response = fit(&panel(1, 8, &rows, 1), &ResponseParams::unpooled(), NEVER_STOP).unwrap();
    let item = response.item(0).unwrap();
    let log = 0.8_f64.ln();
    // Means 10 and 20 a week of 30 and 60 units; the sales are no more spread than Poisson's.
    assert!((item.coefficients[1] - 2.0_f64.ln() / log).abs() < 1e-3, "{item:?}");
    let variance = (1.0 / 30.0 + 1.0 / 60.0) / (log * log);
    assert!((item.covariance.at(1, 1) / variance - 1.0).abs() < 1e-3, "{item:?}");
    assert!((response.categories()[0].overdispersion - 1.0).abs() < f64::EPSILON);
    let predicted = response.predict(0, &Offer::at(8.0)).unwrap();
    // The bounds cut a thousandth off a posterior that is as wide as this one.
    assert!((predicted - 20.0).abs() < 0.05, "{predicted}");
}

#[test]
fn what_made_the_sales_is_found_and_intervals_hold_it() {
    let (rows, truth) = shop(200, 4, 80, 5);
    let response = fitted(&panel(200, 80, &rows, 4));
    assert!(response.has_converged);
    let inside = truth.iter().enumerate().filter(|&(item, truth)| {
        let found = response.elasticity(item).unwrap();
        found.q05 <= *truth && *truth <= found.q95
    });
    // Nine in ten of 200 are expected, with a deviation of 4; three of those either way.
    let n_inside = inside.count();
    assert!((167..=193).contains(&n_inside), "{n_inside}");
    for (at, category) in response.categories().iter().enumerate() {
        let of_category: Vec<f64> = truth.iter().skip(at).step_by(4).copied().collect();
        let mean = of_category.iter().sum::<f64>() / 50.0;
        let spread = of_category.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 50.0;
        assert!((category.elasticity.mean - mean).abs() < 0.3, "{mean} {category:?}");
        assert!((category.elasticity_sd - spread.sqrt()).abs() < 0.2, "{spread} {category:?}");
        let off =
            |belief: Belief, truth: f64| (belief.mean - truth).abs() / belief.standard_error();
        // Three errors for the four categories, the promotion's being a seventh too small.
        assert!(off(category.promotion, 0.5) < 4.0 && off(category.cross_elasticity, 0.3) < 3.5);
        assert!(category.overdispersion < 1.2 && category.overdispersion_squared < 0.1);
        let swing = category.effect(Some(6)) - category.effect(Some(18));
        assert!((0.4..1.1).contains(&swing), "season: {swing}");
        assert!((category.effect(None) - category.recent_effect).abs() < f64::EPSILON);
        assert!((category.effect(Some(80)) - category.recent_effect).abs() < f64::EPSILON);
    }
}

#[test]
fn cuts_in_good_weeks_do_not_pass_for_elasticity() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut rows = vec![];
    for item in 0..40 {
        for period in 0..60 {
            let is_good = period % 6 == 0;
            let own = if is_good { -0.15 } else { 0.0 } + rng.random_range(-0.05..0.05);
            let mean = f64::exp(2.0 - 2.0 * own + if is_good { 0.6 } else { 0.0 });
            let units = Poisson::new(mean).unwrap().sample(&mut rng);
            rows.push(row(item, period, units, own.exp()));
        }
    }
    let panel = panel(40, 60, &rows, 1);
    let with = fitted(&panel).categories()[0].elasticity;
    let params = ResponseParams { period_effects: false, ..ResponseParams::default() };
    let without = fit(&panel, &params, NEVER_STOP).unwrap().categories()[0].elasticity;
    assert!((with.mean + 2.0).abs() < 3.0 * with.standard_error(), "{with:?}");
    assert!(without.mean < -4.0, "{without:?}");
}

/// Slow sellers of ten categories whose merchant cuts prices in the good weeks of each, or tells pricing to.
fn cut_in_good_weeks(is_decided: bool, cut: f64) -> Vec<PanelRow> {
    let (n_items, n_categories, n_weeks) = (300, 10, 16);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut normal =
        |sd: f64| -> f64 { sd * Distribution::<f64>::sample(&StandardNormal, &mut rng) };
    let shocks: Vec<f64> = (0..n_categories * n_weeks).map(|_| normal(0.25)).collect();
    let logs: Vec<f64> = (0..n_items * n_weeks).map(|_| normal(0.07)).collect();
    let mut rows = vec![];
    for item in 0..n_items {
        for week in 0..n_weeks {
            let shock = shocks[item % n_categories * n_weeks + week];
            let log = logs[item * n_weeks + week] - cut * shock;
            let sales = Poisson::new((shock - 2.5 * log).exp()).unwrap().sample(&mut rng);
            let row = row(item as u32, week as u32, sales, 10.0 * log.exp());
            rows.push(PanelRow { is_decided, ..row });
        }
    }
    rows
}

#[test]
fn a_category_of_slow_sellers_does_not_leave_its_good_weeks_to_the_price() {
    let mean = |rows: &[PanelRow]| {
        let response = fitted(&panel(300, 16, rows, 10));
        let categories = response.categories();
        categories.iter().map(|category| category.elasticity.mean).sum::<f64>() / 10.0
    };
    // Thirty units a week tell a category's good week badly. What price is taken to do with it is not more by a third,
    // as it would be if prices were taken to know nothing of it.
    let merchant = mean(&cut_in_good_weeks(false, 0.3));
    assert!((merchant + 2.5).abs() < 0.25, "{merchant}");
    let taken_for_decided = mean(&cut_in_good_weeks(true, 0.3));
    assert!(taken_for_decided < -2.85, "{taken_for_decided}");
    // Who does not look at the weeks is not the worse for it.
    let blind = mean(&cut_in_good_weeks(false, 0.0));
    assert!((blind + 2.5).abs() < 0.25, "{blind}");
}

#[test]
fn where_a_price_is_a_category_of_its_own_its_sales_still_speak_for_it() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut rows = vec![];
    for item in 0..40 {
        for week in 0..60 {
            let log: f64 = rng.random_range(-0.2..0.2);
            let sales = Poisson::new((2.0 - 1.2 * log).exp()).unwrap().sample(&mut rng);
            rows.push(row(item, week, sales, 10.0 * log.exp()));
        }
    }
    let response = fitted(&panel(40, 60, &rows, 40));
    let mean = response.categories().iter().map(|c| c.elasticity.mean).sum::<f64>() / 40.0;
    assert!((mean + 1.2).abs() < 0.2, "{mean}");
}

#[test]
fn what_pricing_changed_for_good_is_no_answer_to_the_weeks() {
    // Sixteen weeks of the merchant's steady prices, then pricing asks a tenth more of half the items.
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut rows = vec![];
    for item in 0..60 {
        for week in 0..32 {
            let is_decided = week >= 16;
            let log: f64 = if is_decided && item % 2 == 0 { 0.1 } else { 0.0 };
            let sales = Poisson::new((3.0 - 2.0 * log).exp()).unwrap().sample(&mut rng);
            rows.push(PanelRow { is_decided, ..row(item, week, sales, 10.0 * log.exp()) });
        }
    }
    let response = fitted(&panel(60, 32, &rows, 3));
    let mean = response.categories().iter().map(|c| c.elasticity.mean).sum::<f64>() / 3.0;
    assert!((mean + 2.0).abs() < 0.3, "{mean}");
    for category in response.categories() {
        let effects = &category.period_effects;
        let before = effects[..16].iter().sum::<f64>() / 16.0;
        let after = effects[16..].iter().sum::<f64>() / 16.0;
        assert!((before - after).abs() < 0.05, "{before} {after}");
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let (rows, _) = shop(300, 2, 20, 3);
    let panel = panel(300, 20, &rows, 2);
    let on = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let [one, two] = [1, 2].map(|n| on(n).install(|| fitted(&panel)));
    assert_eq!(one, two);
    let bytes = postcard::to_allocvec(&one).unwrap();
    assert_eq!(postcard::from_bytes::<DemandResponse>(&bytes).unwrap(), one);
}

#[test]
fn larger_counts_and_longer_histories_say_more() {
    let variances = |level: f64, n_periods: u32| -> Vec<f64> {
        let (rows, _) = shop_at(level, 20, 1, n_periods, 9);
        let response = fitted(&panel(20, n_periods as usize, &rows, 1));
        (0..20).map(|item| response.item(item).unwrap().covariance.at(1, 1)).collect()
    };
    let few = variances(0.0, 40);
    for more in [variances(2.0, 40), variances(0.0, 160)] {
        assert!(more.iter().zip(&few).all(|(more, few)| more < few), "{more:?} {few:?}");
    }
}

#[test]
fn packs_of_nine_say_no_more_than_single_units() {
    let (rows, _) = shop(20, 1, 40, 9);
    let packs: Vec<PanelRow> =
        rows.iter().map(|row| PanelRow { units: 9.0 * row.units, ..*row }).collect();
    let [units, packs] = [rows, packs].map(|rows| fitted(&panel(20, 40, &rows, 1)));
    let overdispersion = packs.categories()[0].overdispersion;
    assert!((7.0..11.0).contains(&overdispersion), "{overdispersion}");
    for item in 0..20 {
        let [units, packs] = [&units, &packs].map(|response| response.item(item).unwrap());
        // The spread of single units is held at Poisson's, that of packs is estimated.
        assert!((units.coefficients[1] - packs.coefficients[1]).abs() < 0.05);
        let ratio = packs.covariance.at(1, 1) / units.covariance.at(1, 1);
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
    }
}

#[test]
fn an_item_that_says_nothing_has_its_categorys_elasticity_and_says_so() {
    let (mut rows, _) = shop(30, 1, 40, 2);
    rows.extend((0..40).map(|period| row(30, period, 3.0, 10.0)));
    rows.extend((0..40).map(|period| row(31, period, 0.0, 10.0 + f64::from(period % 2))));
    let response = fitted(&panel(33, 40, &rows, 1));
    let category = &response.categories()[0];
    let unmoved = response.item(30).unwrap();
    assert!((unmoved.coefficients[1] - category.elasticity.mean).abs() < 0.02, "{unmoved:?}");
    let prior = category.elasticity.variance + category.elasticity_sd.powi(2);
    assert!((unmoved.covariance.at(1, 1) / prior - 1.0).abs() < 0.05, "{unmoved:?}");
    assert!(unmoved.evidence.prior_share > 0.95 && unmoved.evidence.grade == Grade::E);
    let predicted = response.predict(30, &Offer { period: Some(0), ..Offer::at(10.0) }).unwrap();
    assert!((2.0..5.0).contains(&predicted), "{predicted}");
    // Nothing sold: hardly anything is expected, and the elasticity is the category's.
    let unsold = response.item(31).unwrap();
    assert_eq!(unsold.evidence.grade, Grade::E);
    assert!((unsold.coefficients[1] - category.elasticity.mean).abs() < 0.1);
    assert!(response.predict(31, &Offer::at(10.0)).unwrap() < 0.2);
    // No rows at all.
    assert_eq!((response.item(32), response.predict(32, &Offer::at(10.0))), (None, None));
    let unknown = response.elasticity(32).unwrap();
    assert!((unknown.mean - category.elasticity.mean).abs() < 0.05);
    assert!(response.draws(32, 5, 1).is_empty());
    assert_eq!((response.elasticity(33), response.item(33)), (None, None));
}

#[test]
fn draws_follow_the_posterior_within_its_bounds() {
    let (rows, _) = shop(20, 1, 40, 4);
    let response = fitted(&panel(20, 40, &rows, 1));
    let draws = response.draws(3, 4_000, 7);
    assert_eq!(draws, response.draws(3, 4_000, 7));
    assert_ne!(draws[0], response.draws(3, 1, 8)[0]);
    assert_ne!(draws[0], response.draws(4, 1, 7)[0]);
    assert!(draws.iter().all(|draw| (-8.0..=-0.2).contains(&draw.elasticity())));
    assert!(draws.iter().all(|draw| (0.0..=2.0).contains(&draw.cross_elasticity())));
    let elasticity = response.elasticity(3).unwrap();
    let mean =
        draws.iter().map(crate::learn::demand::response::posterior::Draw::elasticity).sum::<f64>()
            / 4_000.0;
    // A deviation of 0.3 over 4,000 draws is 0.005; cutting the cross elasticity off moves the other a little.
    assert!((mean - elasticity.mean).abs() < 0.05, "{mean} {elasticity:?}");
    let below = draws.iter().filter(|draw| draw.elasticity() < elasticity.q05).count();
    assert!((100..320).contains(&below), "{below}");
    // A higher price sells less under every draw, and a dearer competitor no less.
    let units = |draw, offer: &Offer| response.predict_draw(3, draw, offer).unwrap();
    for &draw in &draws {
        assert!(units(draw, &Offer::at(11.0)) < units(draw, &Offer::at(10.0)));
        let dearer = Offer { competitor: Some(12.0), ..Offer::at(10.0) };
        assert!(units(draw, &dearer) >= units(draw, &Offer::at(10.0)));
    }
}

#[test]
fn odd_offers_and_odd_sales_stay_finite() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let sizes = [0.0, 1e-6, 1.0, 7.0, 1e9];
    let prices = [1e-6, 0.01, 1.0, 999.0, 1e12];
    for n_items in [1_u32, 2, 9] {
        for _ in 0..40 {
            let mut any = |values: &[f64]| values[rng.random_range(0..values.len())];
            let rows: Vec<PanelRow> = (0..n_items * 6)
                .map(|at| PanelRow {
                    competitor: Some(any(&prices)),
                    promotion: any(&[0.0, 0.5, 1.0]),
                    exposure: any(&[0.011, 1.0]),
                    ..row(at / 6, at % 6, any(&sizes), any(&prices))
                })
                .collect();
            let panel = panel(n_items as usize, 6, &rows, 2);
            for params in [ResponseParams::default(), ResponseParams::unpooled()] {
                let response = match fit(&panel, &params, NEVER_STOP) {
                    Ok(response) => response,
                    Err(error) => {
                        assert_eq!(error, FitError::NotFinite { model: "price response" });
                        continue;
                    }
                };
                for price in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e-300, 5.0] {
                    let offer =
                        Offer { competitor: Some(price), promotion: price, ..Offer::at(price) };
                    assert!(response.predict(0, &offer).unwrap().is_finite());
                }
                let found = response.elasticity(0).unwrap();
                let ordered = found.q05 <= found.mean && found.mean <= found.q95;
                assert!(ordered && -8.0 <= found.q05 && found.q95 <= -0.2, "{found:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let empty = PanelBuilder::new(0, 0).build(&[]);
    let params = ResponseParams::default();
    let no_data = Err(FitError::NoData { model: "price response" });
    assert_eq!(fit(&empty, &params, NEVER_STOP), no_data);
    let none = panel(3, 5, &[row(0, 0, f64::NAN, 1.0)], 1);
    assert_eq!(fit(&none, &params, NEVER_STOP), no_data);
    let one = panel(1, 1, &[row(0, 0, 2.0, 1.0)], 1);
    assert_eq!(fit(&one, &params, &|| true), Err(FitError::Stopped));
    let response = fitted(&one);
    assert_eq!(response.item(0).unwrap().evidence.grade, Grade::E);
    assert!((response.shop_elasticity.mean + 2.5).abs() < 1e-6);
    let bad = ResponseParams { n_sweeps: 0, ..params };
    assert!(matches!(fit(&one, &bad, NEVER_STOP), Err(FitError::Parameter { .. })));
}

#[test]
fn items_that_sell_in_bursts_come_to_rest() {
    let mut rows = vec![];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for item in 0..400 {
        // Cheap weeks of a wholesale order now and then, else next to nothing.
        for period in 0..rng.random_range(3..12) {
            let is_burst = rng.random_bool(0.2);
            let units = if is_burst { rng.random_range(50..5_000) } else { rng.random_range(0..3) };
            let price = rng.random_range(1.0..4.0) / if is_burst { 2.0 } else { 1.0 };
            rows.push(row(item, period, f64::from(units), price));
        }
    }
    let response = fitted(&panel(400, 12, &rows, 2));
    assert!(response.has_converged, "{} sweeps", response.n_sweeps);
}
