//! What is promised of a choice, from a case to a price.

mod bad_input;
mod closed_form;
mod markdown;
mod properties;
mod rails;
mod stock;
mod trials;

use super::*;
use crate::{
    domain::{Cents, ItemId, Timestamp, time::DAY_MS},
    learn::demand::response::{DemandBelief, Evidence, Grade, Symmetric3},
};

/// 2025-06-02, a Monday.
const NOW: Timestamp = Timestamp(1_748_822_400_000);

fn evidence(low: f64, high: f64) -> Evidence {
    Evidence {
        price_min: low,
        price_max: high,
        n_price_points: 8,
        price_sd: 0.1,
        price_sd_beyond_promotion: 0.1,
        units: 400.0,
        n_periods: 52,
        exposed_periods: 52.0,
        n_randomised: 0,
        n_with_competitor: 0,
        prior_share: 0.2,
        grade: Grade::A,
    }
}

/// Ten units a week at 10.00, tried from 7.00 to 30.00; without a doubt.
fn belief(elasticity: f64) -> DemandBelief {
    DemandBelief {
        coefficients: [10.0_f64.ln(), elasticity, 0.0],
        covariance: Symmetric3::default(),
        bounds: [[-8.0, -0.2], [0.0, 2.0]],
        reference_price: 1000.0,
        reference_competitor: None,
        overdispersion: 1.0,
        overdispersion_squared: 0.0,
        evidence: Some(evidence(700.0, 3000.0)),
    }
}

/// The same with an uncertain elasticity.
fn doubtful(elasticity: f64, sd: f64) -> DemandBelief {
    DemandBelief {
        covariance: Symmetric3([0.01, 0.0, sd * sd, 0.0, 0.0, 0.0]),
        ..belief(elasticity)
    }
}

fn policy() -> ChoicePolicy {
    ChoicePolicy {
        goal: Goal::Profit,
        margin_floor: 0.05,
        step_max: 0.1,
        step_30d_max: 0.3,
        endings: vec![],
        fee_share: 0.0,
        salvage_share: 0.5,
        corridor: None,
        explore: ExplorePolicy { enabled: true, loss_max: 0.02, share: 0.1, dwell_days: 7.0 },
    }
}

/// An item at 10.00 that costs 6.00, its price a month old.
fn case() -> Case {
    Case {
        item: ItemId::new("mug").unwrap(),
        market: "fi".to_owned(),
        at: NOW,
        list: Some(Cents(1000)),
        cost: Some(Cents(600)),
        past: Past {
            current: Some(Cents(1000)),
            since: Some(NOW.plus_ms(-40 * DAY_MS)),
            day_ago: Some(Cents(1000)),
            month_ago: Some(Cents(1000)),
            sold_out_at: None,
        },
        limits: ItemLimits::default(),
        demand: Some(belief(-2.5)),
        competitors: None,
        stock: None,
        may_explore: false,
        policy: policy(),
        is_promoted: false,
    }
}

/// A case whose price may go anywhere at once.
fn free_case() -> Case {
    let mut case = case();
    (case.policy.step_max, case.policy.step_30d_max, case.policy.margin_floor) = (1.0, 10.0, 0.0);
    case
}
