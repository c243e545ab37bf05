//! What may be laid down for the prices of all items or of some: what prices are good for, and how freely they move.

use super::choice::{ChoicePolicy, ExplorePolicy, Goal};
use serde::{Deserialize, Serialize};

/// What prices are to be good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalName {
    /// Money left after costs.
    #[default]
    Profit,
    /// Money taken.
    Revenue,
    /// As many units as the margin floor allows.
    Units,
    /// `profit_share` of profit and the rest of revenue.
    Mixture,
}

/// A set of terms, and what may be changed of one.
macro_rules! terms {
    ($($(#[$doc:meta])* $key:ident: $type:ty,)*) => {
        /// How the prices of some items move.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        pub struct PriceTerms {
            $($(#[$doc])* pub $key: $type,)*
        }

        /// What differs from the terms that hold otherwise.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct TermsChange {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $key: Option<$type>,
            )*
        }

        impl TermsChange {
            /// Whether it changes nothing.
            pub fn is_empty(&self) -> bool {
                true $(&& self.$key.is_none())*
            }

            /// Whether it says something of this key.
            pub fn names(&self, key: &str) -> bool {
                match key {
                    $(stringify!($key) => self.$key.is_some(),)*
                    _ => false,
                }
            }

            /// The terms with this change.
            #[must_use]
            pub fn of(&self, terms: &PriceTerms) -> PriceTerms {
                PriceTerms { $($key: self.$key.clone().unwrap_or_else(|| terms.$key.clone()),)* }
            }
        }
    };
}

terms! {
    /// Whether prices move at all; else they are the list prices.
    enabled: bool,
    /// What prices are to be good for.
    goal: GoalName,
    /// With the goal `mixture`: the share of profit, 0 to 1.
    profit_share: f64,
    /// Lowest margin over cost, as a share of cost, 0 to 10.
    margin_floor: f64,
    /// Largest change within a day, as a share of the price a day ago, 0 to 1.
    step_max: f64,
    /// Largest change within 30 days, likewise; from `step_max` to 10.
    step_30d_max: f64,
    /// Last digits that a price may have, in minor units; empty = every price.
    endings: Vec<u32>,
    /// Share of a price that goes to payment, marketplaces and expected returns, 0 to 1.
    fee_share: f64,
    /// What a unit that is left over brings, as a share of its cost, 0 to 1.
    salvage_share: f64,
    /// Between which shares of the competitors' index prices stay; empty = anywhere.
    corridor: Vec<f64>,
    /// Whether prices are tried out.
    explore: bool,
    /// Expected loss that a trial may cost, as a share of what the best known price promises, 0 to 1.
    explore_loss_max: f64,
}

impl TermsChange {
    /// What is out of range because of this change, where these terms hold otherwise.
    pub fn faults(&self, terms: &PriceTerms) -> Vec<WrongTerm> {
        let mut wrong = self.of(terms).check();
        let is_step = |key: &str| key == "step_30d_max" && self.names("step_max");
        wrong.retain(|wrong| self.names(wrong.key) || is_step(wrong.key));
        wrong
    }
}

/// A term that is out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongTerm {
    /// Which.
    pub key: &'static str,
    /// What it must be.
    pub rule: &'static str,
    /// What it is.
    pub value: String,
}

impl PriceTerms {
    /// Everything that is out of range.
    pub fn check(&self) -> Vec<WrongTerm> {
        let mut wrong = Vec::new();
        let mut rule = |holds: bool, key, rule, value: String| {
            if !holds {
                wrong.push(WrongTerm { key, rule, value });
            }
        };
        let margin = self.margin_floor;
        let holds = (0.0..=10.0).contains(&margin);
        rule(holds, "margin_floor", "must be from 0 to 10", margin.to_string());
        for (key, share) in [
            ("profit_share", self.profit_share),
            ("step_max", self.step_max),
            ("fee_share", self.fee_share),
            ("salvage_share", self.salvage_share),
            ("explore_loss_max", self.explore_loss_max),
        ] {
            let holds = (0.0..=1.0).contains(&share);
            rule(holds, key, "must be from 0 to 1", share.to_string());
        }
        let month = self.step_30d_max;
        let holds = (self.step_max..=10.0).contains(&month);
        rule(holds, "step_30d_max", "must be from `step_max` to 10", month.to_string());
        let holds = match self.corridor[..] {
            [] => true,
            [low, high] => 0.0 < low && low <= high && high <= 10.0,
            _ => false,
        };
        let allowed = "must be empty, or two shares above 0 and at most 10, the lower first";
        rule(holds, "corridor", allowed, format!("{:?}", self.corridor));
        let holds =
            self.endings.len() <= 100 && self.endings.iter().all(|&ending| ending < 1_000_000);
        let allowed = "must be at most 100 numbers below 1000000";
        rule(holds, "endings", allowed, format!("{:?}", self.endings));
        wrong
    }

