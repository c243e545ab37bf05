//! Everything about a model's lists in one pass over the shoppers, at several cut-offs.
//!
//! The values of every single shopper are kept, in the order of the cases, so that two models can be
//! compared by [`super::compare`].

use super::{
    Candidates, HeldOutCase, Ties,
    diversity::{ItemCategories, ItemVectors, coverage, entropy, gini, mean_popularity, novelty},
    list_report::{ListMetric, ListReport},
    metrics::{
        average_precision_at_k, f1_at_k, hit_rate_at_k, ndcg_at_k, precision_at_k, recall_at_k,
        recall_min_at_k, reciprocal_rank_at_k,
    },
    ranking::Ranker,
};
use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use crate::learn::recommenders::Query;
use rayon::prelude::*;

/// Cases that one task ranks.
const BLOCK: usize = 32;

/// What is known of the items beside the lists.
#[derive(Clone, Debug)]
pub struct Catalogue {
    n_users: usize,
    /// Number of users that have each item.
    popularity: Vec<u32>,
    vectors: ItemVectors,
    categories: Option<ItemCategories>,
}

impl Catalogue {
    /// Of the data that the models are fitted on. Likeness of items is that of their categories, if given,
    /// and of who has them otherwise.
    pub fn new(matrix: &InteractionMatrix, categories: Option<ItemCategories>) -> Self {
        let items = (0..matrix.n_items() as u32).map(ItemIdx);
        let by_users = || ItemVectors::by_users(matrix);
        Self {
            n_users: matrix.n_users(),
            popularity: items.map(|item| matrix.column(item).0.len() as u32).collect(),
            vectors: categories.as_ref().map_or_else(by_users, ItemVectors::by_categories),
            categories,
        }
    }
}

/// How lists are made and what is measured.
#[derive(Clone, Copy, Debug)]
pub struct ListProtocol<'a> {
    /// Cut-offs.
    pub ks: &'a [usize],
    /// Who goes first among equal scores.
    pub ties: Ties,
    /// Who competes.
    pub candidates: Candidates,
    /// Whether to measure the area under the curve, which looks at every score.
    pub with_area: bool,
    /// Without it, novelty, popularity, diversity and calibration are not measured.
    pub catalogue: Option<&'a Catalogue>,
}

impl<'a> ListProtocol<'a> {
    /// Accuracy at `ks` in the full ranking.
    pub fn accuracy(ks: &'a [usize]) -> Self {
        let (ties, candidates) = (Ties::default(), Candidates::default());
        Self { ks, ties, candidates, with_area: false, catalogue: None }
    }
}

