//! How demand answers to price, from what the shop recorded.

use super::{FitError, Run};
use crate::{
    domain::{EventKind, Timestamp, time::DAY_MS},
    learn::{
        demand::{
            competitors::TrustPolicy,
            response::{
                self, DemandResponse, ResponseParams,
                weeks::{
                    self, CompetitorSpell, Counts, History, Periods, PriceSpell, SaleRecord, Spell,
                },
            },
        },
        related::ItemFacts,
    },
};
use serde::Serialize;

const WEEK_MS: i64 = 7 * DAY_MS;

/// How price response is learned.
#[derive(Clone, Debug)]
pub struct PriceResponseParams {
    /// How far back, in weeks.
    pub weeks_max: usize,
    /// What is believed before any sale, and how it is fitted.
    pub response: ResponseParams,
    /// Days for which a drawn price counts as drawn: how long a trial lasts.
    pub trial_days: f64,
    /// Minor units of a whole one, if the currency has them.
    pub minor_units: Option<f64>,
    /// Which competitors' offers are believed.
    pub trust: TrustPolicy,
}

/// Prices, stock and promotions by item position.
#[derive(Clone, Debug, Default)]
pub struct PriceRecords {
    /// The ledger.
    pub prices: Vec<PriceSpell>,
    /// Entries of the ledger that are no prices of the item as it is.
    pub prices_left_out: u64,
    /// What competitors asked.
    pub competitors: Vec<CompetitorSpell>,
    /// Times in which items could not be bought.
    pub sold_out: Vec<Spell>,
    /// Times in which items were promoted.
    pub promoted: Vec<Spell>,
}

/// What price response rests on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PriceResponseReport {
    /// Weeks of the panel.
    pub weeks: usize,
    /// Rows: items times weeks on sale.
    pub rows: usize,
    /// Item weeks that have no row because the item could not be bought in them.
    pub weeks_sold_out: u64,
    /// Rows of weeks in which the item could not be bought for a while.
    pub weeks_partly_sold_out: u64,
    /// Rows of weeks in which the item was promoted for a while.
    pub weeks_promoted: u64,
    /// Order lines that were counted.
    pub orders: u64,
    /// Of these, cut to the greatest size that is believed of one order.
    pub orders_cut: u64,
    /// Order lines that say nothing: while the item had no price or no stock by the records, and the first ones
    /// of items whose ledger is empty.
    pub orders_left_out: u64,
    /// Prices of the ledger that are not learned from: minor units taken for whole ones, or of another good that had the
    /// same id.
    pub prices_left_out: u64,
    /// Mean elasticity of the shop.
    pub shop_elasticity: f64,
    /// Its standard error.
    pub shop_elasticity_standard_error: f64,
    /// Items by grade of evidence, A to E; those without a row have E.
    pub items_by_grade: [usize; 5],
    /// Sweeps of the fit.
    pub sweeps: usize,
    /// Whether it came to rest.
    pub has_converged: bool,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Run<'_> {
    /// In real time: what a closed week sells is nobody's price. `None` if nothing was sold at a known price.
    pub(super) fn price_response(
        &self,
        (facts, records): (&[ItemFacts], &PriceRecords),
        now: Timestamp,
    ) -> Result<Option<(DemandResponse, PriceResponseReport)>, FitError> {
        let begun = std::time::Instant::now();
        let params = &self.params.price_response;
        let sales: Vec<SaleRecord> = self
            .log
            .acts()
            .iter()
            .filter(|act| act.kind == EventKind::Purchase)
            .map(|act| SaleRecord {
                item: act.item.0,
                at: act.at,
                units: f64::from(act.quantity),
                unit_price: None,
            })
            .collect();
        let Some(first) = sales.iter().map(|sale| sale.at).min() else { return Ok(None) };
        // Weeks begin where trials of a week do, so that a drawn price has its week to itself. The first and the last are
        // partial ones, on sale only between the first and the last event.
        let end = now.plus_ms(1);
        let floor = |at: Timestamp| Timestamp(at.0.div_euclid(WEEK_MS) * WEEK_MS);
        let ceiling = floor(now).plus_ms(WEEK_MS);
        let n_weeks = ceiling.since_ms(floor(first)) / WEEK_MS;
        let n_periods = n_weeks.clamp(1, params.weeks_max as i64) as usize;
        let start = ceiling.plus_ms(-WEEK_MS * n_periods as i64);
        let periods = Periods { start, length_ms: WEEK_MS, n_periods };
        let known = first.max(start)..end;
        let prices: Vec<PriceSpell> = records
            .prices
            .iter()
            .map(|spell| PriceSpell {
                from: spell.from.max(known.start),
                to: Some(spell.to.map_or(known.end, |to| to.min(known.end))),
                ..*spell
            })
            .filter(|spell| spell.to.is_some_and(|to| spell.from < to))
            .collect();
        let category_of: Vec<Option<u32>> =
            facts.iter().map(|facts| facts.categories.first().copied()).collect();
        let history = History {
            sales: &sales,
            prices: &prices,
            competitors: &records.competitors,
            sold_out: &records.sold_out,
            promoted: &records.promoted,
        };
        let (panel, counts) = weeks::build(&history, &category_of, &periods);
        if panel.n_rows() == 0 {
            return Ok(None);
        }
        let mut response = response::fit(&panel, &params.response, self.stop)?;
        response.bias = response::bias_meter(&panel, &response);
        let mut report = report(&response, &counts);
        (report.weeks, report.rows) = (n_periods, panel.n_rows());
        report.prices_left_out = records.prices_left_out;
        report.seconds = begun.elapsed().as_secs_f64();
        Ok(Some((response, report)))
    }
}

fn report(response: &DemandResponse, counts: &Counts) -> PriceResponseReport {
    let mut items_by_grade = [0; 5];
    for item in 0..response.n_items() {
        let grade = response.item(item).map_or(4, |item| item.evidence.grade as usize);
        items_by_grade[grade] += 1;
    }
    PriceResponseReport {
        weeks_sold_out: counts.periods_sold_out,
        weeks_partly_sold_out: counts.periods_partly_sold_out,
        weeks_promoted: counts.periods_promoted,
        orders: counts.counted,
        orders_cut: counts.winsorised,
        orders_left_out: counts.off_sale + counts.first,
        shop_elasticity: response.shop_elasticity.mean,
        shop_elasticity_standard_error: response.shop_elasticity.standard_error(),
        items_by_grade,
        sweeps: response.n_sweeps,
        has_converged: response.has_converged,
        ..PriceResponseReport::default()
    }
}
