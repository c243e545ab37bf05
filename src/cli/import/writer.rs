//! Writes batches to the store and counts what was new.

use super::{
    ImportError,
    feed::{Batch, ItemRow, Merge},
    rejects::{Rejects, RowPlace},
};
use crate::{
    domain::{
        Currency, Event, ItemChange, ItemFields, ItemId, Patch, Sequence, Timestamp, UserId,
        item::ItemPatch,
    },
    record::{
        forms::FormRules,
        store::{ChangeTerms, Known, Refusal, Store, StoreError, refusal},
    },
};
use std::collections::{HashMap, HashSet};

/// Most users and most items that are remembered as existing, about 100 MB of ids in all.
const KNOWN_MAX: usize = 1_000_000;

/// The async half of an import.
pub(super) struct Writer<'a> {
    store: &'a dyn Store,
    at: Timestamp,
    currency: Currency,
    terms: ChangeTerms,
    rejects: Rejects,
    known: Remembered,
    /// Rows that brought something new.
    pub(super) stored: u64,
    /// Rows that said what was there already.
    pub(super) duplicates: u64,
    /// Items that were created or changed.
    pub(super) items: u64,
    /// Ledger entries written.
    pub(super) prices: u64,
}

impl<'a> Writer<'a> {
    /// Writes to `store`, everything as of now, items on these terms; rows that it refuses go to `rejects`.
    pub(super) fn new(
        store: &'a dyn Store,
        rules: &FormRules,
        (terms, rejects): (ChangeTerms, Rejects),
    ) -> Self {
        let (at, currency, known) = (rules.now, rules.currency, Remembered::default());
        let (stored, duplicates, items, prices) = (0, 0, 0, 0);
        Self { store, at, currency, terms, rejects, known, stored, duplicates, items, prices }
    }

    /// Writes one batch.
    pub(super) async fn write(&mut self, batch: Batch) -> Result<(), ImportError> {
        match batch {
            Batch::Events(events) => self.write_events(&events).await.map_err(ImportError::Store),
            Batch::ItemRows(rows, merge) => {
                let n_rows = rows.len() as u64;
                let placed = |row: ItemRow| ((row.item, row.patch), Some(row.place));
                let (rows, places) = rows.into_iter().map(placed).unzip();
                let (n_changes, n_refused) = self.write_items(rows, places, merge).await?;
                self.stored += n_changes;
                self.duplicates += n_rows - n_changes - n_refused;
                Ok(())
            }
            Batch::Catalogue(rows) => {
                let places = vec![None; rows.len()];
                self.write_items(rows, places, Merge::FillGaps).await.map(|_| ())
            }
            Batch::Prices(entries) => {
                let written = self.store.backfill_prices(&entries).await;
                self.prices += written.map_err(ImportError::Store)?;
                Ok(())
            }
        }
    }

    async fn write_events(&mut self, events: &[Event]) -> Result<(), StoreError> {
        let stored = self.store.append_events(events, self.at, &self.known).await?;
        let n_new = stored.iter().flatten().count();
        self.stored += n_new as u64;
        self.duplicates += (events.len() - n_new) as u64;
        self.known.remember(events, &stored);
        Ok(())
    }

    /// Applies the rows that change something; answers how many did, and how many were refused. Rows without a place
    /// follow from others, and are nobody's to mend.
    async fn write_items(
        &mut self,
        rows: Vec<(ItemId, ItemPatch)>,
        mut places: Vec<Option<RowPlace>>,
        merge: Merge,
    ) -> Result<(u64, u64), ImportError> {
        let mut states: HashMap<ItemId, State> = HashMap::new();
        let (mut changes, mut placed) = (vec![], vec![]);
        for ((item, patch), place) in rows.into_iter().zip(places.drain(..)) {
            let before = match states.get(&item) {
                Some(state) => state.clone(),
                None => State::of(self.store, &item).await.map_err(ImportError::Store)?,
            };
            let (patch, mut after) = before.merged(patch, merge);
            if after != before {
                let change = ItemChange::Merge(Box::new(patch));
                // What the store will refuse leaves the item as it is, for the rows that follow.
                if refusal(before.fields(), &change, self.terms).is_some() {
                    after = before;
                }
                changes.push((item.clone(), change));
                placed.push(place);
            }
            states.insert(item, after);
        }
        let refused = if changes.is_empty() {
            Vec::new()
        } else {
            let changed = self.store.change_items(&changes, self.terms, self.at).await;
            changed.map_err(ImportError::Store)?.refused
        };
        for (at, refusal) in &refused {
            if let Some(place) = &placed[*at] {
                self.rejects.push(place, &self.reason(*refusal))?;
            }
        }
        let is_refused: HashSet<usize> = refused.iter().map(|&(at, _)| at).collect();
        let made = changes.iter().enumerate().filter(|(at, _)| !is_refused.contains(at));
        self.items += made.map(|(_, (item, _))| item).collect::<HashSet<_>>().len() as u64;
        let (n_changes, n_refused) = (changes.len() as u64, refused.len() as u64);
        Ok((n_changes - n_refused, n_refused))
    }

