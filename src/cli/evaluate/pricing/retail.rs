//! Online Retail: what a year of invoices says of price response, and which model foresees its last weeks.
//!
//! What a row counts for is what the import makes of it: negative quantities and cancellations are returns, rows
//! without a price are no sales, codes of fees are no goods, and a repeated row is one. Prices are a ledger as the
//! import keeps it: a day's price is the one that most of its purchases paid, the lower one of two as frequent, and
//! holds until the day of the next different one. So a wholesaler's discount does not pass for a cut of prices. An
//! item is on sale from its first priced day to the end of the week of its last sale. Days beyond the last whole week
//! are left out.

use super::{
    Measured,
    rows::{DataFile, Row},
    sheet::{Sheet, four, three},
};
use crate::{
    cli::{
        evaluate::{
            files::Ids,
            text_file::{FileError, FileFacts},
        },
        import::is_goods,
    },
    domain::{ItemId, Timestamp, time::DAY_MS},
    learn::{
        demand::response::{
            DemandResponse, Grade, Panel, ResponseParams, fit,
            weeks::{History, Periods, PriceSpell, SaleRecord, build},
        },
        evaluation::{
            Estimate,
            pricing::{
                HeldOut, held_out,
                held_out::{Foresight, MODELS},
            },
        },
        recommenders::NEVER_STOP,
    },
};
use anyhow::ensure;
use jiff::{civil, tz::Offset};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
};

/// What the header must name.
pub(super) const COLUMNS: &[&str] =
    &["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice"];
const WEEK_MS: i64 = 7 * DAY_MS;
/// Price points from which on an item's elasticity is listed.
const POINTS_MIN: u32 = 3;
/// Quantiles that are printed.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
const GRADES: [(Grade, &str); 5] =
    [(Grade::A, "A"), (Grade::B, "B"), (Grade::C, "C"), (Grade::D, "D"), (Grade::E, "E")];

/// Purchases by item: when, how many, at which price.
#[derive(Default)]
struct Purchases {
    items: Ids,
    sales: Vec<SaleRecord>,
    n_returns: usize,
    n_not_sales: usize,
    n_repeated: usize,
    seen: FxHashSet<u64>,
}

impl Purchases {
    fn take(&mut self, row: &Row<'_>) -> Result<(), FileError> {
        let mut hasher = rustc_hash::FxHasher::default();
        (0..COLUMNS.len()).for_each(|at| row.text(at).hash(&mut hasher));
        let (units, price) = (row.number(2)?, row.number(4)?);
        let at =
            time(row.text(3)).ok_or_else(|| row.wrong(3, "is not like 2010-12-01 08:26:00"))?;
        let goods = ItemId::new(row.text(1)).ok().filter(is_goods);
        if !self.seen.insert(hasher.finish()) {
            self.n_repeated += 1;
        } else if units < 0.0 || row.text(0).starts_with(['C', 'c']) {
            self.n_returns += 1;
        } else if price <= 0.0 || units <= 0.0 || goods.is_none() {
            self.n_not_sales += 1;
        } else {
            let item = self.items.position(row.text(1));
            self.sales.push(SaleRecord { item, at, units, unit_price: Some(price) });
        }
        Ok(())
    }
}

fn time(text: &str) -> Option<Timestamp> {
    let time = text.parse::<civil::DateTime>();
    let time = time.or_else(|_| civil::DateTime::strptime("%m/%d/%Y %H:%M", text)).ok()?;
    Some(Timestamp(Offset::UTC.to_timestamp(time).ok()?.as_millisecond()))
}

/// Measures invoices; the last `n_held_out` weeks are foreseen from those before.
pub(super) fn measure(file: DataFile, n_held_out: usize) -> anyhow::Result<(FileFacts, Measured)> {
    let mut purchases = Purchases::default();
    let facts = file.read(COLUMNS, |row| purchases.take(row))?;
    let (panel, periods) = panel(&purchases.sales, purchases.items.len());
    ensure!(panel.n_rows() > 0, "there are no sales of goods at a price to learn from");
    ensure!(
        n_held_out < periods.n_periods,
        "{n_held_out} weeks cannot be held out of {}",
        periods.n_periods
    );
    let params = ResponseParams::default();
    let response = fit(&panel, &params, NEVER_STOP)?;
    let (elasticities, elasticities_sheet) = elasticities(&response);
    let foreseen = held_out(&panel, n_held_out, &params, NEVER_STOP)?;
    let foreseen_sheet = foresight(&foreseen, n_held_out);
    let counts = json!({
        "sales": purchases.sales.len(),
        "returns": purchases.n_returns,
        "not_sales": purchases.n_not_sales,
        "repeated": purchases.n_repeated,
        "items": panel.n_items(),
        "weeks": periods.n_periods,
        "item_weeks": panel.n_rows(),
    });
    let results = json!({
        "counts": counts,
        "elasticities": elasticities,
        "held_out": foreseen_json(&foreseen, n_held_out),
    });
    Ok((facts, (results, vec![elasticities_sheet, foreseen_sheet.0, foreseen_sheet.1])))
}

