//! What the invoices of Online Retail say about the goods: their titles, and their prices over time.
//!
//! Codes that do not begin with five digits stand for postage, fees, vouchers, samples and manual
//! adjustments; only the few that begin with `DCGS` are goods as well. Four services have the code of
//! an article and are named one by one. What is no goods stays in the record of events, is never recommended (`available: false`), and has no price that the shop set.
//!
//! The price of a day is the unit price of most of its purchases, the lower one if two are as
//! frequent: quantity discounts and orders by telephone differ on the same day, but one price
//! prevails. It is taken to be in force until the day of the next different one.

use super::{ImportError, feed::Feed};
use crate::domain::{
    Cents, Event, EventKind, ItemId, Patch, PriceEntry, PriceReason, Timestamp, item::ItemPatch,
    time::DAY_MS,
};
use std::collections::{BTreeMap, HashMap};

/// The category of what is no goods.
const NOT_GOODS: &str = "not goods";
/// Voucher, next day carriage, packing charge, picture in high resolution.
const SERVICES: [&str; 4] = ["22016", "23444", "23574", "23702"];
/// Ledger entries in one transaction, at least; the item at hand is always completed.
const PRICES_PER_BATCH: usize = 5_000;
/// The longest title that a form takes as well.
const TITLE_CHARS_MAX: usize = 1_000;

/// Gathers what is said about every item. Bounded by items × days × prices, not by rows.
#[derive(Default)]
pub(super) struct Catalogue {
    items: BTreeMap<ItemId, Seen>,
}

#[derive(Default)]
struct Seen {
    /// How often each description stands beside a price.
    sold_as: HashMap<String, u32>,
    /// How often each description stands beside no price, where clerks write their notes.
    noted_as: HashMap<String, u32>,
    /// How often each price was paid on each day.
    paid: BTreeMap<(i64, Cents), u32>,
}

impl Catalogue {
    /// Takes in what an event's row says about its item.
    pub(super) fn saw(&mut self, event: &Event, description: &str) {
        let Some(item) = &event.item else { return };
        if !self.items.contains_key(item) {
            self.items.insert(item.clone(), Seen::default());
        }
        let Some(seen) = self.items.get_mut(item) else { return };
        let price = event.price.filter(|price| price.0 > 0);
        let names = if price.is_some() { &mut seen.sold_as } else { &mut seen.noted_as };
        match names.get_mut(description) {
            Some(n) => *n += 1,
            None => drop(names.insert(description.to_owned(), 1)),
        }
        if let Some(price) = price.filter(|_| event.kind == EventKind::Purchase) {
            *seen.paid.entry((event.occurred_at.0.div_euclid(DAY_MS), price)).or_insert(0) += 1;
        }
    }

    /// Sends titles and prices, which the store takes only for items that have none.
    pub(super) fn send(self, feed: &mut Feed) -> Result<(), ImportError> {
        let patches = self.items.iter().map(|(item, seen)| (item.clone(), seen.patch(item)));
        feed.catalogue(patches.collect())?;
        let mut entries = vec![];
        for (item, seen) in self.items.iter().filter(|(item, _)| is_goods(item)) {
            entries.extend(seen.ledger(item));
            if entries.len() >= PRICES_PER_BATCH {
                feed.prices(std::mem::take(&mut entries))?;
            }
        }
        feed.prices(entries)
    }
}

impl Seen {
    fn patch(&self, item: &ItemId) -> ItemPatch {
        let mut patch = ItemPatch::default();
        if let Some(title) = self.title(is_goods(item)) {
            patch.title = Patch::Set(title.chars().take(TITLE_CHARS_MAX).collect());
        }
        if !is_goods(item) {
            patch.available = Patch::Set(false);
            patch.categories = Patch::Set(vec![NOT_GOODS.to_owned()]);
        }
        patch
    }

    /// The most frequent description that is none of the clerks' notes. Beside a price everything is
    /// a title, if need be also one that looks like a note.
    fn title(&self, is_goods: bool) -> Option<&str> {
        let title = |text: &str| !is_note(text);
        let any = |text: &str| !text.is_empty() && !text.contains(char::is_control);
        let sold = most_frequent(&self.sold_as, title);
        let noted = || most_frequent(&self.noted_as, title);
        let last = || most_frequent(&self.sold_as, any);
        let no_goods = || if is_goods { None } else { most_frequent(&self.noted_as, any) };
        sold.or_else(noted).or_else(last).or_else(no_goods)
    }

