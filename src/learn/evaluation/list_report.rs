//! What was measured of a model's lists.

use super::compare::Estimate;

/// What is measured of one shopper's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListMetric {
    /// [`super::metrics::recall_at_k`].
    Recall,
    /// [`super::metrics::recall_min_at_k`].
    RecallMin,
    /// [`super::metrics::ndcg_at_k`].
    Ndcg,
    /// [`super::metrics::precision_at_k`].
    Precision,
    /// [`super::metrics::f1_at_k`].
    F1,
    /// [`super::metrics::average_precision_at_k`].
    Map,
    /// [`super::metrics::reciprocal_rank_at_k`].
    Mrr,
    /// [`super::metrics::hit_rate_at_k`].
    HitRate,
    /// [`super::diversity::novelty`].
    Novelty,
    /// [`super::diversity::mean_popularity`].
    MeanPopularity,
    /// [`super::diversity::ItemVectors::diversity`].
    Diversity,
    /// [`super::diversity::ItemCategories::calibration`]; less is better.
    Calibration,
}

impl ListMetric {
    /// Every one; the first eight are defined for every shopper.
    pub const ALL: [Self; 12] = [
        Self::Recall,
        Self::RecallMin,
        Self::Ndcg,
        Self::Precision,
        Self::F1,
        Self::Map,
        Self::Mrr,
        Self::HitRate,
        Self::Novelty,
        Self::MeanPopularity,
        Self::Diversity,
        Self::Calibration,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recall => "recall",
            Self::RecallMin => "recall_min",
            Self::Ndcg => "ndcg",
            Self::Precision => "precision",
            Self::F1 => "f1",
            Self::Map => "map",
            Self::Mrr => "mrr",
            Self::HitRate => "hit_rate",
            Self::Novelty => "novelty",
            Self::MeanPopularity => "mean_popularity",
            Self::Diversity => "diversity",
            Self::Calibration => "calibration",
        }
    }
}

/// Values of one list at one cut-off.
pub(super) const WIDTH: usize = ListMetric::ALL.len();

/// What was measured.
#[derive(Clone, Debug)]
pub struct ListReport {
    pub(super) ks: Vec<usize>,
    /// `(n_users, n_ks, WIDTH)`; not a number where a value is not defined.
    pub(super) values: Vec<f64>,
    /// `(n_users)`, alike; empty if not measured.
    pub(super) areas: Vec<f64>,
    /// Coverage, Gini's index and entropy at each cut-off.
    pub(super) spread: Vec<[f64; 3]>,
    pub(super) n_users: usize,
    pub(super) n_silent: usize,
}

impl ListReport {
    /// The cut-offs.
    pub fn ks(&self) -> &[usize] {
        &self.ks
    }

    /// Number of shoppers that were counted.
    pub fn n_users(&self) -> usize {
        self.n_users
    }

    /// Number of those for whom the model had nothing to say.
    pub fn n_silent(&self) -> usize {
        self.n_silent
    }

    /// The value of every shopper, in the order of the cases; not a number where it is not defined, which
    /// never happens for accuracy. `None` if `k` is not a cut-off.
    pub fn of_users(&self, metric: ListMetric, k: usize) -> Option<Vec<f64>> {
        let at = self.ks.iter().position(|&cut_off| cut_off == k)?;
        let offset = at * WIDTH + metric as usize;
        let rows = self.values.chunks_exact(self.ks.len() * WIDTH);
        Some(rows.map(|row| row[offset]).collect())
    }

    /// The mean over the shoppers for whom it is defined; `None` if that is nobody.
    pub fn estimate(&self, metric: ListMetric, k: usize) -> Option<Estimate> {
        let mut values = self.of_users(metric, k)?;
        values.retain(|value| !value.is_nan());
        (!values.is_empty()).then(|| Estimate::of(&values))
    }

    /// The mean area under the curve; `None` if it was not measured.
    pub fn area(&self) -> Option<Estimate> {
        (!self.areas.is_empty()).then(|| Estimate::of(&self.areas))
    }

    /// Coverage, Gini's index and entropy (bits) at a cut-off.
    pub fn spread(&self, k: usize) -> Option<[f64; 3]> {
        let at = self.ks.iter().position(|&cut_off| cut_off == k)?;
        self.spread.get(at).copied()
    }

    /// Everything that was measured, named like `recall@20`; with a standard error where it is a mean
    /// over shoppers.
    pub fn named(&self) -> Vec<(String, f64, Option<f64>)> {
        let mut named = Vec::new();
        for &k in &self.ks {
            let found = ListMetric::ALL.map(|metric| (metric, self.estimate(metric, k)));
            named.extend(found.into_iter().filter_map(|(metric, estimate)| {
                let Estimate { mean, standard_error, .. } = estimate?;
                Some((format!("{}@{k}", metric.name()), mean, Some(standard_error)))
            }));
            let spread = self.spread(k).unwrap_or_default();
            for (name, value) in ["coverage", "gini", "entropy"].into_iter().zip(spread) {
                named.push((format!("{name}@{k}"), value, None));
            }
        }
        let area = self.area().map(|area| ("auc".to_owned(), area.mean, Some(area.standard_error)));
        named.extend(area);
        named
    }
}
