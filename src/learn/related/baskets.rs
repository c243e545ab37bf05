//! What happened together: items by basket and baskets by item, and how often two items meet.

use crate::domain::EventKind;
use crate::learn::{dataset::log::Act, recommenders::similarity::scattered};

/// Sets of items that one shopper took or looked at together.
///
/// 4 bytes for each item of a basket each way, 8 a basket and 4 an item; at most `u32::MAX` places.
#[derive(Clone, Debug, Default)]
pub struct Baskets {
    /// Whose a basket is; rising.
    shoppers: Vec<u32>,
    /// Items of each basket, each once, rising.
    items: Members,
    /// Baskets of each item, rising.
    holders: Members,
}

/// How acts make baskets.
#[derive(Clone, Copy, Debug)]
pub struct Grouping<'a> {
    /// Acts of these kinds.
    pub kinds: &'a [EventKind],
    /// Longest pause within a basket, in milliseconds.
    pub gap_ms: Option<i64>,
    /// Most items of a basket.
    pub items_max: usize,
}

impl Baskets {
    /// Groups acts, which are in order of time, by shopper and visit.
    ///
    /// Of a basket with more than `items_max` items a part is kept that differs from basket to basket: what
    /// meets in an order of 500 lines costs no more than in one of `items_max`, and a shop where all orders
    /// are long is not left without. Cost: linear in acts, but for sorting each shopper's own by visit.
    ///
    /// # Panics
    ///
    /// If an item lies at or beyond `n_items`.
    pub fn of(acts: &[Act], n_items: usize, grouping: &Grouping<'_>) -> Self {
        let of_shopper = by_shopper(acts, grouping.kinds);
        let (mut shoppers, mut items) = (Vec::new(), Members::default());
        let mut basket = Vec::new();
        for (shopper, positions) in of_shopper.into_iter().enumerate() {
            let mut close = |basket: &mut Vec<u32>| {
                basket.sort_unstable();
                basket.dedup();
                if grouping.items_max < basket.len() {
                    let salt = scattered(shoppers.len() as u32);
                    basket.sort_unstable_by_key(|item| scattered(item ^ salt));
                    basket.truncate(grouping.items_max);
                    basket.sort_unstable();
                }
                if !basket.is_empty() {
                    shoppers.push(shopper as u32);
                    items.push(basket.drain(..));
                }
            };
            let mut before: Option<&Act> = None;
            for act in positions.iter().map(|&at| &acts[at as usize]) {
                let goes_on = before.is_some_and(|before| {
                    before.visit == act.visit
                        && grouping.gap_ms.is_none_or(|gap| act.at.since_ms(before.at) <= gap)
                });
                if !goes_on {
                    close(&mut basket);
                }
                basket.push(act.item.0);
                before = Some(act);
            }
            close(&mut basket);
        }
        let holders = items.inverted(n_items);
        Self { shoppers, items, holders }
    }

    /// Number of baskets.
    pub fn len(&self) -> usize {
        self.shoppers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shoppers.is_empty()
    }

    /// Sizes of all baskets.
    pub fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|basket| self.items.row(basket).len())
    }

    /// In how many baskets an item is.
    pub fn n_with(&self, item: u32) -> u32 {
        self.holders.row(item as usize).len() as u32
    }
}

/// Positions of each shopper's acts of these kinds, by visit, within it by time.
fn by_shopper(acts: &[Act], kinds: &[EventKind]) -> Vec<Vec<u32>> {
    let n_shoppers = acts.iter().map(|act| act.user.0 as usize + 1).max().unwrap_or(0);
    let mut of_shopper = vec![Vec::new(); n_shoppers];
    for (at, act) in (0..).zip(acts) {
        if kinds.contains(&act.kind) {
            of_shopper[act.user.0 as usize].push(at);
        }
    }
    for positions in &mut of_shopper {
        // Stable, so that time stays in order.
        positions.sort_by_key(|&at| acts[at as usize].visit);
    }
    of_shopper
}

/// Rows of positions, one after the other.
#[derive(Clone, Debug)]
struct Members {
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Default for Members {
    fn default() -> Self {
        Self { starts: vec![0], members: Vec::new() }
    }
}

impl Members {
    fn push(&mut self, row: impl Iterator<Item = u32>) {
        self.members.extend(row);
        let end = u32::try_from(self.members.len());
        self.starts.push(end.expect("a log holds fewer than 2³² acts"));
    }

    fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    fn row(&self, row: usize) -> &[u32] {
        &self.members[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// The rows that have each member, by a counting sort.
    fn inverted(&self, n_members: usize) -> Self {
        let mut starts = vec![0; n_members + 1];
        for &member in &self.members {
            starts[member as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut members = vec![0; self.members.len()];
        for row in 0..self.n_rows() {
            for &member in self.row(row) {
                let at = &mut next[member as usize];
                members[*at as usize] = row as u32;
                *at += 1;
            }
        }
        Self { starts, members }
    }
}

/// How often an item was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meeting {
    /// In how many baskets.
    pub baskets: u32,
    /// By how many shoppers.
    pub shoppers: u32,
    last_shopper: u32,
}

/// Room for the meetings of one item with all others, cleared in the time of what was touched.
#[derive(Clone, Debug)]
pub struct Meetings {
    by_item: Vec<Meeting>,
    touched: Vec<u32>,
}

impl Meetings {
    /// Room for `n_items`.
    pub fn new(n_items: usize) -> Self {
        Self { by_item: vec![Meeting::default(); n_items], touched: Vec::new() }
    }

    /// Counts what `item` meets in its baskets, in place of what was there.
    pub fn count(&mut self, item: u32, baskets: &Baskets) {
        for other in self.touched.drain(..) {
            self.by_item[other as usize] = Meeting::default();
        }
        for &basket in baskets.holders.row(item as usize) {
            let shopper = baskets.shoppers[basket as usize];
            for &other in baskets.items.row(basket as usize) {
                let meeting = &mut self.by_item[other as usize];
                if meeting.baskets == 0 {
                    self.touched.push(other);
                }
                // A shopper's baskets come one after the other.
                meeting.shoppers +=
                    u32::from(meeting.baskets == 0 || meeting.last_shopper != shopper);
                meeting.baskets += 1;
                meeting.last_shopper = shopper;
            }
        }
        if let Some(itself) = self.by_item.get_mut(item as usize) {
            *itself = Meeting::default();
        }
        self.touched.retain(|&other| other != item);
        self.touched.sort_unstable();
    }

    /// What was met, rising.
    pub fn met(&self) -> impl Iterator<Item = (u32, Meeting)> + '_ {
        self.touched.iter().map(|&other| (other, self.by_item[other as usize]))
    }

    /// How often one item was met.
    pub fn with(&self, item: u32) -> Meeting {
        self.by_item[item as usize]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Sequence, Timestamp};
    use crate::learn::dataset::{ItemIdx, UserIdx};

    /// One act; time in minutes.
    pub(crate) fn act(kind: EventKind, user: u32, visit: u32, item: u32, minute: i64) -> Act {
        Act {
            at: Timestamp(minute * 60_000),
            sequence: Sequence(0),
            user: UserIdx(user),
            item: ItemIdx(item),
            quantity: 1.0,
            weight: 1.0,
            visit,
            kind,
        }
    }

    fn rows(baskets: &Baskets) -> Vec<(u32, Vec<u32>)> {
        let row = |basket| baskets.items.row(basket).to_vec();
        (0..baskets.len()).map(|basket| (baskets.shoppers[basket], row(basket))).collect()
    }

    const ORDERS: Grouping<'static> =
        Grouping { kinds: &[EventKind::Purchase], gap_ms: None, items_max: 100 };

    #[test]
    fn acts_group_by_shopper_and_visit_and_not_by_visit_alone() {
        let buy = |user, visit, item| act(EventKind::Purchase, user, visit, item, 0);
        let look = act(EventKind::View, 0, 7, 9, 0);
        let acts = [buy(1, 7, 3), buy(0, 7, 2), look, buy(0, 7, 1), buy(0, 5, 1), buy(0, 7, 2)];
        let baskets = Baskets::of(&acts, 10, &ORDERS);
        assert_eq!(rows(&baskets), [(0, vec![1]), (0, vec![1, 2]), (1, vec![3])]);
        assert_eq!((baskets.n_with(1), baskets.n_with(2), baskets.n_with(9)), (2, 1, 0));
        assert!(baskets.sizes().eq([1, 2, 1]));
    }

    #[test]
    fn a_long_pause_ends_a_basket() {
        let look = |item, minute| act(EventKind::View, 0, 7, item, minute);
        let acts = [look(1, 0), look(2, 30), look(3, 61), look(1, 62)];
        let grouping =
            Grouping { kinds: &[EventKind::View], gap_ms: Some(30 * 60_000), items_max: 9 };
        let baskets = Baskets::of(&acts, 4, &grouping);
        assert_eq!(rows(&baskets), [(0, vec![1, 2]), (0, vec![1, 3])]);
    }

    #[test]
    fn a_huge_basket_keeps_a_part_that_differs() {
        let mut acts = Vec::new();
        for visit in 0..2 {
            acts.extend((0..50).map(|item| act(EventKind::Purchase, 0, visit, item, 0)));
        }
        let baskets = Baskets::of(&acts, 50, &Grouping { items_max: 10, ..ORDERS });
        let rows = rows(&baskets);
        assert!(rows.iter().all(|(_, items)| items.len() == 10 && items.is_sorted()));
        assert_ne!(rows[0].1, rows[1].1);
    }

    #[test]
    fn meetings_count_baskets_and_shoppers() {
        let buy = |user, visit, item| act(EventKind::Purchase, user, visit, item, 0);
        let mut acts = Vec::new();
        for (user, visit) in [(0, 1), (0, 2), (1, 1)] {
            acts.extend([buy(user, visit, 0), buy(user, visit, 1)]);
        }
        acts.push(buy(1, 1, 2));
        let baskets = Baskets::of(&acts, 4, &ORDERS);
        let mut meetings = Meetings::new(4);
        for _ in 0..2 {
            meetings.count(0, &baskets);
            let met: Vec<_> = meetings.met().map(|(i, m)| (i, m.baskets, m.shoppers)).collect();
            assert_eq!(met, [(1, 3, 2), (2, 1, 1)]);
            assert_eq!(meetings.with(0), Meeting::default(), "nothing meets itself");
            meetings.count(3, &baskets);
            assert_eq!(meetings.met().count(), 0);
        }
    }

    #[test]
    fn nothing_makes_no_baskets() {
        let baskets = Baskets::of(&[], 0, &ORDERS);
        assert!(baskets.is_empty());
    }
}
