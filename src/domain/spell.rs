//! Times in which something held of an item that bears on how it sells.

use super::{ItemId, Timestamp};

/// What held of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpellKind {
    /// It could not be bought: sold out, not available, or removed.
    SoldOut,
    /// It was shown more prominently than usual.
    Promoted,
}

impl SpellKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::SoldOut, Self::Promoted];

    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::SoldOut => "sold_out",
            Self::Promoted => "promoted",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that held of an item from `from` (inclusive) to `to` (exclusive); open while it still does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSpell {
    /// Of what.
    pub item: ItemId,
    /// What held.
    pub kind: SpellKind,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` = it still does.
    pub to: Option<Timestamp>,
}
