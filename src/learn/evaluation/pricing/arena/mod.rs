//! A made-up shop on which policies of pricing are compared with one that knows the truth.
//!
//! Demand of item `i` of category `c` in week `t` is a Poisson count of mean
//!
//! ```text
//! log mu = log u_i + eps_i·log(p / b_i) + gam_i·log(p_c / b_i) + s_c(t)
//! ```
//!
//! with the merchant's usual price `b_i`, competitors' price `p_c`, and a shock `s_c(t)` that all items of the
//! category share and that lasts in part for another week.
//!
//! What is drawn, from one seed: categories' mean elasticities around -2.5 with deviation 0.45, items' around those
//! with 0.55, all within [-6, -1.2]; usual units around the volume by a factor of e^0.7; costs around 10.00 by
//! e^0.5; usual prices around 1.5 times the cost by e^0.13, so that most are too low, as those of shops that price
//! by habit are; competitors within some 6 % of the usual price, wandering; shocks of a fifth, half of which lasts
//! for another week. In the weeks of the history the merchant cuts prices by a fifth of what a week is good by, and
//! has whims of 7 %: a cheap week is a good week for two reasons, and who confounds them finds demand more elastic
//! than it is.
//!
//! Then a policy sets prices for a year. Each may change by a tenth in a week at most and is a whole number of
//! minor units. Unit costs are known; of demand a policy sees prices, competitors' prices and units sold. Its
//! profit is what the true demand lets expect at its prices, so that luck does not blur the comparison; luck
//! enters by what it learns from, and is the same for all.
//!
//! The sizes above are our choice, made so that keeping prices, a fixed mark-up and following competitors land
//! where they did in an earlier simulation of this kind, at about .885, .935 and .875 of what the oracle earns, and
//! were left alone once they did.
//! It is a world of constant elasticities: it shows which policy is better, not what a shop will gain.
//!
//! | question | file |
//! | --- | --- |
//! | what is true of the shop | [`shop`] |
//! | what luck does | `luck` |
//! | what a policy sees, and what it is asked | [`ledger`], [`season`] |
//! | policies that learn nothing, and the oracle | [`fixed`] |
//! | policies that learn | [`learned`] |
//! | one that is told nearly all, for how much can be learned | [`told`] |
//! | who earns how much | [`mod@standings`] |
//!
//! Deliberately not here: the service's own choice of prices, which is deciding; it enters as a [`Contender`].

pub mod fixed;
pub mod learned;
pub mod ledger;
mod luck;
pub mod season;
pub mod shop;
pub mod standings;
pub mod told;

pub use learned::Learner;
pub use ledger::{Ledger, PastWeek};
pub use season::{Policy, Season, play};
pub use shop::{ArenaParams, Shop, ShopItem};
pub use standings::{Contender, Standing, standings, textbook_contenders};

#[cfg(test)]
mod tests;
