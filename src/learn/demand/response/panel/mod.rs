//! Sales by item and period, with all that is known to have moved them.
//!
//! A row is one item in one period (a week, as a rule). Rows lie column by column in memory, item by item,
//! 31 bytes each; prices are kept as logarithms relative to the item's own mean, which is what the
//! model is linear in.

use serde::{Deserialize, Serialize};

/// Prices that are believed, in any currency's minor or major units.
const PRICE: std::ops::RangeInclusive<f64> = 1e-6..=1e12;

/// Units in one period that are believed.
const UNITS: std::ops::RangeInclusive<f64> = 0.0..=1e9;

/// Least share of a period in which an item must have been on sale for the period to say something about
/// demand: of less than an hour and a half of a week, the first minutes would speak for all.
pub(super) const EXPOSURE_MIN: f64 = 0.01;

/// One item in one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PanelRow {
    /// Position of the item.
    pub item: u32,
    /// Position of the period, from 0.
    pub period: u32,
    /// Units ordered; at least 0.
    pub units: f64,
    /// Price asked; above 0.
    pub price: f64,
    /// Competitors' price, if one was known; above 0.
    pub competitor: Option<f64>,
    /// Share of the period in which the item was promoted, 0 to 1.
    pub promotion: f64,
    /// Share of the period in which the item could be bought, 0 to 1.
    pub exposure: f64,
    /// Set if the price was drawn at random.
    pub randomised: Option<Randomised>,
    /// Whether pricing decided on the price: from what was known before the period, where a merchant may have seen what
    /// would sell in it.
    pub is_decided: bool,
}

/// How a random price was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Randomised {
    /// Mean of the prices that could have been drawn, weighted by their chances; `None` if the same lottery was held in
    /// all of the item's random periods, whose mean then serves.
    pub expected_price: Option<f64>,
}

/// Rows that were left out, or taken with less than they said, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// Of an item or a period that there is not.
    pub position: u64,
    /// Price at most 0, not finite, or absurd.
    pub price: u64,
    /// Units negative, not finite, or absurd.
    pub units: u64,
    /// Promotion or exposure that is no share.
    pub share: u64,
    /// Sold out for all of the period or nearly: says nothing about demand.
    pub sold_out: u64,
    /// Competitor's price at most 0, not finite, or absurd: the row was kept without it.
    pub competitor: u64,
}

impl Refusals {
    /// Rows that were left out.
    pub fn n_rows(&self) -> u64 {
        self.position + self.price + self.units + self.share + self.sold_out
    }
}

/// Collects rows in any order; those in the order of items are the cheapest to take.
#[derive(Clone, Debug)]
pub struct PanelBuilder {
    n_items: usize,
    n_periods: usize,
    items: Vec<u32>,
    columns: Columns,
    /// By item.
    left_out: Vec<u32>,
    refusals: Refusals,
}

impl PanelBuilder {
    /// For items `0..n_items` in periods `0..n_periods`.
    pub fn new(n_items: usize, n_periods: usize) -> Self {
        let (items, columns, left_out) = (Vec::new(), Columns::default(), vec![0; n_items]);
        Self { n_items, n_periods, items, columns, left_out, refusals: Refusals::default() }
    }

    /// Counts a period in which the item could not be bought: it has no row.
    pub fn leave_out(&mut self, item: u32) {
        self.refusals.sold_out += 1;
        if let Some(left_out) = self.left_out.get_mut(item as usize) {
            *left_out += 1;
        }
    }

    /// Takes a row, or counts why not.
    pub fn push(&mut self, row: &PanelRow) {
        let refused = &mut self.refusals;
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let reason = if row.item as usize >= self.n_items || row.period as usize >= self.n_periods {
            Some(&mut refused.position)
        } else if !PRICE.contains(&row.price) {
            Some(&mut refused.price)
        } else if !UNITS.contains(&row.units) {
            Some(&mut refused.units)
        } else if !is_share(row.promotion) || !is_share(row.exposure) {
            Some(&mut refused.share)
        } else if row.exposure < EXPOSURE_MIN {
            Some(&mut refused.sold_out)
        } else {
            None
        };
        if let Some(reason) = reason {
            *reason += 1;
            return;
        }
        let competitor = row.competitor.filter(|price| PRICE.contains(price));
        refused.competitor += u64::from(competitor.is_none() && row.competitor.is_some());
        let expected = row.randomised.and_then(|draw| draw.expected_price);
        self.items.push(row.item);
        let columns = &mut self.columns;
        columns.period.push(row.period);
        columns.units.push(row.units as f32);
        columns.log_price.push(row.price.ln() as f32);
        columns.log_competitor.push(competitor.map_or(0.0, |price| price.ln() as f32));
        columns.promotion.push(row.promotion as f32);
        columns.log_exposure.push(row.exposure.ln() as f32);
        let expected = expected.filter(|price| PRICE.contains(price));
        columns.price_shock.push(expected.map_or(0.0, |price| (row.price / price).ln() as f32));
        let is = |flag: u8, set: bool| if set { flag } else { 0 };
        columns.flags.push(
            is(HAS_COMPETITOR, competitor.is_some())
                | is(RANDOMISED, row.randomised.is_some())
                | is(HAS_EXPECTED, expected.is_some())
                | is(DECIDED, row.is_decided || row.randomised.is_some()),
        );
    }