/// Sales by week, at the prices of the ledger.
fn panel(sales: &[SaleRecord], n_items: usize) -> (Panel, Periods) {
    let day = |at: Timestamp| at.0.div_euclid(DAY_MS);
    let first = sales.iter().map(|sale| day(sale.at)).min().unwrap_or(0);
    let last = sales.iter().map(|sale| day(sale.at)).max().unwrap_or(0);
    // Days beyond the last whole week would pass for a bad one.
    let n_periods = ((last - first + 1) / 7).max(1) as usize;
    let periods = Periods { start: Timestamp(first * DAY_MS), length_ms: WEEK_MS, n_periods };
    let mut paid: BTreeMap<(u32, i64), BTreeMap<u64, u32>> = BTreeMap::new();
    for sale in sales {
        // Positive numbers are in the order of their bits (IEEE 754-2008, 5.10).
        let price = sale.unit_price.unwrap_or_default().to_bits();
        *paid.entry((sale.item, day(sale.at))).or_default().entry(price).or_default() += 1;
    }
    let mut prices: Vec<PriceSpell> = Vec::new();
    let mut last_day: Vec<i64> = vec![first; n_items];
    for ((item, day), paid) in paid {
        last_day[item as usize] = day;
        let most = paid.iter().max_by_key(|&(&price, &n)| (n, std::cmp::Reverse(price)));
        let price = most.map_or(0.0, |(&price, _)| f64::from_bits(price));
        let same = prices
            .last()
            .is_some_and(|last| last.item == item && last.price.to_bits() == price.to_bits());
        if !same {
            let from = Timestamp(day * DAY_MS);
            prices.push(PriceSpell {
                item,
                from,
                to: None,
                price,
                randomised: None,
                is_decided: false,
            });
        }
    }
    let of_next: Vec<u32> = prices.iter().skip(1).map(|next| next.item).collect();
    for (at, spell) in prices.iter_mut().enumerate() {
        if of_next.get(at) != Some(&spell.item) {
            let weeks = (last_day[spell.item as usize] - first) / 7 + 1;
            spell.to = Some(periods.start.plus_ms(weeks * WEEK_MS));
        }
    }
    let history = History { sales, prices: &prices, ..History::default() };
    (build(&history, &vec![None; n_items], &periods).0, periods)
}

/// Elasticities of the items whose prices moved, and grades of all.
fn elasticities(response: &DemandResponse) -> (Value, Sheet) {
    let items =
        (0..response.n_items()).filter_map(|item| Some((item, response.item(item)?.evidence)));
    let items: Vec<_> = items.collect();
    let mut means: Vec<f64> = items
        .iter()
        .filter(|(_, evidence)| evidence.is_identified() && evidence.n_price_points >= POINTS_MIN)
        .filter_map(|&(item, _)| Some(response.elasticity(item)?.mean))
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let quantile = |share: f64| {
        let at = (share * means.len().saturating_sub(1) as f64).round() as usize;
        means.get(at).copied()
    };
    let title = format!(
        "Online Retail: elasticities of {} items with {POINTS_MIN} price points or more, of {} sold",
        means.len(),
        items.len()
    );
    let heads = QUANTILES.map(|share| format!("{:.0} %", 100.0 * share));
    let heads: Vec<&str> =
        ["quantile"].into_iter().chain(heads.iter().map(String::as_str)).collect();
    let mut sheet = Sheet::new(title, &heads);
    let cells = QUANTILES.map(|share| quantile(share).map_or_else(|| "–".into(), three));
    sheet.row(["elasticity".to_owned()].into_iter().chain(cells));
    let count = |grade: Grade| items.iter().filter(|(_, evidence)| evidence.grade == grade).count();
    let share = |grade: Grade| count(grade) as f64 / items.len().max(1) as f64;
    let grades = GRADES
        .map(|(grade, name)| format!("{name} {:.1} % ({})", 100.0 * share(grade), count(grade)));
    sheet.note(format!("items by grade of the evidence: {}", grades.join(", ")));
    let shop = response.shop_elasticity;
    sheet.note(format!("mean of the shop {:.3} ± {:.3}", shop.mean, shop.standard_error()));
    let json = json!({
        "items_with_price_points": means.len(),
        "quantiles": QUANTILES.map(|share| json!({ "share": share, "elasticity": quantile(share) })),
        "shop": { "mean": shop.mean, "standard_error": shop.standard_error() },
        "grades": GRADES.map(|(grade, name)| json!({
            "grade": name, "items": count(grade), "share": share(grade),
        })),
    });
    (json, sheet)
}

