//! Measuring what the models are worth, and choosing by it.
//!
//! | question | file |
//! | --- | --- |
//! | which rows are held out | [`splits`] |
//! | how good is this list | [`metrics`], [`diversity`] |
//! | how far is this rating | [`rating_error`] |
//! | does it know what comes next in a session, and how fast | [`sessions`] |
//! | who competes, who wins a tie | [`ranking`] |
//! | how good is this model, in one pass | [`lists`] and [`list_report`], in short [`measure`] |
//! | is the difference more than chance | [`compare`] |
//! | how much should each model count | [`choose`] |
//! | how right is an elasticity | [`pricing`] |
//!
//! Not here: reading files and printing tables, which is the command line's. Start with [`HeldOutCase`].
//!
//! What is easily got wrong, and how it is here: all items compete (sampled candidates on request only);
//! a shopper without a relevant item is not counted, one without a list counts as nothing found; ties
//! go to the lower position, or against the model on request; every mean has its standard error.

pub mod choose;
pub mod compare;
pub mod diversity;
pub mod list_report;
pub mod lists;
pub mod measure;
pub mod metrics;
pub mod pricing;
pub mod ranking;
pub mod rating_error;
pub mod sessions;
pub mod splits;

pub use choose::learn_blend;
pub use compare::{Estimate, PairedBootstrap, paired_bootstrap, paired_difference};
pub use diversity::{ItemCategories, ItemVectors};
pub use list_report::{ListMetric, ListReport};
pub use lists::{Catalogue, ListProtocol, RankedLists, measure_lists, rank_lists};
pub use measure::{HeldOutCase, Metrics, evaluate};
pub use ranking::{Candidates, Ties};
pub use rating_error::{RatingErrors, rating_errors};
pub use sessions::{
    Latency, NextItemCase, NextItemMetric, NextItemReport, measure_latency, measure_next_items,
};