    /// The panel; `category_of (n_items)` gives each item's category, any number.
    ///
    /// # Panics
    ///
    /// If `category_of` is of another length.
    pub fn build(self, category_of: &[Option<u32>]) -> Panel {
        assert_eq!(category_of.len(), self.n_items, "every item has a category or none");
        let Self { n_items, n_periods, items, mut columns, left_out, refusals } = self;
        if !items.is_sorted() {
            let mut order: Vec<u32> = (0..items.len() as u32).collect();
            order.sort_by_key(|&row| items[row as usize]);
            columns = columns.in_order(&order);
        }
        let mut starts = vec![0; n_items + 1];
        for &item in &items {
            starts[item as usize + 1] += 1;
        }
        for item in 0..n_items {
            starts[item + 1] += starts[item];
        }
        let references = (0..n_items).map(|item| columns.centre(starts[item]..starts[item + 1]));
        let references = references.collect();
        let (categories, category_of) = dense_categories(category_of);
        Panel {
            n_periods,
            starts,
            columns,
            references,
            categories,
            category_of,
            left_out,
            refusals,
        }
    }
}

/// Every category that occurs, rising, `None` last; and the position of each item's in them.
fn dense_categories(category_of: &[Option<u32>]) -> (Vec<Option<u32>>, Vec<u32>) {
    let key = |category: &Option<u32>| category.map_or(u64::MAX, u64::from);
    let mut categories = category_of.to_vec();
    categories.sort_unstable_by_key(key);
    categories.dedup();
    let position = |category: &Option<u32>| {
        let found = categories.binary_search_by_key(&key(category), key);
        found.expect("every item's category is among the categories") as u32
    };
    let positions = category_of.iter().map(position).collect();
    (categories, positions)
}

const HAS_COMPETITOR: u8 = 1;
const RANDOMISED: u8 = 2;
const HAS_EXPECTED: u8 = 4;
const DECIDED: u8 = 8;

#[derive(Clone, Debug, Default, PartialEq)]
struct Columns {
    period: Vec<u32>,
    units: Vec<f32>,
    log_price: Vec<f32>,
    log_competitor: Vec<f32>,
    promotion: Vec<f32>,
    log_exposure: Vec<f32>,
    price_shock: Vec<f32>,
    flags: Vec<u8>,
}

impl Columns {
    fn in_order(self, order: &[u32]) -> Self {
        fn take<T: Copy>(column: &[T], order: &[u32]) -> Vec<T> {
            order.iter().map(|&row| column[row as usize]).collect()
        }
        Self {
            period: take(&self.period, order),
            units: take(&self.units, order),
            log_price: take(&self.log_price, order),
            log_competitor: take(&self.log_competitor, order),
            promotion: take(&self.promotion, order),
            log_exposure: take(&self.log_exposure, order),
            price_shock: take(&self.price_shock, order),
            flags: take(&self.flags, order),
        }
    }

    /// Makes the prices of one item relative to their means, which are returned. A missing competitor's price is taken
    /// for its mean, so that it says nothing.
    fn centre(&mut self, rows: std::ops::Range<usize>) -> Reference {
        let flags = &self.flags[rows.clone()];
        let competitor = centre(&mut self.log_competitor[rows.clone()], flags, |flags| {
            flags & HAS_COMPETITOR != 0
        });
        let price = centre(&mut self.log_price[rows.clone()], flags, |_| true);
        let unknown = |flags: u8| flags & (RANDOMISED | HAS_EXPECTED) == RANDOMISED;
        for row in rows.clone().filter(|&row| unknown(self.flags[row])) {
            self.price_shock[row] = self.log_price[row];
        }
        let shocks = &mut self.price_shock[rows];
        centre(shocks, flags, unknown);
        Reference { log_price: price.unwrap_or(0.0), log_competitor: competitor }
    }
}

