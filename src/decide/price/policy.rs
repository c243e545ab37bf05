//! How freely the shop lets prices move.

use super::{
    choice::{ChoicePolicy, ExplorePolicy, Goal},
    competition::CompetitionPolicy,
};

/// When a run waits for a person, though prices are applied on their own otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brakes {
    /// Share of the items on sale that may move in one run; 0 to 1.
    pub moved_share_max: f64,
    /// How far a cost may have jumped since the last decision, as a share of it.
    pub cost_jump_max: f64,
    /// Days without a new event after which what was learned is too old to act on by itself.
    pub feed_gap_days: f64,
    /// Fewest items that must move before a share of them counts: of a shop of five, one is 20 %.
    pub moved_min: usize,
}

impl Default for Brakes {
    fn default() -> Self {
        Self { moved_share_max: 0.2, cost_jump_max: 0.3, feed_gap_days: 7.0, moved_min: 20 }
    }
}

/// The shop's rules for all items; ranges are checked with the settings they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct PricePolicy {
    /// Whether prices move at all; off until a shop turns it on.
    pub enabled: bool,
    /// The market that the shop sells in: its law, and part of what a price depends on.
    pub market: String,
    /// What prices are chosen by.
    pub choice: ChoicePolicy,
    /// Which competitors' offers count.
    pub competition: CompetitionPolicy,
    /// What holds a run.
    pub brakes: Brakes,
    /// Whether the market's law lets a contract keep advertised prices up.
    pub keeps_advertised_min: bool,
    /// Whether every run waits for a person.
    pub needs_approval: bool,
}

impl Default for PricePolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            market: "eu".into(),
            choice: ChoicePolicy {
                goal: Goal::Profit,
                margin_floor: 0.05,
                step_max: 0.1,
                step_30d_max: 0.3,
                endings: Vec::new(),
                fee_share: 0.0,
                salvage_share: 0.0,
                corridor: None,
                explore: ExplorePolicy {
                    enabled: false,
                    loss_max: 0.02,
                    share: 0.1,
                    dwell_days: 7.0,
                },
            },
            competition: CompetitionPolicy::default(),
            brakes: Brakes::default(),
            keeps_advertised_min: false,
            needs_approval: false,
        }
    }
}
