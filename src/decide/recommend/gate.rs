//! What keeps an item out of a list: asked in the same order for every list, and for the question why.

use super::{list::Ask, policy::Policy, taste::Taste};
use crate::{
    decide::{
        filter::{Filter, ItemView, Sieve},
        rules::RuleSet,
    },
    domain::{
        Item, ItemId, RuleId, Timestamp,
        time::{DAY_MS, MINUTE_MS},
    },
    snapshot::Snapshot,
};
use rustc_hash::FxHashSet;
use std::{fmt, sync::Arc};

/// The catalogue as it is now.
pub trait Goods {
    /// The item, also a removed one; `None` if it is not known.
    fn item(&self, item: &ItemId) -> Option<Arc<Item>>;

    /// Which positions of the snapshot pass a filter, if that is known without asking each item.
    fn sieve(&self, snapshot: &Snapshot, filter: &Filter) -> Option<Arc<Sieve>>;

    /// The filter for items of a category.
    fn category_filter(&self, category: &str) -> Filter;
}

/// For how long an item is not shown again to whoever has just dealt with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HidePolicy {
    /// Days after its purchase; 0 = not at all.
    pub purchased_days: u32,
    /// Minutes after it was looked at, clicked or put into the cart; 0 = not at all.
    pub seen_minutes: u32,
}

impl HidePolicy {
    /// When a purchase of `at` no longer hides its item.
    pub fn purchase_ends(&self, at: Timestamp) -> Timestamp {
        at.plus_ms(i64::from(self.purchased_days).saturating_mul(DAY_MS))
    }

    /// When something of `at` that is no purchase no longer hides its item.
    pub fn sight_ends(&self, at: Timestamp) -> Timestamp {
        at.plus_ms(i64::from(self.seen_minutes).saturating_mul(MINUTE_MS))
    }
}

/// The stage that left an item out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The request excludes it.
    Excluded,
    /// It, or another variant of it, is on the page or in the cart.
    InContext,
    /// The shopper dealt with it in this visit; until when it stays out.
    SeenInVisit(Option<Timestamp>),
    /// The shopper bought it; until when it stays out.
    BoughtLately(Timestamp),
    /// It is not in the catalogue.
    NotInCatalogue,
    /// The merchant took it out of the catalogue.
    RemovedFromCatalogue,
    /// The merchant says that it is not available.
    NotAvailable,
    /// There is none left.
    OutOfStock,
    /// It is not of the category that is asked for.
    OtherCategory,
    /// It does not pass the request's filter.
    Filtered,
    /// This rule hides it.
    HiddenByRule(RuleId),
    /// It does not pass the filter of this rule.
    FilteredByRule(RuleId),
    /// Its score is below the least that the scenario shows.
    BelowRelevance,
    /// Another variant of it is in the list already.
    VariantShown(ItemId),
    /// This rule allows no more of its kind.
    CappedByRule(RuleId),
    /// Its place is left to chance, which drew this item.
    LeftToChance(ItemId),
}

