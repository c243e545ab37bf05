//! Chooses a price among the legal ones, explains it, and tries prices out within a loss budget.
//!
//! [`choose()`] is a pure function of a [`Case`], which holds all that a price may depend on and nothing of who asks; a
//! kept case replays to the same price. The prices are a finite grid, so that guard-rails are exact: the objective is
//! the mean over draws of the demand that is believed in, within the range that was tried before.
//!
//! | question | file |
//! | --- | --- |
//! | what goes in | [`case`] |
//! | what comes out | [`outcome`], with its reasons in [`note`] |
//! | in which order | [`mod@choose`] |
//! | which prices are legal | [`rails`], then `legal` on a `grid` |
//! | which is best | `objective`, over the draws of `sample`, with `exponential` |
//! | what each guard-rail costs | `explain` |
//! | what stock does | `stock`; how it is sold by a date: [`plan`], by the paths of [`markdown`] |
//! | which prices are tried, and when | `explore`, [`lot`] |
//!
//! Deliberately not here: writing the ledger, runs over many items with their brakes, and laws that depend on how a
//! price is announced.

pub mod case;
pub mod choose;
mod explain;
mod explore;
mod exponential;
mod grid;
mod legal;
pub mod lot;
pub mod markdown;
mod model;
pub mod note;
mod objective;
pub mod outcome;
pub mod plan;
pub mod rails;
mod sample;
mod stock;

pub use case::{Case, ChoicePolicy, CompetitorIndex, ExplorePolicy, Goal, ItemLimits, Past, Stock};
pub use choose::{choose, choose_without_curve};
pub use lot::{may_explore, on_trial, slot_of};
pub use markdown::{LeftOver, MarkdownError, Offer, PricePath};
pub use note::ChoiceNote;
pub use outcome::{
    Candidate, Change, Choice, ChoiceStatus, CurvePoint, Exploration, NoTrial, RailEffect,
};
pub use plan::{Clearance, MarkdownPlan, NoPlan, plan_markdown};
pub use rails::{Clash, Rail};

#[cfg(test)]
mod tests;
