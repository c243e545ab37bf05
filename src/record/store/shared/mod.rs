//! What is said to both databases in the same words.

/// Implements a part of the store for both back ends. They have `readers`, `writer` and `begin` in common.
macro_rules! for_both {
    (impl $part:ident { $($body:tt)* }) => {
        #[async_trait]
        impl $part for $crate::record::store::sqlite::SqliteStore { $($body)* }

        #[async_trait]
        impl $part for $crate::record::store::postgres::PostgresStore { $($body)* }
    };
}
use for_both;

mod credits;
mod directives;
mod ledger;
mod offers;
mod operations;
mod pages;
pub(super) mod people;
mod price_runs;
mod spells;

pub use credits::Credits;
pub use directives::Directives;
pub use ledger::Ledger;
pub use offers::Offers;
pub use operations::Operations;
pub(super) use pages::OfItem;
pub use people::People;
pub use price_runs::PriceRuns;
pub use spells::Spells;
