//! What a change means for an item and its price ledger; the same for every back end.

use super::{ChangeTerms, NewPrice, Refusal};
use crate::domain::{
    Cents, CompetitorPrice, Condition, Item, ItemChange, ItemFields, ItemId, Patch, PriceEntry,
    PriceReason, SpellKind, Timestamp, doubt::unit_mix_up,
};
use std::collections::{BTreeMap, HashMap};

/// An item with its place in the ledger, as it stands in the database.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) item: Item,
    /// Where the newest ledger entry begins.
    pub(super) ledger_from: Option<Timestamp>,
}

/// An item on its way to its next state.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    before: Option<Item>,
    ledger_from: Option<Timestamp>,
    reason: PriceReason,
    /// Whether the price in force begins anew in the ledger, for its new reason.
    is_renewed: bool,
    /// The item as it will be; its revision is still the old one.
    pub(super) item: Item,
}

/// What must be done to the ledger of one item: every entry that begins at `at` goes, the one in
/// force ends at `at`, and `price`, if there is one, is in force from then on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LedgerStep {
    pub(super) item: ItemId,
    pub(super) at: Timestamp,
    pub(super) price: Option<Cents>,
    pub(super) reason: PriceReason,
}

/// A spell of one item that begins or ends now; each kind at most once for each item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpellStep {
    pub(super) item: ItemId,
    pub(super) kind: SpellKind,
    pub(super) begins: bool,
}

impl Draft {
    fn of(standing: Standing) -> Self {
        Self {
            before: Some(standing.item.clone()),
            ledger_from: standing.ledger_from,
            reason: PriceReason::ListPrice,
            is_renewed: false,
            item: standing.item,
        }
    }

    fn new(item: &ItemId, at: Timestamp) -> Self {
        let item = Item {
            item_id: item.clone(),
            fields: ItemFields::default(),
            price_in_force: None,
            first_seen_at: at,
            updated_at: at,
            removed: false,
            back_on_sale_at: None,
            revision: 0,
        };
        Self {
            before: None,
            ledger_from: None,
            reason: PriceReason::ListPrice,
            is_renewed: false,
            item,
        }
    }

    fn change(&mut self, change: ItemChange) {
        // Who comes back after a removal begins anew, whatever it once was.
        let nothing = ItemFields::default();
        let before = if self.item.removed { &nothing } else { &self.item.fields };
        match change.apply(before) {
            None => {
                self.item.removed = true;
                self.item.price_in_force = None;
            }
            Some(fields) => {
                if self.item.removed || fields.price != self.item.fields.price {
                    self.item.price_in_force = fields.price;
                    self.reason = PriceReason::ListPrice;
                }
                self.item.fields = fields;
                self.item.removed = false;
            }
        }
    }

    /// Whether the item must be written.
    pub(super) fn is_changed(&self) -> bool {
        self.before.as_ref() != Some(&self.item)
    }

    fn stamp(&mut self, at: Timestamp) {
        if self.is_changed() {
            self.item.updated_at = at;
        }
        if self.was_in(SpellKind::SoldOut) && self.item.is_sellable() {
            self.item.back_on_sale_at = Some(at);
        }
    }

    fn was_in(&self, kind: SpellKind) -> bool {
        self.before.as_ref().is_some_and(|item| item.is_in(kind))
    }

    /// The spells that begin or end with this change. What came and went within it took no time, and is no spell.
    pub(super) fn spell_steps(&self) -> impl Iterator<Item = SpellStep> {
        let changed = SpellKind::ALL.into_iter().filter_map(|kind| {
            let begins = self.item.is_in(kind);
            (begins != self.was_in(kind)).then_some((kind, begins))
        });
        changed.map(|(kind, begins)| SpellStep { item: self.item.item_id.clone(), kind, begins })
    }

    /// What follows for the ledger. Time never runs backwards in it: a change that comes with an
    /// older time than the newest entry takes that entry's place.
    pub(super) fn ledger_step(&self, at: Timestamp) -> Option<LedgerStep> {
        let before = self.before.as_ref().and_then(|item| item.price_in_force);
        (self.is_renewed || before != self.item.price_in_force).then(|| LedgerStep {
            item: self.item.item_id.clone(),
            at: self.ledger_from.map_or(at, |from| at.max(from)),
            price: self.item.price_in_force,
            reason: self.reason,
        })
    }
}

