//! What the service needs from a database. The trait is here, the SQL is in the back ends.
//!
//! Several processes may write at once. A reader therefore goes by *settled* numbers: a sequence or
//! revision is handed out by [`Store::events_after`] and [`Store::items_after`] only when no
//! transaction that could still bring a smaller one is open.

mod copy_format;
mod draft;
pub mod postgres;
mod rows;
mod shared;
pub mod sqlite;

pub use draft::refusal;
pub use shared::{Credits, Directives, Ledger, Offers, Operations, People, PriceRuns, Spells};

use crate::domain::{
    Cents, CompetitorPrice, Currency, ErasureReceipt, Event, EventKind, Item, ItemChange, ItemId,
    Merge, PriceEntry, PriceReason, RecordedEvent, Sequence, Timestamp, User, UserId,
    doubt::UnitMixUp,
};
use async_trait::async_trait;
use serde_json::{Map, Value};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached now; the caller may retry.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The database answered with an error.
    #[error("cannot {doing}")]
    Query {
        /// Finishes the sentence "cannot …".
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The database's schema could not be brought up to date.
    #[error("cannot bring the schema up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A stored row does not mean anything to this version.
    #[error("a stored {what} does not make sense: {detail}")]
    Corrupt {
        /// What kind of row.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl StoreError {
    /// For `map_err`: `doing` finishes the sentence "cannot …".
    pub fn while_doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| match &source {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Tls(_)
            | sqlx::Error::Io(_) => Self::Unavailable(source),
            sqlx::Error::Database(error) if is_outage(error.code().as_deref()) => {
                Self::Unavailable(source)
            }
            _ => Self::Query { doing, source },
        }
    }

    /// Whether a retry may help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// SQLSTATE classes of a server that is going down, starting up, or out of connections
/// (PostgreSQL, appendix A: 08, 53, 57P).
fn is_outage(code: Option<&str>) -> bool {
    code.is_some_and(|code| ["08", "53", "57P"].iter().any(|class| code.starts_with(class)))
}

/// How much the store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events by kind, only kinds that occur, in the order of [`EventKind::ALL`].
    pub events: Vec<(EventKind, u64)>,
    /// Items, the removed ones not counted.
    pub items: u64,
    /// Users.
    pub users: u64,
    /// Entries of the price ledger.
    pub prices: u64,
    /// Competitors' prices.
    pub competitor_prices: u64,
}

/// On which terms items are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeTerms {
    /// Whether only items that are there and not removed are changed; else one that is not there comes to be.
    pub only_present: bool,
    /// The currency by which amounts are looked at for [minor units taken for whole ones](crate::domain::doubt::unit_mix_up);
    /// `None` if somebody stands by them.
    pub checked_in: Option<Currency>,
}

impl ChangeTerms {
    /// Any item, and somebody stands by its amounts.
    pub const ANY: Self = Self { only_present: false, checked_in: None };
}

/// Why a change of an item is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such item.
    NotThere,
    /// The lowest price would lie above the highest one; by this field of the change.
    BoundsClash(&'static str),
    /// An amount looks like a slip of the pen, and nobody stands by it.
    UnitMixUp(UnitMixUp),
}

/// What became of changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changed {
    /// The items as they are now, one for each distinct id, in the order of first mention.
    pub items: Vec<Item>,
    /// The changes that were not made, by their places.
    pub refused: Vec<(usize, Refusal)>,
}

/// A new price for an item, decided by pricing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPrice {
    /// Of what.
    pub item: ItemId,
    /// The price that it takes the place of: if another one is in force by then, nothing is done.
    pub before: Option<Cents>,
    /// How much.
    pub price: Cents,
    /// Why.
    pub reason: PriceReason,
}