    /// Why the store refused a row, as somebody reads it who mends the file.
    fn reason(&self, refusal: Refusal) -> String {
        match refusal {
            Refusal::NotThere => "there is no such item".to_owned(),
            Refusal::BoundsClash(field) => format!("{field}: price_min would lie above price_max"),
            Refusal::UnitMixUp(found) => {
                let detail = found.detail(self.currency);
                format!("{} {detail} If it is meant, import it with --confirm", found.field)
            }
        }
    }
}

/// What the catalogue says of an item.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Absent,
    Removed,
    There(Box<ItemFields>),
}

impl State {
    async fn of(store: &dyn Store, item: &ItemId) -> Result<Self, StoreError> {
        Ok(match store.item(item).await? {
            None => Self::Absent,
            Some(item) if item.removed => Self::Removed,
            Some(item) => Self::There(Box::new(item.fields)),
        })
    }

    fn fields(&self) -> Option<&ItemFields> {
        if let Self::There(fields) = self { Some(fields) } else { None }
    }

    /// What is left of the patch, and the state after it.
    fn merged(&self, patch: ItemPatch, merge: Merge) -> (ItemPatch, Self) {
        let fields = match (self, merge) {
            // What the merchant took out stays out.
            (Self::Removed, Merge::FillGaps) => return (ItemPatch::default(), Self::Removed),
            (Self::There(fields), _) => fields.as_ref().clone(),
            _ => ItemFields::default(),
        };
        let patch = match merge {
            Merge::Overwrite => patch,
            Merge::FillGaps => gaps_only(patch, &fields),
        };
        let after = ItemChange::Merge(Box::new(patch.clone())).apply(&fields);
        (patch, after.map_or(Self::Removed, |fields| Self::There(Box::new(fields))))
    }
}

/// The fields that the data sets know, where the catalogue does not say anything.
fn gaps_only(patch: ItemPatch, fields: &ItemFields) -> ItemPatch {
    fn unless<T>(is_given: bool, patch: Patch<T>) -> Patch<T> {
        if is_given { Patch::Keep } else { patch }
    }
    ItemPatch {
        title: unless(fields.title.is_some(), patch.title),
        categories: unless(!fields.categories.is_empty(), patch.categories),
        available: unless(fields.available.is_some(), patch.available),
        ..ItemPatch::default()
    }
}

/// Users and items that this import has brought into existence.
#[derive(Default)]
struct Remembered {
    users: HashSet<UserId>,
    items: HashSet<ItemId>,
}

impl Remembered {
    /// Only events that were stored prove anything: a duplicate may be of another user's event.
    fn remember(&mut self, events: &[Event], stored: &[Option<Sequence>]) {
        let new = events.iter().zip(stored).filter(|(_, sequence)| sequence.is_some());
        for (event, _) in new {
            remember_one(&mut self.users, event.user.as_ref());
            remember_one(&mut self.items, event.item.as_ref());
        }
    }
}

fn remember_one<T: Clone + Eq + std::hash::Hash>(known: &mut HashSet<T>, id: Option<&T>) {
    if let Some(id) = id
        && known.len() < KNOWN_MAX
        && !known.contains(id)
    {
        known.insert(id.clone());
    }
}

impl Known for Remembered {
    fn user(&self, user: &UserId) -> bool {
        self.users.contains(user)
    }
    fn item(&self, item: &ItemId) -> bool {
        self.items.contains(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titled(title: &str) -> ItemPatch {
        ItemPatch { title: Patch::Set(title.to_owned()), ..ItemPatch::default() }
    }

    #[test]
    fn what_the_merchant_said_outlives_a_data_set() {
        let (_, new) = State::Absent.merged(titled("LANTERN"), Merge::FillGaps);
        assert_ne!(new, State::Absent);
        let (_, again) = new.merged(titled("lamp"), Merge::FillGaps);
        assert_eq!(again, new);
        let (_, removed) = State::Removed.merged(titled("lamp"), Merge::FillGaps);
        assert_eq!(removed, State::Removed);
    }

    #[test]
    fn a_row_of_the_merchants_own_wins_and_changes_nothing_the_second_time() {
        let (_, first) = State::Removed.merged(titled("lamp"), Merge::Overwrite);
        let (_, second) = first.merged(titled("lamp"), Merge::Overwrite);
        assert_eq!(first, second);
        let (_, third) = second.merged(titled("torch"), Merge::Overwrite);
        assert_ne!(second, third);
    }
}
