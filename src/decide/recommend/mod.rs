//! What to show whom.
//!
//! [`mod@taste`] joins what the snapshot knows of a shopper with what happened since; [`shelf`] scores;
//! [`list`] leaves out and cuts; [`popular`] is for strangers; [`reasons`] says why.

pub mod list;
pub mod popular;
pub mod reasons;
pub mod shelf;
pub mod taste;

pub use list::{Answer, Ask, Hidden, Pick, Source, recommend};
pub use popular::Popular;
pub use shelf::Shelf;
pub use taste::{Recent, Taste, taste};