/// Makes the lists of all cases that have a relevant item, in parallel, the same at any thread count.
///
/// `scorer` fills the first buffer `(n_items)` and may use the second, like
/// [`Blend::score_items`](crate::learn::recommenders::Blend::score_items); a case for which it says
/// `false` counts with an empty list.
pub fn measure_lists(
    scorer: impl Fn(Query<'_>, &mut [f32], &mut [f32]) -> bool + Sync,
    cases: &[HeldOutCase],
    n_items: usize,
    protocol: &ListProtocol<'_>,
) -> ListReport {
    let room = || Room::new(n_items, protocol);
    let blocks: Vec<Block> = cases
        .par_chunks(BLOCK)
        .enumerate()
        .map_init(room, |room, (block, cases)| {
            room.measure(&scorer, block * BLOCK, cases, protocol)
        })
        .collect();
    let ks = protocol.ks.to_vec();
    let mut report = ListReport {
        spread: spread(&blocks, n_items, &ks),
        ks,
        values: Vec::new(),
        areas: Vec::new(),
        n_users: 0,
        n_silent: 0,
    };
    for block in blocks {
        report.n_users += block.lists.len();
        report.n_silent += block.n_silent;
        report.values.extend(block.values);
        report.areas.extend(block.areas);
    }
    report
}

/// How evenly the first `k` of all lists spread over the catalogue, for every `k`.
fn spread(blocks: &[Block], n_items: usize, ks: &[usize]) -> Vec<[f64; 3]> {
    let of = |&k: &usize| {
        let mut counts = vec![0_u32; n_items];
        for &item in
            blocks.iter().flat_map(|block| &block.lists).flat_map(|list| list.iter().take(k))
        {
            counts[item as usize] += 1;
        }
        [coverage(&counts), gini(&counts), entropy(&counts)]
    };
    ks.iter().map(of).collect()
}

/// What came of one block.
#[derive(Default)]
struct Block {
    lists: Vec<Vec<u32>>,
    values: Vec<f64>,
    areas: Vec<f64>,
    n_silent: usize,
}

/// The buffers of one task, used for one case after another.
struct Room {
    scores: Vec<f32>,
    scratch: Vec<f32>,
    ranker: Ranker,
    overlaps: Vec<f32>,
}

impl Room {
    fn new(n_items: usize, protocol: &ListProtocol<'_>) -> Self {
        Self {
            scores: vec![0.0; n_items],
            scratch: vec![0.0; n_items],
            ranker: Ranker::default(),
            overlaps: protocol.catalogue.map_or_else(Vec::new, |known| known.vectors.scratch()),
        }
    }

    /// Measures the cases of a block, the first of which is the `first`th of all.
    fn measure(
        &mut self,
        scorer: impl Fn(Query<'_>, &mut [f32], &mut [f32]) -> bool,
        first: usize,
        cases: &[HeldOutCase],
        protocol: &ListProtocol<'_>,
    ) -> Block {
        let longest = protocol.ks.iter().copied().max().unwrap_or(0);
        let mut block = Block::default();
        let counted = (first..).zip(cases).filter(|(_, case)| !case.relevant.is_empty());
        for (at, case) in counted {
            if scorer(case.query(), &mut self.scores, &mut self.scratch) {
                let rules = (protocol.ties, protocol.candidates);
                self.ranker.rank(&self.scores, (at, case), longest, rules);
            } else {
                self.ranker.clear();
                block.n_silent += 1;
            }
            if protocol.with_area {
                // Without scores every pair is a tie.
                block.areas.push(self.ranker.area_under_curve().unwrap_or(0.5));
            }
            self.put_values(case, protocol, &mut block.values);
            block.lists.push(self.ranker.ranked.clone());
        }
        block
    }

    /// Appends the values of the last list, `(n_ks, WIDTH)`.
    fn put_values(&mut self, case: &HeldOutCase, protocol: &ListProtocol<'_>, out: &mut Vec<f64>) {
        let list = &self.ranker.ranked[..];
        let diversity = protocol.catalogue.map_or_else(Vec::new, |known| {
            known.vectors.diversity(list, protocol.ks, &mut self.overlaps)
        });
        for (at, &k) in protocol.ks.iter().enumerate() {
            let value = |metric: ListMetric| {
                let known = protocol.catalogue;
                let categories = || known?.categories.as_ref();
                let of_list: fn(&[u32], &[u32], usize) -> f64 = match metric {
                    ListMetric::Recall => recall_at_k,
                    ListMetric::RecallMin => recall_min_at_k,
                    ListMetric::Ndcg => ndcg_at_k,
                    ListMetric::Precision => precision_at_k,
                    ListMetric::F1 => f1_at_k,
                    ListMetric::Map => average_precision_at_k,
                    ListMetric::Mrr => reciprocal_rank_at_k,
                    ListMetric::HitRate => hit_rate_at_k,
                    ListMetric::Novelty => {
                        return known.and_then(|c| novelty(list, &c.popularity, c.n_users, k));
                    }
                    ListMetric::MeanPopularity => {
                        return known.and_then(|c| mean_popularity(list, &c.popularity, k));
                    }
                    ListMetric::Diversity => return diversity.get(at).copied().flatten(),
                    ListMetric::Calibration => {
                        return categories()?.calibration(&case.history, list, k);
                    }
                };
                Some(of_list(list, &case.relevant, k))
            };
            out.extend(ListMetric::ALL.map(|metric| value(metric).unwrap_or(f64::NAN)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::UserIdx;
    use crate::learn::evaluation::list_report::WIDTH;

    const N_ITEMS: u32 = 50;

    /// Shopper `u` has a few items and wants a few others.
    fn cases() -> Vec<HeldOutCase> {
        let case = |user: u32| HeldOutCase {
            user: Some(UserIdx(user)),
            history: (0..4).map(|at| (user % 7 + at, 1.0)).collect(),
            excluded: (0..4).map(|at| user % 7 + at).collect(),
            relevant: (0..user % 4).map(|at| 20 + user % 11 + at).collect(),
        };
        (0..200).map(case).collect()
    }

    fn catalogue() -> Catalogue {
        let cells = cases().into_iter().flat_map(|case| {
            let user = case.user.unwrap();
            let items: Vec<u32> = case.excluded.iter().chain(&case.relevant).copied().collect();
            items.into_iter().map(move |item| (user, ItemIdx(item), 1.0))
        });
        let categories = (0..N_ITEMS).map(|item| vec![item % 3, item % 2]).collect::<Vec<_>>();
        let matrix = InteractionMatrix::from_cells(200, N_ITEMS as usize, cells);
        Catalogue::new(&matrix, Some(ItemCategories::new(&categories)))
    }

    /// Scores without a pattern but with ties; every tenth shopper gets none.
    fn scorer(query: Query<'_>, scores: &mut [f32], _: &mut [f32]) -> bool {
        let user = query.user.unwrap().0;
        for (item, score) in (0..).zip(scores.iter_mut()) {
            *score = f32::from((user.wrapping_mul(31) ^ ((item * 2_654_435) >> 3)) as u8 / 4);
        }
        user % 10 != 9
    }

    fn report(ks: &[usize], catalogue: Option<&Catalogue>) -> ListReport {
        let protocol = ListProtocol { with_area: true, catalogue, ..ListProtocol::accuracy(ks) };
        measure_lists(scorer, &cases(), N_ITEMS as usize, &protocol)
    }

    /// Tells what is not a number from 0, and takes it for the same as itself.
    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn one_pass_over_several_cut_offs_is_as_many_passes_at_any_thread_count() {
        let catalogue = catalogue();
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let both = pool(1).install(|| report(&[3, 10], Some(&catalogue)));
        let again = pool(3).install(|| report(&[3, 10], Some(&catalogue)));
        assert_eq!(bits(&both.values), bits(&again.values));
        assert_eq!((&both.areas, &both.spread), (&again.areas, &again.spread));
        for k in [3, 10] {
            let alone = report(&[k], Some(&catalogue));
            for metric in ListMetric::ALL {
                let values = both.of_users(metric, k).unwrap();
                let expected = alone.of_users(metric, k).unwrap();
                assert_eq!(bits(&values), bits(&expected), "{}@{k}", metric.name());
                assert!(both.estimate(metric, k).unwrap().mean > 0.0, "{}@{k}", metric.name());
            }
            assert_eq!(both.spread(k), alone.spread(k));
        }
        assert_eq!(both.of_users(ListMetric::Recall, 5), None);
        let names: Vec<String> = both.named().into_iter().map(|metric| metric.0).collect();
        assert_eq!(names.len(), 2 * (WIDTH + 3) + 1);
        assert!(names.contains(&"recall_min@10".to_owned()) && names.contains(&"auc".to_owned()));
    }

    #[test]
    fn shoppers_without_a_list_count_as_nothing_found_but_not_as_no_variety() {
        let report = report(&[10], Some(&catalogue()));
        assert_eq!(report.n_users(), 150, "a quarter wants nothing");
        assert_eq!(report.n_silent(), 20, "those who get no list all want something");
        let recall = report.estimate(ListMetric::Recall, 10).unwrap();
        let novelty = report.estimate(ListMetric::Novelty, 10).unwrap();
        assert_eq!((recall.n, novelty.n), (150, 130));
    }

    #[test]
    fn without_a_catalogue_only_accuracy_is_measured() {
        let report = report(&[10], None);
        let names: Vec<String> = report.named().into_iter().map(|metric| metric.0).collect();
        assert_eq!(names.len(), 8 + 3 + 1);
        assert_eq!(report.estimate(ListMetric::Diversity, 10), None);
        let nobody = measure_lists(scorer, &[], 3, &ListProtocol::accuracy(&[10]));
        assert_eq!((nobody.n_users(), nobody.area()), (0, None));
        assert_eq!(nobody.estimate(ListMetric::Ndcg, 10), None);
    }
}