    /// What prices are chosen by, where trials are otherwise as in `explore`.
    pub fn choice(&self, explore: ExplorePolicy) -> ChoicePolicy {
        ChoicePolicy {
            goal: match self.goal {
                GoalName::Profit => Goal::Profit,
                GoalName::Revenue => Goal::Revenue,
                GoalName::Units => Goal::Units,
                GoalName::Mixture => Goal::Mixture(self.profit_share),
            },
            margin_floor: self.margin_floor,
            // Terms of several scopes may not have been made for one another: the narrower one holds.
            step_max: self.step_max.min(self.step_30d_max),
            step_30d_max: self.step_30d_max,
            endings: self.endings.clone(),
            fee_share: self.fee_share,
            salvage_share: self.salvage_share,
            corridor: if let [low, high] = self.corridor[..] { Some([low, high]) } else { None },
            explore: ExplorePolicy {
                enabled: self.explore,
                loss_max: self.explore_loss_max,
                ..explore
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> PriceTerms {
        PriceTerms { step_max: 0.1, step_30d_max: 0.3, ..PriceTerms::default() }
    }

    #[test]
    fn a_change_says_what_it_says_and_leaves_the_rest() {
        let change: TermsChange =
            serde_json::from_str(r#"{"goal": "mixture", "profit_share": 0.7, "endings": [99]}"#)
                .unwrap();
        assert!(!change.is_empty() && TermsChange::default().is_empty());
        let changed = change.of(&terms());
        assert_eq!(changed.endings, [99]);
        assert_eq!((changed.step_max, changed.step_30d_max), (0.1, 0.3));
        let explore = ExplorePolicy { enabled: true, loss_max: 0.5, share: 0.1, dwell_days: 7.0 };
        let choice = changed.choice(explore);
        assert_eq!(choice.goal, Goal::Mixture(0.7));
        let explore = ExplorePolicy { enabled: false, loss_max: 0.0, ..explore };
        assert_eq!(choice.explore, explore, "trials are as the terms say");
        assert_eq!(
            serde_json::to_string(&change).unwrap(),
            r#"{"goal":"mixture","profit_share":0.7,"endings":[99]}"#
        );
        assert!(serde_json::from_str::<TermsChange>(r#"{"gaol": "profit"}"#).is_err());
    }

    #[test]
    fn a_change_is_not_at_fault_for_what_it_does_not_say() {
        let narrow = PriceTerms { step_max: 0.5, step_30d_max: 0.3, ..terms() };
        let enabled = TermsChange { enabled: Some(true), ..TermsChange::default() };
        assert_eq!(enabled.faults(&narrow), []);
        for (step_max, step_30d_max) in
            [(Some(0.4), None), (None, Some(0.2)), (Some(0.4), Some(0.2))]
        {
            let change = TermsChange { step_max, step_30d_max, ..TermsChange::default() };
            let faults = change.faults(&narrow);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].key, "step_30d_max");
        }
        let both = TermsChange { margin_floor: Some(11.0), ..enabled };
        assert_eq!(both.faults(&narrow)[0].key, "margin_floor");
    }

    #[test]
    fn every_term_out_of_range_is_named() {
        assert_eq!(terms().check(), []);
        let wrong = PriceTerms {
            profit_share: 1.5,
            margin_floor: -0.1,
            step_max: 0.5,
            step_30d_max: 0.4,
            endings: vec![1_000_000],
            fee_share: f64::NAN,
            salvage_share: -1.0,
            corridor: vec![1.1, 0.9],
            explore_loss_max: 2.0,
            ..terms()
        };
        let keys: Vec<&str> = wrong.check().into_iter().map(|wrong| wrong.key).collect();
        assert_eq!(
            keys,
            [
                "margin_floor",
                "profit_share",
                "fee_share",
                "salvage_share",
                "explore_loss_max",
                "step_30d_max",
                "corridor",
                "endings",
            ]
        );
    }

    #[test]
    fn terms_that_were_not_made_for_one_another_keep_the_narrower_step() {
        let explore = ExplorePolicy { enabled: false, loss_max: 0.0, share: 0.0, dwell_days: 0.0 };
        let choice = PriceTerms { step_30d_max: 0.05, ..terms() }.choice(explore);
        assert_eq!((choice.step_max, choice.step_30d_max), (0.05, 0.05));
    }
}
