//! Sales that are made up: slow sellers, and shops in which policies of pricing are compared.

use super::sheet::{PricingReport, Sheet, four, three};
use crate::{
    decide::price::contender::{ARENA_TRIALS, Chooser, arena_policy},
    learn::{
        demand::response::ResponseParams,
        evaluation::{
            Estimate,
            pricing::{
                SlowSellers,
                arena::{ArenaParams, Contender, Shop, Standing, standings, textbook_contenders},
                slow_sellers,
                slow_sellers::{ELASTICITY, N_WEEKS},
            },
        },
        recommenders::NEVER_STOP,
    },
};
use serde_json::{Value, json};

/// Units per week of slow sellers.
const SLOW: [f64; 4] = [0.5, 1.0, 3.0, 10.0];
/// Means of the same four estimates at these volumes by an earlier simulation of 400 histories: log(q + 1),
/// log(q + 0.5), without zeros, counts.
const EARLIER: [[f64; 4]; 4] = [
    [-0.93, -1.37, -0.61, -2.96],
    [-1.52, -2.12, -1.23, -2.96],
    [-2.45, -2.93, -2.72, -2.98],
    [-2.84, -2.99, -3.15, -2.99],
];
/// Seed of the slow sellers.
const SLOW_SEED: u64 = 1;

/// Makes sales up and measures on them; `params` are the shops'.
pub(super) fn measure(
    params: &ArenaParams,
    n_seeds: u16,
    volumes: &[f64],
    n_histories: usize,
) -> anyhow::Result<PricingReport> {
    let slow = SLOW.map(|units| slow_sellers(units, n_histories, SLOW_SEED, NEVER_STOP));
    let slow = slow.into_iter().collect::<Result<Vec<SlowSellers>, _>>()?;
    let (response, step_max) = (ResponseParams::default(), params.step_max);
    let mut contenders = textbook_contenders(response);
    contenders.push(Contender::new("ours", move |shop: &Shop| {
        Chooser::new(shop, response, arena_policy(step_max, ARENA_TRIALS))
    }));
    let seeds: Vec<u64> = (0..u64::from(n_seeds)).collect();
    let found = standings(params, volumes, &seeds, &contenders)?;
    let protocol = json!({
        "name": "pricing",
        "slow_sellers": {
            "histories": n_histories, "weeks": N_WEEKS, "elasticity": ELASTICITY, "seed": SLOW_SEED,
        },
        "shop": {
            "items": params.n_items,
            "categories": params.n_categories,
            "history_weeks": params.history_weeks,
            "decision_weeks": params.decision_weeks,
            "step_max": params.step_max,
            "refit_weeks": params.refit_weeks,
            "spread": params.spread,
            "seeds": seeds,
            "profit": "expected under the true demand",
            "worst_week": "least ratio of a week's profit to that of keeping prices, over weeks and seeds",
        },
    });
    let results = json!({
        "slow_sellers": slow.iter().map(slow_json).collect::<Vec<_>>(),
        "shop": found.iter().map(standing_json).collect::<Vec<_>>(),
    });
    let sheets = vec![slow_sheet(&slow, n_histories), shop_sheet(&found, volumes, params, n_seeds)];
    Ok(PricingReport::new(protocol, results, sheets))
}

fn slow_sheet(slow: &[SlowSellers], n_histories: usize) -> Sheet {
    let title = format!(
        "estimates of an elasticity of {ELASTICITY} from {N_WEEKS} weeks, means over {n_histories} histories"
    );
    let heads =
        ["units a week", "log(q+1)", "log(q+.5)", "no zeros", "counts", "±", "RMSE", "pooled RMSE"];
    let mut sheet = Sheet::new(title, &heads);
    for (row, earlier) in slow.iter().zip(EARLIER) {
        let means = [row.log_plus_one, row.log_plus_half, row.without_zeros, row.counts];
        let errors = [row.counts.standard_error, row.counts_rmse, row.pooled_rmse];
        let units = row.units_per_week.to_string();
        sheet.row(
            [units].into_iter().chain(means.map(|mean| three(mean.mean))).chain(errors.map(three)),
        );
        let cells = earlier.map(|mean| format!("{mean:.2}"));
        sheet.row(["  published".to_owned()].into_iter().chain(cells));
    }
    sheet
}

fn shop_sheet(found: &[Standing], volumes: &[f64], params: &ArenaParams, n_seeds: u16) -> Sheet {
    let title = format!(
        "made-up shop of {} items with a spread of {} in what they sell, {} weeks of history, {} of decisions, steps of \
         {:.0} %, {n_seeds} seeds: share of the oracle's profit, and the worst week against keeping prices",
        params.n_items,
        params.spread,
        params.history_weeks,
        params.decision_weeks,
        100.0 * params.step_max
    );
    let mut heads = vec!["units a week".to_owned()];
    for volume in volumes {
        heads.extend([volume.to_string(), "±".into(), "last 13".into(), "worst".into()]);
    }
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut sheet = Sheet::new(title, &heads);
    let n_policies = found.len() / volumes.len().max(1);
    for policy in 0..n_policies {
        let of_volumes = found.iter().skip(policy).step_by(n_policies.max(1));
        let cells = of_volumes.flat_map(|standing| {
            let Estimate { mean, standard_error, .. } = standing.share;
            [mean, standard_error, standing.late_share.mean, standing.worst_week].map(four)
        });
        let name = found[policy].policy.clone();
        sheet.row([name].into_iter().chain(cells));
    }
    sheet.note("standard errors are over seeds; `last 13`: share over the last 13 weeks");
    sheet
}

fn estimate(estimate: Estimate) -> Value {
    json!({ "mean": estimate.mean, "standard_error": estimate.standard_error })
}

fn slow_json(row: &SlowSellers) -> Value {
    json!({
        "units_per_week": row.units_per_week,
        "log_plus_one": estimate(row.log_plus_one),
        "log_plus_half": estimate(row.log_plus_half),
        "without_zeros": estimate(row.without_zeros),
        "counts": estimate(row.counts),
        "counts_rmse": row.counts_rmse,
        "pooled_rmse": row.pooled_rmse,
    })
}

fn standing_json(standing: &Standing) -> Value {
    json!({
        "policy": standing.policy,
        "units_per_week": standing.units_per_week,
        "share": estimate(standing.share),
        "late_share": estimate(standing.late_share),
        "worst_week": standing.worst_week,
        "by_seed": standing.by_seed,
    })
}
