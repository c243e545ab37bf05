//! What the shop sells.

use super::{Cents, ItemId, SpellKind, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest brand, category or tag, in characters.
pub const LABEL_CHARS_MAX: usize = 200;

/// What the merchant says about an item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ItemFields {
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Longer text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Categories, most important first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Free labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// List price, which the merchant sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Cents>,
    /// What one unit costs the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cents>,
    /// Lowest price the merchant allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_min: Option<Cents>,
    /// Highest price the merchant allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_max: Option<Cents>,
    /// Units on hand; unknown means "not counted", 0 means sold out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<u64>,
    /// Days from order to delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_time_days: Option<u32>,
    /// Picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// Whether the item may be shown at all; unknown means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
    /// Whether the item is shown more prominently than usual: leaflet, front page, campaign; unknown means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promoted: Option<bool>,
    /// Variants of one product share a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Anything else.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
}

/// An item as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The shop's id.
    pub item_id: ItemId,
    /// What the merchant says.
    pub fields: ItemFields,
    /// The price in force now: the list price, or what pricing made of it.
    pub price_in_force: Option<Cents>,
    /// When the service first heard of the item.
    pub first_seen_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Whether the merchant removed it; a removed item is never shown but its events stay.
    pub removed: bool,
    /// When it could last be bought again after it could not; `None` = never.
    pub back_on_sale_at: Option<Timestamp>,
    /// Rises with every change of any item; what a follower reads by.
    pub revision: i64,
}

impl Item {
    /// Whether the item can be sold now: not removed, available, and not sold out.
    pub fn is_sellable(&self) -> bool {
        !self.removed && self.fields.available.unwrap_or(true) && self.fields.stock != Some(0)
    }

    /// Whether the merchant promotes the item now.
    pub fn is_promoted(&self) -> bool {
        !self.removed && self.fields.promoted.unwrap_or(false)
    }

    /// Whether a spell of this kind is going on.
    pub fn is_in(&self, kind: SpellKind) -> bool {
        match kind {
            SpellKind::SoldOut => !self.is_sellable(),
            SpellKind::Promoted => self.is_promoted(),
        }
    }
}

/// What to do with one field.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Make it empty.
    Clear,
    /// Give it this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Applies the patch to a field that may be empty.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }

    /// Applies the patch to a field whose empty form is its default.
    pub fn apply_or_default(self, field: &mut T)
    where
        T: Default,
    {
        match self {
            Self::Keep => {}
            Self::Clear => *field = T::default(),
            Self::Set(value) => *field = value,
        }
    }
}

/// A merchant's change of one item.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemChange {
    /// The item becomes exactly this; it is created if it is not there.
    Replace(Box<ItemFields>),
    /// Only the fields named change; the item is created if it is not there.
    Merge(Box<ItemPatch>),
    /// The item is taken out of the catalogue.
    Remove,
}

/// The fields that a merge names.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the one of `ItemFields` with the same name")]
pub struct ItemPatch {
    pub title: Patch<String>,
    pub description: Patch<String>,
    pub categories: Patch<Vec<String>>,
    pub brand: Patch<String>,
    pub tags: Patch<Vec<String>>,
    pub price: Patch<Cents>,
    pub cost: Patch<Cents>,
    pub price_min: Patch<Cents>,
    pub price_max: Patch<Cents>,
    pub stock: Patch<u64>,
    pub lead_time_days: Patch<u32>,
    pub image_url: Patch<String>,
    pub available: Patch<bool>,
    pub promoted: Patch<bool>,
    pub group: Patch<String>,
    pub attributes: Patch<Map<String, Value>>,
}

impl ItemChange {
    /// The item's fields after the change; `None` if it is removed.
    ///
    /// `before` is the item as it is now, or the default for a new one.
    pub fn apply(self, before: &ItemFields) -> Option<ItemFields> {
        match self {
            Self::Replace(fields) => Some(*fields),
            Self::Remove => None,
            Self::Merge(patch) => {
                let mut after = before.clone();
                let patch = *patch;
                patch.title.apply(&mut after.title);
                patch.description.apply(&mut after.description);
                patch.categories.apply_or_default(&mut after.categories);
                patch.brand.apply(&mut after.brand);
                patch.tags.apply_or_default(&mut after.tags);
                patch.price.apply(&mut after.price);
                patch.cost.apply(&mut after.cost);
                patch.price_min.apply(&mut after.price_min);
                patch.price_max.apply(&mut after.price_max);
                patch.stock.apply(&mut after.stock);
                patch.lead_time_days.apply(&mut after.lead_time_days);
                patch.image_url.apply(&mut after.image_url);
                patch.available.apply(&mut after.available);
                patch.promoted.apply(&mut after.promoted);
                patch.group.apply(&mut after.group);
                patch.attributes.apply_or_default(&mut after.attributes);
                Some(after)
            }
        }
    }
}
