//! The catalogue as rules see it.

use super::LINT_ITEMS_MAX;
use crate::{
    decide::{
        filter::{Bitmap, Filter, ItemView},
        rules::rule::{Action, CheckedRule, Rule},
    },
    domain::{Item, ItemId, Timestamp},
};
use std::collections::{HashMap, HashSet};

/// What is known of the catalogue.
pub(super) struct Shop<'a> {
    /// The items that can be sold, up to [`LINT_ITEMS_MAX`].
    pub(super) sellable: Vec<&'a Item>,
    /// Every item that some rule pins and the catalogue has.
    pub(super) pinned: HashMap<&'a ItemId, &'a Item>,
    pub(super) now: Timestamp,
}

/// A rule and, if it has a filter, the sellable items that match.
pub(super) struct Subject<'a> {
    pub(super) rule: &'a Rule,
    pub(super) filter: Option<&'a Filter>,
    pub(super) matching: Bitmap,
}

impl<'a> Shop<'a> {
    pub(super) fn new(
        rules: &[CheckedRule],
        catalogue: impl IntoIterator<Item = &'a Item>,
        now: Timestamp,
    ) -> Self {
        let pinned_ids = rules.iter().flat_map(|rule| pinned_by(rule.rule()));
        let pinned_ids: HashSet<&ItemId> = pinned_ids.collect();
        let mut shop = Self { sellable: Vec::new(), pinned: HashMap::new(), now };
        for item in catalogue {
            if item.is_sellable() && shop.sellable.len() < LINT_ITEMS_MAX {
                shop.sellable.push(item);
            }
            if pinned_ids.contains(&item.item_id) {
                shop.pinned.insert(&item.item_id, item);
            }
        }
        shop
    }

    /// Asks each filter once about each item, however many rules have it.
    pub(super) fn subjects<'r>(&self, rules: &'r [CheckedRule]) -> Vec<Subject<'r>> {
        let mut filters: Vec<(&Filter, Bitmap)> = Vec::new();
        let mut position_of: HashMap<&Filter, usize> = HashMap::new();
        for filter in rules.iter().filter_map(CheckedRule::filter) {
            position_of.entry(filter).or_insert_with(|| {
                filters.push((filter, Bitmap::new(self.sellable.len())));
                filters.len() - 1
            });
        }
        // All filters look at a few items while these are in the cache, not the other way round.
        for (block, items) in self.sellable.chunks(64).enumerate() {
            for (filter, matching) in &mut filters {
                for (at, item) in items.iter().enumerate() {
                    if filter.matches(&self.view(item)) {
                        matching.set(block * 64 + at);
                    }
                }
            }
        }
        let matching_of = |filter| position_of.get(filter).map(|at| filters[*at].1.clone());
        let subject = |checked: &'r CheckedRule| Subject {
            rule: checked.rule(),
            filter: checked.filter(),
            matching: checked.filter().and_then(matching_of).unwrap_or_default(),
        };
        rules.iter().map(subject).collect()
    }

    fn view<'v>(&self, item: &'v Item) -> ItemView<'v> {
        ItemView { item, now: self.now }
    }

    /// The items of `rule` that can be shown and for which `filter` says `answer`.
    pub(super) fn pinned_where<'r>(
        &self,
        rule: &'r Rule,
        filter: Option<&Filter>,
        answer: bool,
    ) -> Vec<&'r ItemId> {
        let is_such = |id: &&ItemId| {
            self.pinned.get(*id).is_some_and(|item| {
                item.is_sellable()
                    && filter.is_some_and(|filter| filter.matches(&self.view(item)) == answer)
            })
        };
        pinned_by(rule).iter().filter(is_such).collect()
    }
}

pub(super) fn pinned_by(rule: &Rule) -> &[ItemId] {
    match &rule.action {
        Action::Pin { items, .. } => items,
        _ => &[],
    }
}