/// Subtracts from the values of the rows that count their mean; `None` if there are none.
fn centre(values: &mut [f32], flags: &[u8], counts: impl Fn(u8) -> bool) -> Option<f64> {
    let counted = values.iter().zip(flags).filter(|&(_, &flags)| counts(flags));
    let (n, sum) = counted.fold((0_u32, 0.0), |(n, sum), (&x, _)| (n + 1, sum + f64::from(x)));
    let mean = (n > 0).then(|| sum / f64::from(n))?;
    for (value, _) in values.iter_mut().zip(flags).filter(|&(_, &flags)| counts(flags)) {
        *value = (f64::from(*value) - mean) as f32;
    }
    Some(mean)
}

/// The means that an item's logarithms of prices are relative to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reference {
    pub(super) log_price: f64,
    pub(super) log_competitor: Option<f64>,
}

/// Sales by item and period.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    n_periods: usize,
    starts: Vec<usize>,
    columns: Columns,
    references: Vec<Reference>,
    categories: Vec<Option<u32>>,
    category_of: Vec<u32>,
    left_out: Vec<u32>,
    refusals: Refusals,
}

impl Panel {
    /// Number of items, those without rows included.
    pub fn n_items(&self) -> usize {
        self.references.len()
    }

    /// Number of periods.
    pub fn n_periods(&self) -> usize {
        self.n_periods
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.columns.units.len()
    }

    /// What was left out.
    pub fn refusals(&self) -> Refusals {
        self.refusals
    }

    /// Periods of the item that have no row because it could not be bought in them.
    pub fn left_out(&self, item: usize) -> u32 {
        self.left_out[item]
    }

    /// The categories by position; `None` holds the items that have none.
    pub fn categories(&self) -> &[Option<u32>] {
        &self.categories
    }

    /// The position of the item's category.
    pub fn category_position(&self, item: usize) -> usize {
        self.category_of[item] as usize
    }

    /// The rows of one item in the order in which they were taken; prices as exact as they are kept, to seven digits.
    /// What was expected of a lottery is left out.
    pub fn rows_of(&self, item: usize) -> impl Iterator<Item = PanelRow> + '_ {
        let reference = self.references[item];
        let competitor = reference.log_competitor.unwrap_or(0.0);
        self.rows(item).iter().map(move |row| PanelRow {
            item: item as u32,
            period: row.period as u32,
            units: row.units,
            price: (reference.log_price + row.log_price).exp(),
            competitor: row.has_competitor.then(|| (competitor + row.log_competitor).exp()),
            promotion: row.promotion,
            exposure: row.log_exposure.exp(),
            randomised: row.is_randomised.then(Randomised::default),
            is_decided: row.is_decided,
        })
    }

    pub(super) fn reference(&self, item: usize) -> Reference {
        self.references[item]
    }

    pub(super) fn rows(&self, item: usize) -> ItemRows<'_> {
        let rows = self.starts[item]..self.starts[item + 1];
        ItemRows {
            period: &self.columns.period[rows.clone()],
            units: &self.columns.units[rows.clone()],
            log_price: &self.columns.log_price[rows.clone()],
            log_competitor: &self.columns.log_competitor[rows.clone()],
            promotion: &self.columns.promotion[rows.clone()],
            log_exposure: &self.columns.log_exposure[rows.clone()],
            price_shock: &self.columns.price_shock[rows.clone()],
            flags: &self.columns.flags[rows],
        }
    }
}

/// The rows of one item, column by column.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemRows<'a> {
    period: &'a [u32],
    units: &'a [f32],
    log_price: &'a [f32],
    log_competitor: &'a [f32],
    promotion: &'a [f32],
    log_exposure: &'a [f32],
    price_shock: &'a [f32],
    flags: &'a [u8],
}

/// One row as the model sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) period: usize,
    pub(super) units: f64,
    /// Logarithm of the price over the item's mean.
    pub(super) log_price: f64,
    /// Logarithm of the competitors' price over its mean; 0 if there is none.
    pub(super) log_competitor: f64,
    pub(super) promotion: f64,
    pub(super) log_exposure: f64,
    /// Logarithm of the price over that expected of the lottery; 0 if there was none.
    pub(super) price_shock: f64,
    pub(super) is_randomised: bool,
    pub(super) is_decided: bool,
    pub(super) has_competitor: bool,
}

impl<'a> ItemRows<'a> {
    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Row> + Clone + 'a {
        (0..self.len()).map(move |row| Row {
            period: self.period[row] as usize,
            units: f64::from(self.units[row]),
            log_price: f64::from(self.log_price[row]),
            log_competitor: f64::from(self.log_competitor[row]),
            promotion: f64::from(self.promotion[row]),
            log_exposure: f64::from(self.log_exposure[row]),
            price_shock: f64::from(self.price_shock[row]),
            is_randomised: self.flags[row] & RANDOMISED != 0,
            is_decided: self.flags[row] & DECIDED != 0,
            has_competitor: self.flags[row] & HAS_COMPETITOR != 0,
        })
    }
}

#[cfg(test)]
mod tests;
