//! What comes next in a running session: how often it is in the list, and how far up.
//!
//! Sessions are revealed item by item ([`NextItemCase::every_step`]: Ludewig and Jannach, "Evaluation of
//! session-based recommendation algorithms", UMUAI 2018; Kersbergen, Sprangers, Schelter,
//! "Serenade", SIGMOD 2022), or given as a prefix and its label ([`NextItemCase::labelled`]: Wu et
//! al., "Session-based recommendation with graph neural networks", AAAI 2019, whose P@20 is the
//! hit rate here). All items compete, those of the session too.
//!
//! Hit rate, MRR and NDCG are about the very next item, precision and recall about all that are still to come,
//! each once. NDCG with one relevant item is `1/log₂(1 + rank)`. Serenade's program differs in that: it takes
//! all items to come for relevant, discounts ranks 1 and 2 alike (`1/log₂(rank)` from rank 2 on), and divides
//! by the worth of the session itself taken as a list; its numbers cannot be compared with those here, the
//! other four metrics can.
//!
//! The steps of one session are not independent, so standard errors are over sessions.

use super::{
    compare::Estimate,
    diversity::{coverage, mean_popularity},
    metrics::{hit_rate_at_k, ndcg_at_k, precision_at_k, recall_at_k, reciprocal_rank_at_k},
};
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// Cases that one task asks about.
const BLOCK: usize = 64;

/// A running session and what came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextItemCase<'a> {
    /// Which session it is from; the cases of a session stand together.
    pub session: usize,
    /// What is known of it, oldest first.
    pub known: &'a [u32],
    /// What came then, never empty: the next item first. An item outside of the catalogue is never found.
    pub to_come: &'a [u32],
}

impl<'a> NextItemCase<'a> {
    /// Each session cut before each of its items but the first.
    pub fn every_step<S: AsRef<[u32]>>(sessions: &'a [S]) -> Vec<Self> {
        let steps = |(session, items): (usize, &'a S)| {
            let items = items.as_ref();
            (1..items.len()).map(move |at| {
                let (known, to_come) = items.split_at(at);
                Self { session, known, to_come }
            })
        };
        sessions.iter().enumerate().flat_map(steps).collect()
    }

    /// Each list cut before its last item. A list that is the one before it without its last item is taken for the
    /// same session: so prefixes of one session, the longest first, are one.
    pub fn labelled<S: AsRef<[u32]>>(lists: &'a [S]) -> Vec<Self> {
        let mut cases: Vec<Self> = Vec::new();
        let mut session = 0;
        for items in lists.iter().map(AsRef::as_ref).filter(|items| items.len() > 1) {
            let (known, to_come) = items.split_at(items.len() - 1);
            if let Some(last) = cases.last() {
                session += usize::from(last.known != items);
            }
            cases.push(Self { session, known, to_come });
        }
        cases
    }
}

/// What is measured of one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextItemMetric {
    /// Whether the next item is in the list.
    HitRate,
    /// One over the rank of the next item.
    Mrr,
    /// [`ndcg_at_k`] with the next item alone being relevant.
    Ndcg,
    /// [`precision_at_k`] with all that is to come.
    Precision,
    /// [`recall_at_k`] with all that is to come.
    Recall,
    /// [`mean_popularity`]; 0 of an empty list.
    MeanPopularity,
}

impl NextItemMetric {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::HitRate, Self::Mrr, Self::Ndcg, Self::Precision, Self::Recall, Self::MeanPopularity];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HitRate => "hit_rate",
            Self::Mrr => "mrr",
            Self::Ndcg => "ndcg",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::MeanPopularity => "mean_popularity",
        }
    }
}

/// Values of one list at one cut-off.
const WIDTH: usize = NextItemMetric::ALL.len();

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct NextItemReport {
    ks: Vec<usize>,
    n_cases: usize,
    /// `(n_sessions, n_ks · WIDTH)`: sums over the cases of a session.
    sums: Vec<f64>,
    /// `(n_sessions)`.
    n_cases_of: Vec<usize>,
    /// `(n_ks)`.
    coverage: Vec<f64>,
    n_silent: usize,
}

/// One list after the other, in their order.
#[derive(Default)]
struct Measured {
    /// `(n_cases, n_ks · WIDTH)`.
    values: Vec<f64>,
    /// The lists, one after the other, and where each ends.
    lists: Vec<u32>,
    ends: Vec<usize>,
}

