//! What to show whom.
//!
//! [`mod@taste`] joins what the snapshot knows of a shopper with what happened since; [`shelf`] scores;
//! [`gate`] leaves out, [`reorder`] orders, [`list`] cuts, by the [`policy`] of a scenario; [`popular`] is for strangers, [`trending`] for
//! everybody; [`related`] starts from an item; [`reasons`] says why, and [`mod@why`] why not.

pub mod gate;
pub mod list;
pub mod policy;
pub mod popular;
pub mod reasons;
pub mod related;
pub mod reorder;
pub mod shelf;
pub mod taste;
pub mod trending;
pub mod why;

pub use gate::{Gate, Goods, HidePolicy, Removal};
pub use list::{Answer, Ask, Pick, Source, recommend};
pub use policy::Policy;
pub use popular::Popular;
pub use shelf::Shelf;
pub use taste::{Recent, Taste, taste};
pub use trending::TrendingNow;
pub use why::{Why, why};