impl Removal {
    /// The name in the HTTP contract.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::InContext => "in_context",
            Self::SeenInVisit(_) => "seen_in_visit",
            Self::BoughtLately(_) => "bought_lately",
            Self::NotInCatalogue => "not_in_catalogue",
            Self::RemovedFromCatalogue => "removed_from_catalogue",
            Self::NotAvailable => "not_available",
            Self::OutOfStock => "out_of_stock",
            Self::OtherCategory => "other_category",
            Self::Filtered => "filtered",
            Self::HiddenByRule(_) => "hidden_by_rule",
            Self::FilteredByRule(_) => "filtered_by_rule",
            Self::BelowRelevance => "below_relevance",
            Self::VariantShown(_) => "variant_shown",
            Self::CappedByRule(_) => "capped_by_rule",
            Self::LeftToChance(_) => "left_to_chance",
        }
    }

    /// What would let the item in.
    pub fn remedy(&self) -> String {
        match self {
            Self::Excluded => "Ask without it in `exclude`.".into(),
            Self::InContext => "Ask without it in `context`.".into(),
            Self::SeenInVisit(Some(until)) => {
                format!("Wait until {until}, or lower `recommendations.hide_seen_minutes`.")
            }
            Self::SeenInVisit(None) => "Ask without it in `session`.".into(),
            Self::BoughtLately(until) => {
                format!("Wait until {until}, or lower `recommendations.hide_purchased_days`.")
            }
            Self::NotInCatalogue => "Send an event about it, or PUT it into the catalogue.".into(),
            Self::RemovedFromCatalogue => "PUT it into the catalogue again.".into(),
            Self::NotAvailable => "Set `available` to true.".into(),
            Self::OutOfStock => "Set `stock` above 0, or leave it out.".into(),
            Self::OtherCategory => "Ask without `category`, or give the item that category.".into(),
            Self::Filtered => "Ask without `filter`, or change what it looks at.".into(),
            Self::HiddenByRule(rule) | Self::FilteredByRule(rule) | Self::CappedByRule(rule) => {
                format!(
                    "Change or disable the rule `{rule}`, or pin the item with a higher priority."
                )
            }
            Self::BelowRelevance => "Lower the scenario's `relevance_min`.".into(),
            Self::VariantShown(item) => {
                format!("Ask without `{item}`, or give the item another `group`.")
            }
            Self::LeftToChance(_) => {
                "Set the scenario's `exploration_position` to 0, or ask for more items.".into()
            }
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excluded => "The request excludes it.",
            Self::InContext => {
                "It, or another variant of it, is on the page or in the cart already."
            }
            Self::SeenInVisit(_) => "The shopper has dealt with it in this visit.",
            Self::BoughtLately(_) => "The shopper has bought it lately.",
            Self::NotInCatalogue => "It is not in the catalogue.",
            Self::RemovedFromCatalogue => "It was taken out of the catalogue.",
            Self::NotAvailable => "The merchant says that it is not available.",
            Self::OutOfStock => "It is out of stock.",
            Self::OtherCategory => "It is not of the category that is asked for.",
            Self::Filtered => "It does not pass the filter.",
            Self::HiddenByRule(_) => "A rule hides it.",
            Self::FilteredByRule(_) => "It does not pass the filter of a rule.",
            Self::BelowRelevance => "It is less relevant than the scenario allows.",
            Self::VariantShown(_) => "Another variant of it is in the list.",
            Self::CappedByRule(_) => "A rule allows no more of its kind.",
            Self::LeftToChance(_) => "Its place is left to chance, which drew another item.",
        })
    }
}

/// Everything that decides whether an item may be in one list.
pub struct Gate<'a> {
    /// What the models know.
    pub snapshot: &'a Snapshot,
    /// The shopper.
    pub taste: &'a Taste,
    /// What is asked.
    pub ask: &'a Ask,
    /// The catalogue.
    pub goods: &'a dyn Goods,
    /// What the shop's people want shown.
    pub rules: &'a RuleSet,
    /// How lists are made.
    pub policy: &'a Policy,
    hide: HidePolicy,
    now: Timestamp,
    /// What the request names, so that thousands of names cost each item one look.
    excluded: FxHashSet<&'a ItemId>,
    context: FxHashSet<&'a ItemId>,
    context_groups: FxHashSet<String>,
}