/// Asks `recommend` about every case and measures its lists, in parallel, the same at any thread count.
///
/// `recommend` is given what `room` makes for each task, what is known of the session and the length of the
/// list, and fills an empty list, best first.
/// `popularity (n_items)` counts the items in what was learned from.
pub fn measure_next_items<R>(
    cases: &[NextItemCase<'_>],
    ks: &[usize],
    popularity: &[u32],
    room: impl Fn() -> R + Sync + Send,
    recommend: impl Fn(&mut R, &[u32], usize, &mut Vec<u32>) + Sync,
) -> NextItemReport {
    let longest = ks.iter().copied().max().unwrap_or_default();
    let of_block = |(room, ranked): &mut (R, Vec<u32>), block: &[NextItemCase<'_>]| {
        let mut measured = Measured::default();
        for case in block {
            ranked.clear();
            recommend(room, case.known, longest, ranked);
            ranked.truncate(longest);
            let mut relevant = case.to_come.to_vec();
            relevant.sort_unstable();
            relevant.dedup();
            let next = &case.to_come[..1];
            for &k in ks {
                measured.values.extend([
                    hit_rate_at_k(ranked, next, k),
                    reciprocal_rank_at_k(ranked, next, k),
                    ndcg_at_k(ranked, next, k),
                    precision_at_k(ranked, &relevant, k),
                    recall_at_k(ranked, &relevant, k),
                    mean_popularity(ranked, popularity, k).unwrap_or_default(),
                ]);
            }
            measured.lists.extend_from_slice(ranked);
            measured.ends.push(measured.lists.len());
        }
        measured
    };
    let blocks: Vec<Measured> =
        cases.par_chunks(BLOCK).map_init(|| (room(), Vec::new()), of_block).collect();

    let width = ks.len() * WIDTH;
    let mut report = NextItemReport {
        ks: ks.to_vec(),
        n_cases: cases.len(),
        sums: Vec::new(),
        n_cases_of: Vec::new(),
        coverage: Vec::new(),
        n_silent: 0,
    };
    let mut counts = vec![vec![0_u32; popularity.len()]; ks.len()];
    let mut before = None;
    let rows = blocks.iter().flat_map(|block| {
        let begins = std::iter::once(0).chain(block.ends.iter().copied());
        let lists = begins.zip(&block.ends).map(|(begin, &end)| &block.lists[begin..end]);
        // Without a cut-off there are no values, but lists.
        let values = (0..block.ends.len()).map(|at| &block.values[at * width..(at + 1) * width]);
        values.zip(lists)
    });
    for (case, (values, list)) in cases.iter().zip(rows) {
        if before.replace(case.session) != Some(case.session) {
            report.sums.extend(std::iter::repeat_n(0.0, width));
            report.n_cases_of.push(0);
        }
        let at = report.n_cases_of.len() - 1;
        report.n_cases_of[at] += 1;
        for (sum, value) in report.sums[at * width..].iter_mut().zip(values) {
            *sum += value;
        }
        for (counts, &k) in counts.iter_mut().zip(ks) {
            for &item in list.iter().take(k) {
                if let Some(count) = counts.get_mut(item as usize) {
                    *count += 1;
                }
            }
        }
        report.n_silent += usize::from(list.is_empty());
    }
    report.coverage = counts.iter().map(|counts| coverage(counts)).collect();
    report
}

impl NextItemReport {
    /// Number of lists asked for.
    pub fn n_cases(&self) -> usize {
        self.n_cases
    }

    /// Number of sessions they are from.
    pub fn n_sessions(&self) -> usize {
        self.n_cases_of.len()
    }

    /// Number of lists that were empty; they count as nothing found.
    pub fn n_silent(&self) -> usize {
        self.n_silent
    }

    /// The sum over each session's lists, in the order of the cases; `None` if `k` is not a cut-off.
    fn sums(&self, metric: NextItemMetric, k: usize) -> Option<impl Iterator<Item = f64> + '_> {
        let at = self.ks.iter().position(|&cut_off| cut_off == k)?;
        let offset = at * WIDTH + metric as usize;
        Some(self.sums.chunks_exact(self.ks.len() * WIDTH).map(move |row| row[offset]))
    }

    /// One value for each session, in the order of the cases, whose mean is the mean over all lists: the session's
    /// sum times sessions per list. For comparing two models session by session.
    pub fn of_sessions(&self, metric: NextItemMetric, k: usize) -> Option<Vec<f64>> {
        let factor = self.n_sessions() as f64 / self.n_cases.max(1) as f64;
        Some(self.sums(metric, k)?.map(|sum| sum * factor).collect())
    }

    /// The mean over all lists, its standard error over sessions as of a ratio of two sums (Cochran, "Sampling
    /// techniques", 1977, chapter 9A); `None` if `k` is not a cut-off or there are no cases.
    pub fn estimate(&self, metric: NextItemMetric, k: usize) -> Option<Estimate> {
        let sums = || self.sums(metric, k);
        let (n_cases, n) = (self.n_cases as f64, self.n_sessions());
        if n == 0 {
            return None;
        }
        let mean = sums()?.sum::<f64>() / n_cases;
        let residual = |(sum, &n_cases): (f64, &usize)| (sum - mean * n_cases as f64).powi(2);
        let squares: f64 = sums()?.zip(&self.n_cases_of).map(residual).sum();
        let correction = n as f64 / n.saturating_sub(1).max(1) as f64;
        let standard_error = (squares * correction).sqrt() / n_cases;
        Some(Estimate { mean, standard_error, n })
    }

    /// Part of the catalogue that is in any list; `None` if `k` is not a cut-off.
    pub fn coverage(&self, k: usize) -> Option<f64> {
        let at = self.ks.iter().position(|&cut_off| cut_off == k)?;
        self.coverage.get(at).copied()
    }

    /// Everything that was measured, named like `mrr@20`; with a standard error where it is a mean.
    pub fn named(&self) -> Vec<(String, f64, Option<f64>)> {
        let mut named = Vec::new();
        for &k in &self.ks {
            named.extend(NextItemMetric::ALL.into_iter().filter_map(|metric| {
                let Estimate { mean, standard_error, .. } = self.estimate(metric, k)?;
                Some((format!("{}@{k}", metric.name()), mean, Some(standard_error)))
            }));
            let coverage = self.coverage(k).unwrap_or_default();
            named.push((format!("coverage@{k}"), coverage, None));
        }
        named
    }
}

