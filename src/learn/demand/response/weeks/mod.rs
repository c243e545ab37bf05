//! Builds a panel from what a shop records: orders, the ledger of prices, competitors' prices, and the times in which
//! an item was sold out or promoted.
//!
//! Rules, one by one:
//! - A period's price is the mean of the logarithm of price over the time on sale, its exposure that time
//!   over its length.
//! - A period in which an item with a price was sold out all the time, or nearly, is left out and counted: that
//!   nothing was sold then says nothing of demand. Of the time before stock-outs were recorded nothing is known; the
//!   item counts as on sale.
//! - Its promotion is the share of the time on sale in which it was promoted.
//! - Orders outside the time on sale are left out, as their time is; so are returns, which say nothing of the
//!   price of the day they are sent back.
//! - A giant order counts for less ([`order_cap`]).
//! - A period is random if nine tenths of its time on sale or more were under a lottery; the rest counts as a lottery
//!   with one ticket.
//! - A competitor's price counts if it was known for half the time on sale or more.
//! - An item without a ledger has the prices of its orders: in each period their mean, without orders the
//!   last one. It is on sale from its first order, which only starts its clock and is not counted, to the end
//!   of the period of its last one: what was asked before and after, nobody wrote down. A rise at which
//!   nothing was sold is not seen, so a ledger is worth keeping.

mod spans;

use super::panel::{EXPOSURE_MIN, Panel, PanelBuilder, PanelRow, Randomised};
use crate::domain::Timestamp;
use spans::{Span, covered, length, overlap, spans, union, without};

/// Share of an item's orders that are never cut.
const ORDER_QUANTILE: f64 = 0.995;
/// Share of a period's time on sale that must be under a lottery for the period to be a random one: prices move within an
/// hour or two of a slot's beginning. Our choice.
const RANDOM_MIN: f64 = 0.9;
/// Median orders that a single order may always hold. Our choice.
const MEDIANS_MAX: f64 = 5.0;

/// One line of an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SaleRecord {
    /// Position of the item.
    pub item: u32,
    /// When.
    pub at: Timestamp,
    /// How many; a return is negative.
    pub units: f64,
    /// Price of one, if the order says so; read only of items without a ledger.
    pub unit_price: Option<f64>,
}

/// A price that was in force for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceSpell {
    /// Position of the item.
    pub item: u32,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` = until the next one of the item.
    pub to: Option<Timestamp>,
    /// How much.
    pub price: f64,
    /// Set if the price was drawn at random.
    pub randomised: Option<Randomised>,
    /// Whether pricing decided on it.
    pub is_decided: bool,
}

/// What competitors asked for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompetitorSpell {
    /// Position of our item.
    pub item: u32,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` = until the next one of the item.
    pub to: Option<Timestamp>,
    /// How much.
    pub price: f64,
}