/// Kept by every back end; `tests/it/store_contract.rs` holds them to it.
#[async_trait]
pub trait Store:
    Operations + Directives + People + Credits + PriceRuns + Ledger + Offers + Spells
{
    /// `sqlite` or `postgres`.
    fn kind(&self) -> &'static str;

    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Appends all events or none, durably, in one transaction, and brings their users and items
    /// into existence. Answers one entry per event, in order: its sequence, or `None` if its
    /// `event_id` is stored already (or stands earlier in `events`): a duplicate is skipped, it is
    /// not an error, however long ago it was stored.
    ///
    /// `known` says which users and items surely exist, so that no work is done for them.
    async fn append_events(
        &self,
        events: &[Event],
        received_at: Timestamp,
        known: &dyn Known,
    ) -> Result<Vec<Option<Sequence>>, StoreError>;

    /// Settled events with a sequence above `after`, lowest first, at most `limit` of them.
    async fn events_after(
        &self,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// The highest settled sequence, 0 if there is none.
    async fn last_sequence(&self) -> Result<Sequence, StoreError>;

    /// Applies the changes in order, in one transaction, with the ledger entries that follow from
    /// them (a changed list price comes into force at `at`, reason `list_price`). An item that was to
    /// be removed and never was there is left out of the answer.
    ///
    /// A change of an item that the `terms` leave out, one after which the lowest price would lie above the
    /// highest, or one that mixes up units, is refused by itself; the others are made.
    ///
    /// While pricing holds an item at another price than its list price, a change that leaves the
    /// list price alone leaves the price in force alone too.
    ///
    /// Where an item comes to be sold out or promoted, or ceases to be, a [spell](Spells) begins or ends at `at`.
    async fn change_items(
        &self,
        changes: &[(ItemId, ItemChange)],
        terms: ChangeTerms,
        at: Timestamp,
    ) -> Result<Changed, StoreError>;

    /// One item, also a removed one.
    async fn item(&self, item: &ItemId) -> Result<Option<Item>, StoreError>;

    /// Settled items (also removed ones) with a revision above `after`, lowest first, at most
    /// `limit` of them.
    async fn items_after(&self, after: i64, limit: u32) -> Result<Vec<Item>, StoreError>;

    /// Brings prices into force at `at`, with their ledger entries, in one transaction. A price
    /// that is in force already changes nothing. Unknown and removed items are skipped, and those whose price in force
    /// is another than was expected. Answers the items that
    /// changed.
    async fn set_prices(&self, prices: &[NewPrice], at: Timestamp)
    -> Result<Vec<Item>, StoreError>;

    /// Writes past prices into the ledger, for items whose ledger is empty (others are skipped, so
    /// that an import may be repeated). Entries of one item are in order of time and do not
    /// overlap; the last may be open, then it becomes the item's list price and price in force if
    /// it has none. Answers how many entries were written.
    async fn backfill_prices(&self, entries: &[PriceEntry]) -> Result<u64, StoreError>;

    /// Stores competitors' prices; one of the same item, competitor and time is put right, and of several the last
    /// counts, a new good before all others. Answers how many were new or put right.
    async fn append_competitor_prices(&self, prices: &[CompetitorPrice])
    -> Result<u64, StoreError>;

    /// Creates or replaces users' attributes. Answers them as they are now.
    async fn save_users(
        &self,
        users: &[(UserId, Map<String, Value>)],
        at: Timestamp,
    ) -> Result<Vec<User>, StoreError>;

    /// Makes all events of `from`, a user or a session without one, those of `into`, who comes to exist if need
    /// be; attributes that `into` lacks go over, too. `None` if there was nothing to move.
    ///
    /// Events of `from` that come later are those of a new guest.
    async fn merge_users(
        &self,
        from: &str,
        into: &UserId,
        at: Timestamp,
    ) -> Result<Option<Merge>, StoreError>;

    /// Deletes a user and all their events and remembers that by a hash of the id alone; guests who became this
    /// user have receipts of their own, which come first.
    async fn erase_user(&self, user: &UserId, at: Timestamp) -> Result<ErasureReceipt, StoreError>;
}

/// Users and items that surely exist in the store, so that an append need not create them.
pub trait Known: Send + Sync {
    /// Whether the user surely exists.
    fn user(&self, user: &UserId) -> bool;
    /// Whether the item surely exists.
    fn item(&self, item: &ItemId) -> bool;
}

/// Knows nobody and nothing; every append then makes sure.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingKnown;

impl Known for NothingKnown {
    fn user(&self, _user: &UserId) -> bool {
        false
    }
    fn item(&self, _item: &ItemId) -> bool {
        false
    }
}