/// A model against ours in a word.
fn verdict(behind: Estimate) -> &'static str {
    match behind {
        behind if behind.mean == 0.0 => "",
        behind if behind.mean.abs() < 2.0 * behind.standard_error => "tie",
        behind if behind.mean > 0.0 => "ours is better",
        _ => "ours is worse",
    }
}

fn foresight(found: &HeldOut, n_held_out: usize) -> (Sheet, Sheet) {
    let sheet = |title: String, models: &[Foresight; 3]| {
        let heads = ["model", "log-likelihood", "±", "ours has more by", "±", ""];
        let mut sheet = Sheet::new(title, &heads);
        for (name, model) in MODELS.iter().zip(models) {
            let (own, behind) = (model.log_likelihood, model.behind_ours);
            let numbers = [own.mean, own.standard_error, behind.mean, behind.standard_error];
            let cells = [(*name).to_owned()].into_iter().chain(numbers.map(four));
            sheet.row(cells.chain([verdict(behind).to_owned()]));
        }
        sheet
    };
    let title = format!(
        "the last {n_held_out} weeks foreseen: {} items, {} item-weeks; by item-week, standard errors over items",
        found.n_items, found.n_item_weeks
    );
    let foreseen = sheet(title, &found.models);
    let mut given =
        sheet("the same with the level of each week given".into(), &found.at_given_level);
    given.note(format!("the one elasticity for all is {:.3}", found.shared_elasticity));
    (foreseen, given)
}

fn foreseen_json(found: &HeldOut, n_held_out: usize) -> Value {
    let estimate = |estimate: Estimate| json!({ "mean": estimate.mean, "standard_error": estimate.standard_error });
    let models = |models: &[Foresight; 3]| -> Vec<Value> {
        let of = |(name, model): (&&str, &Foresight)| {
            json!({
                "model": name,
                "log_likelihood": estimate(model.log_likelihood),
                "behind_ours": estimate(model.behind_ours),
                "verdict": verdict(model.behind_ours),
            })
        };
        MODELS.iter().zip(models).map(of).collect()
    };
    json!({
        "weeks": n_held_out,
        "items": found.n_items,
        "item_weeks": found.n_item_weeks,
        "foreseen": models(&found.models),
        "at_given_level": models(&found.at_given_level),
        "shared_elasticity": found.shared_elasticity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_days_price_is_the_most_frequent_one_and_holds_until_it_changes() {
        let day = |day: i64| Timestamp(day * DAY_MS + 5);
        let sale = |at: i64, price: f64| SaleRecord {
            item: 0,
            at: day(at),
            units: 1.0,
            unit_price: Some(price),
        };
        let sales = [
            sale(10, 4.0),
            sale(10, 4.0),
            sale(10, 2.0),
            sale(17, 3.0),
            sale(17, 4.0),
            sale(24, 9.0),
            sale(30, 9.0),
            sale(31, 1.0),
        ];
        let (panel, periods) = panel(&sales, 1);
        assert_eq!((periods.n_periods, panel.n_rows()), (3, 3));
        let rows: Vec<_> = panel.rows_of(0).collect();
        let expected = [(3.0, 4.0), (2.0, 3.0), (2.0, 9.0)];
        for (row, (units, price)) in rows.iter().zip(expected) {
            assert!((row.units - units).abs() < 1e-9 && (row.price / price - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn times_are_read_as_both_exports_write_them() {
        assert_eq!(time("2010-12-01 08:26:00"), time("12/1/2010 8:26"));
        assert_eq!(time("noon"), None);
    }
}
