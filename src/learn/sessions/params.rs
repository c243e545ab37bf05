//! How neighbours are chosen and what they say.

use crate::learn::recommenders::{FitError, check};
use serde::{Deserialize, Serialize};

/// Most items of a running session that can be used: one bit each in a set of them.
pub const SESSION_ITEMS_LIMIT: usize = 32;

/// How something counts less the longer ago it was in the running session; `d` is 0 for its last event, 1 for
/// the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// `(n − d) / n` for `n` events that are used: the decay of VMIS-kNN's similarity.
    Session,
    /// `1 − d / span`, never below 0: with a span of 9, VMIS-kNN's match weight `1 − 0.1 (d + 1)` but for
    /// a factor.
    Linear {
        /// Where it comes to 0, above 0.
        span: f32,
    },
    /// `e^(−rate·d)`: STAN's; its `λ₁` is `1 / rate`.
    Exponential {
        /// At least 0; 0 is no decay.
        rate: f32,
    },
}

impl Decay {
    /// The weight of distance `d` in a session of which `n` events are used.
    pub(super) fn weight(self, d: usize, n: usize) -> f32 {
        let d = d as f32;
        match self {
            Self::Session => 1.0 - d / n.max(1) as f32,
            Self::Linear { span } => (1.0 - d / span).max(0.0),
            Self::Exponential { rate } => (-rate * d).exp(),
        }
    }

    fn check(self, parameter: &'static str) -> Result<(), FitError> {
        match self {
            Self::Session => Ok(()),
            Self::Linear { span } => {
                let fits = span.is_finite() && span > 0.0;
                check(fits, parameter, "a span that is finite and above 0", span)
            }
            Self::Exponential { rate } => {
                check((0.0..=100.0).contains(&rate), parameter, "a rate between 0 and 100", rate)
            }
        }
    }
}

/// How neighbours are chosen and what they say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionParams {
    /// Candidates: the latest sessions that share an item with the running one, 1 to the index's `postings_max`.
    pub m: usize,
    /// Neighbours: the most similar of the candidates, at least 1.
    pub k: usize,
    /// Last events of the running session that are used, 1 to 32.
    pub session_items_max: usize,
    /// What sharing an item is worth, by where it is in the running session.
    pub position_decay: Decay,
    /// What a neighbour is worth, by where the last item that it shares is in the running session.
    pub match_decay: Decay,
    /// What items of a neighbour are worth, by the number of steps `s` to the item it shares: `e^(−rate·s)`; at
    /// least 0, 0 being no decay. STAN's `1 / λ₃`.
    pub distance_decay: f32,
    /// What items of a neighbour that come before the item it shares are worth against those that come after it,
    /// 0 to 1.
    pub before_weight: f32,
    /// How much older sessions count less: the oldest of the index counts `e^(−rate)` of what the latest
    /// does, between them by their number; at least 0.
    pub recency_decay: f32,
    /// How much long sessions count less: similarity is divided by `length^exponent`; 0 to 2, a half being STAN's
    /// cosine.
    pub length_exponent: f32,
    /// How much frequent items count less when they are found: `idf^exponent`, 0 to 4.
    pub idf_exponent: f32,
    /// How much frequent items count less when they are shared: `idf^exponent`, 0 to 4.
    pub shared_idf_exponent: f32,
    /// What an item is worth that is in the running session before its end, 0 to 1.
    pub repeat_weight: f32,
    /// What the last item of the running session is worth, 0 to 1.
    pub last_item_weight: f32,
}

impl Default for SessionParams {
    /// Chosen for the mean logarithm of NDCG@20 on held-out sessions of three shops (those of Serenade's example,
    /// `YooChoose` and Diginetica) at once; the weights of own items differ most from shop to shop.
    fn default() -> Self {
        Self {
            m: 500,
            k: 300,
            session_items_max: 8,
            position_decay: Decay::Exponential { rate: 0.4 },
            match_decay: Decay::Exponential { rate: 0.4 },
            distance_decay: 0.35,
            before_weight: 0.7,
            recency_decay: 0.5,
            length_exponent: 0.0,
            idf_exponent: 2.0,
            shared_idf_exponent: 3.0,
            repeat_weight: 1.0,
            last_item_weight: 0.2,
        }
    }
}

impl SessionParams {
    /// VMIS-kNN as it was published, but for the `1 +` in [`SessionIndex::inverse_frequency`]; `m` and `k` are 500.
    ///
    /// [`SessionIndex::inverse_frequency`]: super::SessionIndex::inverse_frequency
    #[must_use]
    pub fn as_published() -> Self {
        Self {
            m: 500,
            k: 500,
            session_items_max: SESSION_ITEMS_LIMIT,
            position_decay: Decay::Session,
            match_decay: Decay::Linear { span: 9.0 },
            distance_decay: 0.0,
            before_weight: 1.0,
            recency_decay: 0.0,
            length_exponent: 0.0,
            idf_exponent: 1.0,
            shared_idf_exponent: 0.0,
            repeat_weight: 1.0,
            last_item_weight: 0.0,
        }
    }

    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        check((1..=1_000_000).contains(&self.m), "m", "between 1 and 1000000", self.m)?;
        check((1..=1_000_000).contains(&self.k), "k", "between 1 and 1000000", self.k)?;
        let n = self.session_items_max;
        let fits = (1..=SESSION_ITEMS_LIMIT).contains(&n);
        check(fits, "session_items_max", "between 1 and 32", n)?;
        self.position_decay.check("position_decay")?;
        self.match_decay.check("match_decay")?;
        let up_to_hundred =
            [("distance_decay", self.distance_decay), ("recency_decay", self.recency_decay)];
        for (name, value) in up_to_hundred {
            check((0.0..=100.0).contains(&value), name, "between 0 and 100", value)?;
        }
        let length = self.length_exponent;
        check((0.0..=2.0).contains(&length), "length_exponent", "between 0 and 2", length)?;
        let exponents = [
            ("idf_exponent", self.idf_exponent),
            ("shared_idf_exponent", self.shared_idf_exponent),
        ];
        for (name, value) in exponents {
            check((0.0..=4.0).contains(&value), name, "between 0 and 4", value)?;
        }
        let shares = [
            ("before_weight", self.before_weight),
            ("repeat_weight", self.repeat_weight),
            ("last_item_weight", self.last_item_weight),
        ];
        for (name, value) in shares {
            check((0.0..=1.0).contains(&value), name, "between 0 and 1", value)?;
        }
        Ok(())
    }
}