    fn ledger(&self, item: &ItemId) -> Vec<PriceEntry> {
        // Of a day, prices rise; only a higher count displaces the lower price before it.
        let mut days: Vec<(i64, Cents, u32)> = vec![];
        for (&(day, price), &n) in &self.paid {
            match days.last_mut() {
                Some(last) if last.0 == day && last.2 >= n => {}
                Some(last) if last.0 == day => *last = (day, price, n),
                _ => days.push((day, price, n)),
            }
        }
        let mut entries: Vec<PriceEntry> = vec![];
        for (day, price, _) in days {
            let from = Timestamp(day * DAY_MS);
            if let Some(last) = entries.last_mut() {
                if last.price == price {
                    continue;
                }
                last.to = Some(from);
            }
            let (item, reason) = (item.clone(), PriceReason::Imported);
            entries.push(PriceEntry { item, price, from, to: None, reason });
        }
        entries
    }
}

/// The text that occurs most often, the first in the alphabet of several.
fn most_frequent(counts: &HashMap<String, u32>, takes: impl Fn(&str) -> bool) -> Option<&str> {
    let taken = counts.iter().filter(|(text, _)| takes(text));
    taken.max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a))).map(|(text, _)| text.as_str())
}

/// Whether a description is a clerk's (`damages`, `?`, `lost`) and not the catalogue's, which is
/// written in capitals but for a unit or two.
pub(super) fn is_note(description: &str) -> bool {
    let n_upper = description.chars().filter(|c| c.is_uppercase()).count();
    let n_lower = description.chars().filter(|c| c.is_lowercase()).count();
    n_upper <= n_lower || description.contains(char::is_control)
}

/// Whether a stock code is of something that lies on a shelf.
pub(in crate::cli) fn is_goods(item: &ItemId) -> bool {
    let code = item.as_str();
    let n_digits = code.bytes().take_while(u8::is_ascii_digit).count();
    (n_digits >= 5 || code.starts_with("DCGS")) && !SERVICES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(code: &str) -> ItemId {
        ItemId::new(code).unwrap()
    }

    fn seen(paid: &[((i64, i64), u32)]) -> Seen {
        let paid = paid.iter().map(|&((day, cents), n)| ((day, Cents(cents)), n));
        Seen { paid: paid.collect(), ..Seen::default() }
    }

    #[test]
    fn goods_are_told_from_fees_by_their_code() {
        for code in ["85123A", "22423", "DCGS0003", "15056BL"] {
            assert!(is_goods(&item(code)), "{code}");
        }
        for code in
            ["POST", "DOT", "M", "m", "D", "C2", "23444", "BANK CHARGES", "gift_0001_10", "TEST001"]
        {
            assert!(!is_goods(&item(code)), "{code}");
        }
    }

    #[test]
    fn a_note_is_no_title() {
        for note in ["", "?", "damages", "found", "20713", "Thrown away.", "sold as set on dotcom"]
        {
            assert!(is_note(note), "{note}");
        }
        for title in ["RED LANTERN", "BAG 125g SWIRLY MARBLES", "PAD 30CMx30CM"] {
            assert!(!is_note(title), "{title}");
        }
    }

    #[test]
    fn the_most_frequent_title_wins_whatever_clerks_write_beside_it() {
        let counted = |names: &[(&str, u32)]| {
            names.iter().map(|&(name, n)| (name.to_owned(), n)).collect::<HashMap<_, _>>()
        };
        let mut goods = Seen {
            sold_as: counted(&[("RED LANTERN", 3), ("LANTERN RED", 3), ("LAMP", 2)]),
            noted_as: counted(&[("check", 9)]),
            ..Seen::default()
        };
        assert_eq!(goods.title(true), Some("LANTERN RED"));
        goods.sold_as = counted(&[("Office Mirror Ball", 1), ("", 5)]);
        assert_eq!(goods.title(true), Some("Office Mirror Ball"));
        goods.sold_as.clear();
        assert_eq!(goods.title(true), None);
        assert_eq!(goods.title(false), Some("check"));
    }

    #[test]
    fn the_ledger_holds_each_days_prevailing_price_once_per_change() {
        let paid = [
            ((10, 200), 2),
            ((10, 250), 2), // As frequent as 200, which is lower.
            ((11, 200), 1),
            ((13, 200), 1),
            ((13, 300), 3),
            ((14, 300), 1),
            ((20, 200), 1),
        ];
        let entries = seen(&paid).ledger(&item("12345"));
        let days = |time: Timestamp| time.0 / DAY_MS;
        let read: Vec<(i64, i64, Option<i64>)> =
            entries.iter().map(|e| (e.price.0, days(e.from), e.to.map(days))).collect();
        assert_eq!(read, [(200, 10, Some(13)), (300, 13, Some(20)), (200, 20, None)]);
        assert!(seen(&[]).ledger(&item("12345")).is_empty());
    }
}
