//! How demand answers to price: elasticities with their uncertainty, pooled where one item's sales say little.
//!
//! Units `q` of item `i` in period `t` are a count with variance `phi·mu + alpha·mu²` and
//!
//! ```text
//! log mu = a_i + s_c(t) + log e + eps_i·log(p / p̄_i) + gam_i·log(p_c / p̄_c,i) + beta_c·promotion
//! ```
//!
//! with the exposure `e` (share of the period in which the item could be bought), own price `p` and
//! competitors' `p_c` over the item's means, and for each category `c` the effects of periods and of
//! promotion. Elasticities are drawn towards their category's mean and that towards the shop's, as far as the
//! data leave them open.
//!
//! Effects of periods are drawn towards the shop's of that period, and follow the mean price that the merchant asked in
//! the category (`pool`): whoever cuts prices in good weeks does not make demand look more elastic than it is. Prices that
//! pricing decided on are left out there, since it knew nothing of the week.
//!
//! Logarithms of counts are never taken: `log(q + c)` halves the elasticity of an item that sells once a week. Nor are
//! weeks without a sale left out.
//!
//! | question | file |
//! | --- | --- |
//! | what goes in | [`panel`], built from orders and prices by [`weeks`] |
//! | what is believed before any sale | [`params`] |
//! | how it is fitted | [`mod@fit`], with `item`, `category`, `pool` and `dispersion` for its steps |
//! | what comes out | [`posterior`], for one item [`belief`], with [`evidence`] for what it rests on |
//! | whether it can be trusted | [`bias`]: against prices drawn at random |
//! | many estimates with known errors | [`mod@random_effects`] |
//!
//! Deliberately not here: what price to ask (that is deciding), stock, and forecasts of the level; the effect
//! of a period to come is that of the last ones. Departures from full Bayes: posteriors are normal around the
//! mode (Laplace), spreads, and how effects follow prices, are estimated
//! and then taken for known, and bounds on elasticities apply to what
//! comes out, not within the fit.

pub mod belief;
pub mod bias;
mod category;
mod dispersion;
pub mod evidence;
pub mod fit;
mod item;
pub mod panel;
pub mod params;
mod pool;
pub mod posterior;
pub mod random_effects;
mod state;
mod symmetric;
mod truncated;
pub mod weeks;

pub use belief::DemandBelief;
pub use bias::{BiasMeter, bias_meter};
pub use evidence::{Evidence, Grade};
pub use fit::fit;
pub use panel::{Panel, PanelBuilder, PanelRow, Randomised, Refusals};
pub use params::{CoefficientPrior, ResponseParams};
pub use posterior::{
    Belief, CategoryResponse, DemandResponse, Draw, Elasticity, ItemResponse, Offer,
};
pub use random_effects::{RandomEffects, random_effects};
pub use symmetric::{Symmetric3, Triple};

#[cfg(test)]
mod tests;
