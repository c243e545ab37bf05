//! What comes next in a running session: the next item from what somebody looked at a moment ago.
//!
//! | you may call it | file |
//! | --- | --- |
//! | which past session holds which item | [`index`] |
//! | session neighbours, VMIS-kNN, STAN | [`vmis`], its knobs in [`params`] |
//! | where one visit ends | [`visits`] |
//! | which parameters suit a shop | [`mod@choose`] |
//! | the visit beside long-term taste | [`join`] |
//!
//! Unlike the [`super::recommenders`], which see a set of items with weights, this model sees a sequence: what
//! was looked at last counts most, and whoever looked at it was going somewhere. It needs no user and no training
//! loop; the index is the model. Items are positions, sessions are numbered by recency, 0 being the latest.
//!
//! Not here: ids. Start with
//! [`vmis::VmisKnn::recommend`].

pub mod choose;
pub mod index;
pub mod join;
mod neighbours;
pub mod params;
pub mod visits;
pub mod vmis;

pub use choose::{Choice, choose};
pub use index::{IndexLimits, SessionIndex};
pub use join::{JoinWeights, SessionModel};
pub use params::{Decay, SessionParams};
pub use visits::{Visit, Visits};
pub use vmis::{Scratch, VmisKnn, fit};