impl<'a> Gate<'a> {
    /// For one list: what `ask` wants for `taste`, by the catalogue and the rules as they are `now`.
    pub fn new(
        (snapshot, taste): (&'a Snapshot, &'a Taste),
        ask: &'a Ask,
        (goods, rules): (&'a dyn Goods, &'a RuleSet),
        (policy, hide): (&'a Policy, HidePolicy),
        now: Timestamp,
    ) -> Self {
        let group_of = |item: &ItemId| goods.item(item)?.fields.group.clone();
        Self {
            snapshot,
            taste,
            ask,
            goods,
            rules,
            policy,
            hide: policy.hide(hide),
            now,
            excluded: ask.exclude.iter().collect(),
            context: ask.context.iter().collect(),
            context_groups: ask.context.iter().filter_map(group_of).collect(),
        }
    }

    /// The item, or what keeps it out.
    pub fn admit(&self, item: &ItemId) -> Result<Arc<Item>, Removal> {
        let item = self.sellable(item)?;
        let effect = self.rules.effect(&self.view(&item));
        match (effect.hidden_by, effect.filtered_by) {
            (Some(rule), _) => Err(Removal::HiddenByRule(rule.clone())),
            (None, Some(rule)) => Err(Removal::FilteredByRule(rule.clone())),
            (None, None) => Ok(item),
        }
    }

    /// What tells most items that the request's filter or category keeps out, without a look at the catalogue.
    pub fn sieves(&self) -> Vec<Arc<Sieve>> {
        let category = self.ask.category.as_deref().map(|name| self.goods.category_filter(name));
        let filters = self.ask.filter.iter().chain(&category);
        filters.filter_map(|filter| self.goods.sieve(self.snapshot, filter)).collect()
    }

    /// The time that decides.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The item as filters see it.
    pub fn view<'i>(&self, item: &'i Item) -> ItemView<'i> {
        ItemView { item, now: self.now }
    }

    /// The item, or what keeps it out whatever the rules say.
    pub fn sellable(&self, item_id: &ItemId) -> Result<Arc<Item>, Removal> {
        let ask = self.ask;
        if self.excluded.contains(item_id) {
            return Err(Removal::Excluded);
        }
        if self.context.contains(item_id) {
            return Err(Removal::InContext);
        }
        if let Some(until) = self.purchased_until(item_id) {
            return Err(Removal::BoughtLately(until));
        }
        if let Some(removal) = self.seen_lately(item_id) {
            return Err(removal);
        }
        let item = self.goods.item(item_id).ok_or(Removal::NotInCatalogue)?;
        let fields = &item.fields;
        if item.removed {
            Err(Removal::RemovedFromCatalogue)
        } else if !fields.available.unwrap_or(true) {
            Err(Removal::NotAvailable)
        } else if fields.stock == Some(0) {
            Err(Removal::OutOfStock)
        } else if ask.category.as_ref().is_some_and(|wanted| !fields.categories.contains(wanted)) {
            Err(Removal::OtherCategory)
        } else if ask.filter.as_ref().is_some_and(|filter| !filter.matches(&self.view(&item))) {
            Err(Removal::Filtered)
        } else if fields.group.as_ref().is_some_and(|group| self.context_groups.contains(group)) {
            Err(Removal::InContext)
        } else {
            Ok(item)
        }
    }

    fn purchased_until(&self, item: &ItemId) -> Option<Timestamp> {
        let taste = self.taste;
        if taste.purchases.is_empty() && taste.new_purchases.is_empty() {
            return None;
        }
        let known = self.snapshot.item_position(item).and_then(|at| {
            let found = taste.purchases.binary_search_by_key(&at, |purchase| purchase.0);
            found.ok().map(|found| taste.purchases[found].1)
        });
        let new = taste.new_purchases.iter().filter(|purchase| purchase.0 == *item);
        let last = known.into_iter().chain(new.map(|purchase| purchase.1)).max()?;
        let until = self.hide.purchase_ends(last);
        (self.now < until).then_some(until)
    }

    fn seen_lately(&self, item: &ItemId) -> Option<Removal> {
        if self.hide.seen_minutes == 0 {
            return None;
        }
        let seen = &self.taste.seen;
        let found = seen.binary_search_by(|seen| seen.0.cmp(item)).ok()?;
        let Some(at) = seen[found].1 else { return Some(Removal::SeenInVisit(None)) };
        let until = self.hide.sight_ends(at);
        (self.now < until).then_some(Removal::SeenInVisit(Some(until)))
    }
}
