//! The words of a shop: ids, events, items, money, time. No I/O and no clock of its own.
//!
//! Every other room speaks these types; nothing here knows HTTP, SQL or a model. Start with [`event`].

pub mod credit;
pub mod directive;
pub mod doubt;
pub mod event;
pub mod id;
pub mod item;
pub mod money;
pub mod offer;
pub mod person;
pub mod price;
pub mod price_run;
pub mod run;
pub mod spell;
pub mod time;

pub use credit::{Credit, Credited, VariantTally};
pub use directive::{DirectiveKind, StoredDirective, StoredDirectives};
pub use event::{Event, EventContext, EventKind, RecordedEvent, Sequence};
pub use id::{IdError, ItemId, RuleId, SessionId, ShopperId, UserId};
pub use item::{Item, ItemChange, ItemFields, Patch};
pub use money::{Cents, Currency, MoneyError};
pub use offer::{CompetitorOffer, CompetitorPrice, Condition};
pub use person::{ErasureReceipt, Merge, User};
pub use price::{Lottery, PriceEntry, PriceReason};
pub use price_run::{PriceDecision, PriceRun, RunState};
pub use run::{ModelRun, RunOutcome};
pub use spell::{ItemSpell, SpellKind};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