/// A time in which something held of an item: that it was sold out, or promoted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spell {
    /// Position of the item.
    pub item: u32,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` = until the end.
    pub to: Option<Timestamp>,
}

/// What a shop recorded, in any order.
#[derive(Clone, Copy, Debug, Default)]
pub struct History<'a> {
    /// Orders.
    pub sales: &'a [SaleRecord],
    /// The ledger; items that are not in it have the prices of their orders.
    pub prices: &'a [PriceSpell],
    /// Competitors' prices.
    pub competitors: &'a [CompetitorSpell],
    /// Times in which an item could not be bought; they may overlap.
    pub sold_out: &'a [Spell],
    /// Times in which an item was promoted; they may overlap.
    pub promoted: &'a [Spell],
}

/// The periods of a panel, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// Start of the first.
    pub start: Timestamp,
    /// Length of each; milliseconds.
    pub length_ms: i64,
    /// How many.
    pub n_periods: usize,
}

impl Periods {
    fn bounds(&self, period: usize) -> Span {
        let start = self.start.0.saturating_add(self.length_ms.saturating_mul(period as i64));
        start..start.saturating_add(self.length_ms)
    }

    fn position(&self, at: Timestamp) -> Option<usize> {
        let since = at.since_ms(self.start);
        let position = usize::try_from(since.checked_div(self.length_ms)?).ok()?;
        (since >= 0 && position < self.n_periods).then_some(position)
    }

    fn whole(&self) -> Span {
        self.bounds(0).start..self.bounds(self.n_periods).start
    }
}

/// What became of orders and of periods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Counted in the panel, those that were cut included.
    pub counted: u64,
    /// Of these, cut to the greatest size that is believed.
    pub winsorised: u64,
    /// Returns.
    pub returns: u64,
    /// Units 0, not finite or absurd; or of an item that there is not.
    pub refused: u64,
    /// Before the first or after the last period.
    pub outside: u64,
    /// While the item had no stock, or no price, by the records.
    pub off_sale: u64,
    /// First orders of items without a ledger, which start their clocks.
    pub first: u64,
    /// Periods of an item that were left out because it was sold out all the time, or nearly.
    pub periods_sold_out: u64,
    /// Periods of an item in which it was sold out for a while.
    pub periods_partly_sold_out: u64,
    /// Periods of an item in which it was promoted for a while.
    pub periods_promoted: u64,
}

/// Builds the panel; `category_of (n_items)` gives each item's category. Sorts, else linear in records and
/// periods on sale.
///
/// A spell whose price no price can be is left out as if it had not been recorded: the one before it goes on.
pub fn build(
    history: &History<'_>,
    category_of: &[Option<u32>],
    periods: &Periods,
) -> (Panel, Counts) {
    let n_items = category_of.len();
    let (mut builder, mut counts) =
        (PanelBuilder::new(n_items, periods.n_periods), Counts::default());
    if periods.length_ms <= 0 {
        return (builder.build(category_of), counts);
    }
    let mut sales: Vec<SaleRecord> = Vec::with_capacity(history.sales.len());
    for sale in history.sales {
        if sale.item as usize >= n_items
            || !sale.units.is_finite()
            || !(1e-6..=1e9).contains(&sale.units.abs())
        {
            counts.refused += 1;
        } else if sale.units < 0.0 {
            counts.returns += 1;
        } else if periods.position(sale.at).is_none() {
            counts.outside += 1;
        } else {
            sales.push(*sale);
        }
    }
    sales.sort_by(|a, b| (a.item, a.at).cmp(&(b.item, b.at)).then(a.units.total_cmp(&b.units)));
    let is_price = |price: f64| price.is_finite() && price > 0.0;
    let prices =
        sorted(history.prices, |spell| is_price(spell.price), |spell| (spell.item, spell.from));
    let competitors = sorted(
        history.competitors,
        |spell| is_price(spell.price),
        |spell| (spell.item, spell.from),
    );
    let lasts = |spell: &Spell| spell.to.is_none_or(|to| spell.from < to);
    let [sold_out, promoted] = [history.sold_out, history.promoted]
        .map(|spells| sorted(spells, lasts, |spell| (spell.item, spell.from)));
    let mut rest = (&sales[..], &prices[..], &competitors[..]);
    let mut rest_of_spells = (&sold_out[..], &promoted[..]);
    for item in 0..n_items as u32 {
        let of_item = ItemHistory {
            item,
            sales: take(&mut rest.0, |sale| sale.item <= item),
            prices: take(&mut rest.1, |spell| spell.item <= item),
            competitors: take(&mut rest.2, |spell| spell.item <= item),
            sold_out: union(take(&mut rest_of_spells.0, |spell| spell.item <= item)),
            promoted: union(take(&mut rest_of_spells.1, |spell| spell.item <= item)),
        };
        of_item.add_to(&mut builder, periods, &mut counts);
    }
    (builder.build(category_of), counts)
}

fn sorted<T: Copy, K: Ord>(
    records: &[T],
    keep: impl Fn(&T) -> bool,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let mut kept: Vec<T> = records.iter().filter(|record| keep(record)).copied().collect();
    kept.sort_by_key(key);
    kept
}

/// Cuts off the first records, those that belong.
fn take<'a, T>(records: &mut &'a [T], belongs: impl Fn(&T) -> bool) -> &'a [T] {
    let n = records.partition_point(belongs);
    let (taken, rest) = records.split_at(n);
    *records = rest;
    taken
}

/// The greatest size of an order that is taken as it is: the 99.5 % quantile of the item's order sizes (the
/// order statistic below it), and at least five median orders. `sizes` are sorted. A wholesaler's order of a
/// thousand is one customer, not a thousand.
///
/// Of up to 200 orders this leaves the largest no larger than the second, unless it is within five medians.
pub fn order_cap(sizes: &[f64]) -> f64 {
    let Some(last) = sizes.len().checked_sub(1) else { return f64::INFINITY };
    let quantile = sizes[(ORDER_QUANTILE * last as f64).floor() as usize];
    let median = sizes[last / 2];
    quantile.max(MEDIANS_MAX * median)
}

/// A price with its time.
#[derive(Clone, Debug)]
struct Priced {
    span: Span,
    log_price: f64,
    lottery: Option<Randomised>,
    is_decided: bool,
}

/// The records of one item, oldest first.
struct ItemHistory<'a> {
    item: u32,
    sales: &'a [SaleRecord],
    prices: &'a [PriceSpell],
    competitors: &'a [CompetitorSpell],
    sold_out: Vec<Span>,
    promoted: Vec<Span>,
}

impl ItemHistory<'_> {
    fn add_to(&self, builder: &mut PanelBuilder, periods: &Periods, counts: &mut Counts) {
        let has_ledger = !self.prices.is_empty();
        let counted = if has_ledger { self.sales } else { self.sales.get(1..).unwrap_or(&[]) };
        counts.first += (self.sales.len() - counted.len()) as u64;
        let spells = if has_ledger { self.ledger(periods) } else { self.prices_of_orders(periods) };
        let on_sale = self.on_sale(&spells);
        let priced: Vec<Span> = spells.iter().map(|piece| piece.span.clone()).collect();
        let competitors = spans(self.competitors, periods, |spell| (spell.from, spell.to));
        let mut sizes: Vec<f64> = counted.iter().map(|sale| sale.units).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        let cap = order_cap(&sizes);
        let (mut on_sale, mut sales) = (&on_sale[..], counted);
        for period in 0..periods.n_periods {
            let bounds = periods.bounds(period);
            let of_period = take(&mut sales, |sale| sale.at.0 < bounds.end);
            while on_sale.first().is_some_and(|piece| piece.span.end <= bounds.start) {
                on_sale = &on_sale[1..];
            }
            let pieces: Vec<Priced> = on_sale
                .iter()
                .take_while(|piece| piece.span.start < bounds.end)
                .map(|piece| Priced { span: overlap(&piece.span, &bounds), ..piece.clone() })
                .collect();
            let mut units = 0.0;
            for sale in of_period {
                if pieces.iter().any(|piece| piece.span.contains(&sale.at.0)) {
                    counts.counted += 1;
                    counts.winsorised += u64::from(sale.units > cap);
                    units += sale.units.min(cap);
                } else {
                    counts.off_sale += 1;
                }
            }
            let row = self.row(period, units, &pieces, &competitors, periods);
            let sold_out = covered(&priced, &bounds) - mean_over(&pieces, |_| 1.0).0;
            let is_seen = row.is_some_and(|row| row.exposure >= EXPOSURE_MIN);
            if sold_out > 0.0 && !is_seen {
                counts.periods_sold_out += 1;
                builder.leave_out(self.item);
                continue;
            }
            let Some(row) = row else { continue };
            counts.periods_partly_sold_out += u64::from(sold_out > 0.0);
            counts.periods_promoted += u64::from(row.promotion > 0.0);
            builder.push(&row);
        }
    }

    fn row(
        &self,
        period: usize,
        units: f64,
        pieces: &[Priced],
        competitors: &[(Span, CompetitorSpell)],
        periods: &Periods,
    ) -> Option<PanelRow> {
        let time = mean_over(pieces, |_| 1.0);
        if time.0 <= 0.0 {
            return None;
        }
        let drawn = mean_over(pieces, |piece| f64::from(u8::from(piece.lottery.is_some()))).1;
        let is_random = drawn >= RANDOM_MIN;
        let decided = mean_over(pieces, |piece| f64::from(u8::from(piece.is_decided))).1;
        let log_expected = |piece: &Priced| match piece.lottery {
            Some(lottery) => lottery.expected_price.map(f64::ln),
            None => Some(piece.log_price),
        };
        let expected: Option<Vec<f64>> = pieces.iter().map(log_expected).collect();
        let expected = expected.map(|logs| {
            let sum: f64 =
                pieces.iter().zip(&logs).map(|(piece, log)| length(&piece.span) * log).sum();
            (sum / time.0).exp()
        });
        let randomised = is_random.then_some(Randomised { expected_price: expected });
        let (mut known, mut sum) = (0.0, 0.0);
        for piece in pieces {
            for (span, spell) in competitors {
                let weight = length(&overlap(span, &piece.span));
                known += weight;
                sum += weight * spell.price.ln();
            }
        }
        let promoted: f64 = pieces.iter().map(|piece| covered(&self.promoted, &piece.span)).sum();
        let competitor = (known >= 0.5 * time.0).then(|| (sum / known).exp());
        Some(PanelRow {
            item: self.item,
            period: period as u32,
            units,
            price: mean_over(pieces, |piece| piece.log_price).1.exp(),
            competitor,
            promotion: (promoted / time.0).min(1.0),
            exposure: (time.0 / periods.length_ms as f64).min(1.0),
            randomised,
            is_decided: decided > 0.5,
        })
    }

    /// The ledger's prices with their times.
    fn ledger(&self, periods: &Periods) -> Vec<Priced> {
        let timed = spans(self.prices, periods, |spell| (spell.from, spell.to)).into_iter();
        let priced = timed.map(|(span, spell)| Priced {
            span,
            log_price: spell.price.ln(),
            lottery: spell.randomised.map(|draw| Randomised {
                expected_price: draw
                    .expected_price
                    .filter(|&price| price.is_finite() && price > 0.0),
            }),
            is_decided: spell.is_decided,
        });
        priced.collect()
    }

    /// The prices that orders tell, one for each period from the first order to the last.
    fn prices_of_orders(&self, periods: &Periods) -> Vec<Priced> {
        let (Some(first), Some(last)) = (self.sales.first(), self.sales.last()) else {
            return vec![];
        };
        let (Some(start), Some(end)) = (periods.position(first.at), periods.position(last.at))
        else {
            return vec![];
        };
        let (mut rest, mut known, mut spells) = (self.sales, None, vec![]);
        for period in start..=end {
            let bounds = periods.bounds(period);
            let of_period = take(&mut rest, |sale| sale.at.0 < bounds.end);
            let prices = of_period.iter().filter_map(|sale| sale.unit_price);
            let logs: Vec<f64> =
                prices.filter(|&price| price.is_finite() && price > 0.0).map(f64::ln).collect();
            if !logs.is_empty() {
                known = Some(logs.iter().sum::<f64>() / logs.len() as f64);
            }
            if let Some(log_price) = known {
                let span = bounds.start.max(first.at.0)..bounds.end;
                spells.push(Priced { span, log_price, lottery: None, is_decided: false });
            }
        }
        spells
    }

    /// The times with a price and with stock.
    fn on_sale(&self, spells: &[Priced]) -> Vec<Priced> {
        let mut pieces = vec![];
        for spell in spells {
            let left = without(&spell.span, &self.sold_out).into_iter();
            pieces.extend(left.map(|span| Priced { span, ..spell.clone() }));
        }
        pieces
    }
}

/// Time of the pieces, and the mean of something over it.
fn mean_over(pieces: &[Priced], of: impl Fn(&Priced) -> f64) -> (f64, f64) {
    let (time, sum) = pieces.iter().fold((0.0, 0.0), |(time, sum), piece| {
        let length = length(&piece.span);
        (time + length, sum + length * of(piece))
    });
    (time, if time > 0.0 { sum / time } else { 0.0 })
}

#[cfg(test)]
mod tests;
