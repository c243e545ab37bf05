//! Which policy a list is made by: the scenario's, or that of the variant that the shopper is drawn for.

use super::shelves::ShelfKey;
use crate::{
    config::Config,
    decide::{
        experiment::{Experiment, assign},
        recommend::Policy,
    },
    domain::{Credit, ShopperId, Timestamp},
};
use rustc_hash::FxBuildHasher;
use std::{collections::HashMap, hash::BuildHasher, sync::Arc};

/// A policy, and what else is known of it.
#[derive(Debug)]
pub struct Chosen {
    /// How lists are made.
    pub policy: Policy,
    /// Tells it from all others of this process.
    pub number: u32,
    /// The experiment and the variant, if it is one's.
    pub variant: Option<(String, String)>,
}

impl Chosen {
    /// What chance is drawn from for the place that is left to it: the same for the same history and snapshot.
    pub fn seed(&self, shelf: &ShelfKey) -> u64 {
        if self.policy.exploration_position == 0 { 0 } else { FxBuildHasher.hash_one(shelf) }
    }
}

/// An experiment with the policies of its variants, in their order.
struct Running {
    experiment: Experiment,
    policies: Vec<Arc<Chosen>>,
}

/// All policies of the settings.
pub struct Policies {
    usual: Arc<Chosen>,
    scenarios: HashMap<String, Arc<Chosen>>,
    running: Vec<Running>,
    /// When any experiment begins or ends, rising.
    turns: Vec<Timestamp>,
}

impl Policies {
    /// Those of checked settings.
    pub fn new(config: &Config) -> Self {
        let mut number = 0;
        let mut chosen = |policy: Policy, variant| {
            number += 1;
            Arc::new(Chosen { policy, number, variant })
        };
        let usual = chosen(Policy::default(), None);
        let scenarios = config
            .scenarios
            .iter()
            .map(|(name, policy)| (name.clone(), chosen(policy.clone(), None)))
            .collect();
        let running: Vec<Running> = config
            .experiments
            .iter()
            .map(|experiment| {
                let policies = experiment.variants.iter().map(|variant| {
                    let base = config.scenarios.get(&experiment.scenario);
                    let policy = config.variant_policy(base, &variant.settings);
                    let names = (experiment.id.clone(), variant.name.clone());
                    // Checked when the settings were loaded.
                    chosen(policy.unwrap_or_default(), Some(names))
                });
                Running { policies: policies.collect(), experiment: experiment.clone() }
            })
            .collect();
        let times = |running: &Running| [running.experiment.starts, running.experiment.ends];
        let mut turns: Vec<Timestamp> = running.iter().flat_map(times).flatten().collect();
        turns.sort_unstable();
        Self { usual, scenarios, running, turns }
    }

    /// The policy for a scenario and a shopper; who has no name is in no experiment.
    pub fn of(&self, scenario: &str, shopper: Option<&ShopperId>, now: Timestamp) -> Arc<Chosen> {
        let drawn = shopper.and_then(|shopper| {
            self.running.iter().find_map(|running| {
                let experiment = &running.experiment;
                let drawn = (experiment.scenario == scenario)
                    .then(|| assign(experiment, shopper.as_str(), now))??;
                let place = experiment.variants.iter().position(|v| v.name == drawn.name)?;
                running.policies.get(place)
            })
        });
        drawn.or_else(|| self.scenarios.get(scenario)).unwrap_or(&self.usual).clone()
    }

    /// When the next experiment begins or ends.
    pub fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        self.turns.get(self.turns.partition_point(|turn| *turn <= now)).copied()
    }

    /// The name under which a scenario is counted: its own if the settings know it, so that nobody can make up
    /// names without end.
    pub fn label(&self, scenario: &str) -> &str {
        self.scenarios.get_key_value(scenario).map_or("other", |(name, _)| name)
    }

    /// All experiments.
    pub fn experiments(&self) -> impl Iterator<Item = &Experiment> {
        self.running.iter().map(|running| &running.experiment)
    }
}

impl Chosen {
    /// What an event that follows from a list made by this policy is credited to.
    pub fn credit(&self, scenario: &str, source: Option<&str>) -> Credit {
        let (experiment, variant) = self.variant.clone().unzip();
        Credit {
            scenario: scenario.to_owned(),
            source: source.map(str::to_owned),
            experiment,
            variant,
            chance_ppm: None,
        }
    }
}
