//! Events as numbers: who did what, as sparse matrices over positions instead of ids.

pub mod log;
pub mod matrix;
pub mod trading;

pub use log::{EventLog, Weighting};
pub use matrix::InteractionMatrix;
pub use trading::TradingDays;

use serde::{Deserialize, Serialize};

/// A shopper's position in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserIdx(pub u32);

/// An item's position in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemIdx(pub u32);