/// How long single calls take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half of the calls take no longer.
    pub p50: Duration,
    /// Nine in ten take no longer.
    pub p90: Duration,
    /// 99 in a hundred take no longer.
    pub p99: Duration,
    /// Number of calls.
    pub n: usize,
}

impl Latency {
    /// Percentiles by nearest rank (Hyndman and Fan, "Sample quantiles in statistical packages", The American
    /// Statistician 1996, definition 1); 0 of nothing.
    pub fn of(mut calls: Vec<Duration>) -> Self {
        calls.sort_unstable();
        let n = calls.len();
        let at = |percent: usize| {
            calls.get((percent * n).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: at(50), p90: at(90), p99: at(99), n }
    }
}

/// Times `call` for the known part of every case, one after the other on this thread, after a few calls that
/// are not counted, which grow its buffers.
pub fn measure_latency(cases: &[NextItemCase<'_>], mut call: impl FnMut(&[u32])) -> Latency {
    cases.iter().take(BLOCK).for_each(|case| call(case.known));
    let timed = |case: &NextItemCase<'_>| {
        let begun = Instant::now();
        call(case.known);
        begun.elapsed()
    };
    Latency::of(cases.iter().map(timed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of a few `f64` near 1.
    const TOLERANCE: f64 = 1e-12;

    #[track_caller]
    fn assert_close(value: f64, expected: f64) {
        assert!((value - expected).abs() < TOLERANCE, "{value} is not {expected}");
    }

    /// Recommends 0, 1, 2, …
    fn first_items(_: &mut (), _: &[u32], n: usize, list: &mut Vec<u32>) {
        list.extend(0..n as u32);
    }

    #[test]
    fn sessions_are_revealed_item_by_item() {
        let sessions = [vec![3, 1, 1], vec![5], vec![], vec![2, 4]];
        let cases = NextItemCase::every_step(&sessions);
        let expected = [
            NextItemCase { session: 0, known: &[3], to_come: &[1, 1] },
            NextItemCase { session: 0, known: &[3, 1], to_come: &[1] },
            NextItemCase { session: 3, known: &[2], to_come: &[4] },
        ];
        assert_eq!(cases, expected);
    }

    #[test]
    fn prefixes_in_a_row_are_one_session() {
        let lists = [vec![1, 2, 3], vec![1, 2], vec![4, 5, 6, 7], vec![4, 5], vec![9], vec![8, 9]];
        let cases = NextItemCase::labelled(&lists);
        let sessions: Vec<usize> = cases.iter().map(|case| case.session).collect();
        assert_eq!(sessions, [0, 0, 1, 2, 3], "of 4 5 6 7 the prefix 4 5 6 is missing");
        assert_eq!((cases[2].known, cases[2].to_come), (&[4, 5, 6][..], &[7][..]));
    }

    #[test]
    fn metrics_agree_with_a_case_by_hand() {
        // Next at rank 2, then not found, then at rank 1; of what is to come two, one and one are in the list.
        let sessions = [vec![9, 1, 7, 0], vec![5, 9]];
        let cases = NextItemCase::every_step(&sessions);
        let report = measure_next_items(&cases, &[1, 2], &[4, 2, 0, 0], || (), first_items);
        let mean = |metric, k| report.estimate(metric, k).unwrap().mean;
        assert_eq!((report.n_cases(), report.n_sessions(), report.n_silent()), (4, 2, 0));
        assert_close(mean(NextItemMetric::HitRate, 2), 2.0 / 4.0);
        assert_close(mean(NextItemMetric::HitRate, 1), 1.0 / 4.0);
        assert_close(mean(NextItemMetric::Mrr, 2), (0.5 + 0.0 + 1.0) / 4.0);
        assert_close(mean(NextItemMetric::Ndcg, 2), (1.0 / 3_f64.log2() + 1.0) / 4.0);
        assert_close(mean(NextItemMetric::Precision, 2), (1.0 + 0.5 + 0.5) / 4.0);
        assert_close(mean(NextItemMetric::Recall, 2), (2.0 / 3.0 + 0.5 + 1.0) / 4.0);
        assert_close(mean(NextItemMetric::MeanPopularity, 2), 3.0);
        assert_eq!((report.coverage(1), report.coverage(2)), (Some(0.25), Some(0.5)));
        assert_eq!(report.estimate(NextItemMetric::Mrr, 5), None);
        let of_sessions = report.of_sessions(NextItemMetric::Mrr, 2).unwrap();
        assert_eq!(of_sessions, [0.75, 0.0]);
        // Residuals of the sums 1.5 and 0 from a mean of 3/8 for three cases and one: both are 3/8.
        let error = report.estimate(NextItemMetric::Mrr, 2).unwrap().standard_error;
        assert_close(error, (2.0 * 2.0 * 0.375_f64.powi(2)).sqrt() / 4.0);
    }

    #[test]
    fn with_as_many_cases_in_each_session_the_error_is_that_of_their_means() {
        let sessions: Vec<Vec<u32>> = (0..150).map(|at| vec![9, at % 7 % 3, at % 5]).collect();
        let cases = NextItemCase::every_step(&sessions);
        let report = measure_next_items(&cases, &[2], &[0; 10], || (), first_items);
        let of_sessions = report.of_sessions(NextItemMetric::Mrr, 2).unwrap();
        let (plain, ratio) =
            (Estimate::of(&of_sessions), report.estimate(NextItemMetric::Mrr, 2).unwrap());
        assert_eq!(ratio.n, 150);
        assert_close(plain.mean, ratio.mean);
        assert_close(plain.standard_error, ratio.standard_error);
    }

    #[test]
    fn no_list_is_nothing_found_and_no_case_is_no_number() {
        let sessions = [vec![1, 2]];
        let cases = NextItemCase::every_step(&sessions);
        let report = measure_next_items(&cases, &[3], &[1; 3], || (), |(), _, _, _| {});
        assert_eq!(report.n_silent(), 1);
        assert!(report.named().iter().all(|(_, value, _)| *value == 0.0));
        let none = measure_next_items(&[], &[3], &[1; 3], || (), first_items);
        assert_eq!(none.estimate(NextItemMetric::Mrr, 3), None);
        let without_cut_off = measure_next_items(&cases, &[], &[1; 3], || (), first_items);
        assert!(without_cut_off.named().is_empty() && without_cut_off.n_cases() == 1);
    }

    #[test]
    fn percentiles_are_calls_that_were_made() {
        let calls = (1..=200).rev().map(Duration::from_micros).collect();
        let latency = Latency::of(calls);
        let micros = [latency.p50, latency.p90, latency.p99].map(|call| call.as_micros());
        assert_eq!((micros, latency.n), ([100, 180, 198], 200));
        assert_eq!(Latency::of(vec![]), Latency::default());
        let sessions = [vec![1, 2, 3]];
        let mut n_calls = 0;
        let latency = measure_latency(&NextItemCase::every_step(&sessions), |_| n_calls += 1);
        assert_eq!((latency.n, n_calls), (2, 4));
    }
}