/// The drafts that come out of `changes`, one for each distinct item that is there or comes to be,
/// in the order of first mention, and the changes that are refused, with their places.
pub(super) fn draft_changes(
    mut standing: HashMap<ItemId, Standing>,
    changes: &[(ItemId, ItemChange)],
    terms: ChangeTerms,
    at: Timestamp,
) -> (Vec<Draft>, Vec<(usize, Refusal)>) {
    let mut drafts: HashMap<&ItemId, Option<Draft>> = HashMap::new();
    let (mut mentioned, mut refused) = (Vec::new(), Vec::new());
    for (place, (item, change)) in changes.iter().enumerate() {
        let draft = drafts.entry(item).or_insert_with(|| {
            mentioned.push(item);
            standing.remove(item).map(Draft::of)
        });
        let present = draft.as_ref().map(|draft| &draft.item).filter(|item| !item.removed);
        if terms.only_present && present.is_none() {
            refused.push((place, Refusal::NotThere));
            continue;
        }
        if let Some(refusal) = refusal(present.map(|item| &item.fields), change, terms) {
            refused.push((place, refusal));
            continue;
        }
        match (draft, change) {
            (None, ItemChange::Remove) => {}
            (draft, change) => {
                draft.get_or_insert_with(|| Draft::new(item, at)).change(change.clone());
            }
        }
    }
    let mut changed: Vec<Draft> =
        mentioned.into_iter().filter_map(|item| drafts.remove(item).flatten()).collect();
    for draft in &mut changed {
        draft.stamp(at);
    }
    (changed, refused)
}

/// Why a change is refused of an item that is as `present` says; `None` is one that is not there, or begins anew after
/// a removal.
pub fn refusal(
    present: Option<&ItemFields>,
    change: &ItemChange,
    terms: ChangeTerms,
) -> Option<Refusal> {
    let nothing = ItemFields::default();
    let before = present.unwrap_or(&nothing);
    let after = change.clone().apply(before)?;
    if let Some(field) = clash(change, &after) {
        return Some(Refusal::BoundsClash(field));
    }
    unit_mix_up(before, &after, terms.checked_in?).map(Refusal::UnitMixUp)
}

/// The field of a merge that sets the lowest price above the highest one.
fn clash(change: &ItemChange, after: &ItemFields) -> Option<&'static str> {
    let ItemChange::Merge(patch) = change else { return None };
    let touched = match (&patch.price_min, &patch.price_max) {
        (Patch::Set(_), _) => "price_min",
        (_, Patch::Set(_)) => "price_max",
        _ => return None,
    };
    after.price_min.zip(after.price_max).filter(|(min, max)| min > max).map(|_| touched)
}

/// The drafts of the known items whose price in force `prices` changes, in the order of first
/// mention; the last price for an item counts. A price that was drawn begins anew in the ledger even if it is the one in
/// force: that it was drawn is what an experiment rests on.
pub(super) fn draft_prices(
    mut standing: HashMap<ItemId, Standing>,
    prices: &[NewPrice],
    at: Timestamp,
) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut places: HashMap<&ItemId, usize> = HashMap::new();
    for new in prices {
        let stands =
            |known: &Standing| !known.item.removed && known.item.price_in_force == new.before;
        if let Some(known) = standing.remove(&new.item).filter(stands) {
            places.insert(&new.item, drafts.len());
            drafts.push(Draft::of(known));
        }
        if let Some(&place) = places.get(&new.item)
            && (drafts[place].item.price_in_force != Some(new.price)
                || new.reason.lottery().is_some())
        {
            drafts[place].is_renewed = new.reason.lottery().is_some();
            drafts[place].item.price_in_force = Some(new.price);
            drafts[place].reason = new.reason;
        }
    }
    drafts.retain(|draft| draft.is_changed() || draft.is_renewed);
    for draft in &mut drafts {
        draft.stamp(at);
    }
    drafts
}

/// The drafts and the entries that come out of a backfill: items with a ledger are left alone, and
/// an open entry gives its item the list price and the price in force that it lacks. An item that
/// is not there yet is first seen when its first price came into force.
pub(super) fn draft_backfill(
    mut standing: HashMap<ItemId, Standing>,
    entries: &[PriceEntry],
) -> (Vec<Draft>, Vec<PriceEntry>) {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut places: HashMap<&ItemId, Option<usize>> = HashMap::new();
    let mut written = Vec::new();
    for entry in entries {
        let place = *places.entry(&entry.item).or_insert_with(|| {
            let draft = match standing.remove(&entry.item) {
                Some(known) if known.ledger_from.is_some() => return None,
                Some(known) => Draft::of(known),
                None => Draft::new(&entry.item, entry.from),
            };
            drafts.push(draft);
            Some(drafts.len() - 1)
        });
        let Some(place) = place else { continue };
        let item = &mut drafts[place].item;
        if entry.to.is_none() {
            item.fields.price.get_or_insert(entry.price);
            item.price_in_force.get_or_insert(entry.price);
        }
        written.push(entry.clone());
    }
    (drafts, written)
}

/// The offers to be written, in the order of their keys; of several of one seller at one time the last counts, a
/// new good before all others.
pub(super) fn last_offers(prices: &[CompetitorPrice]) -> Vec<&CompetitorPrice> {
    let mut last: BTreeMap<_, &CompetitorPrice> = BTreeMap::new();
    for price in prices {
        let key = (&price.item, &price.offer.competitor, price.offer.observed_at);
        let is_new = |price: &CompetitorPrice| price.offer.condition == Condition::New;
        // What a seller asks for a used one says nothing of the new one.
        if !last.get(&key).is_some_and(|known| is_new(known) && !is_new(price)) {
            last.insert(key, price);
        }
    }
    last.into_values().collect()
}
