//! Everything about a model's lists in one pass over the shoppers, at several cut-offs.
//!
//! Making lists ([`rank_lists`]) is apart from measuring them, so that the one can be timed without the
//! other. The values of every single shopper are kept, in the order of the cases, so that two models can be
//! compared by [`super::compare`].

use super::{
    Candidates, HeldOutCase, Ties,
    diversity::{ItemCategories, ItemVectors, coverage, entropy, gini, mean_popularity, novelty},
    list_report::{ListMetric, ListReport, WIDTH},
    metrics::{
        average_precision_at_k, f1_at_k, hit_rate_at_k, ndcg_at_k, precision_at_k, recall_at_k,
        recall_min_at_k, reciprocal_rank_at_k,
    },
    ranking::Ranker,
};
use crate::learn::dataset::{InteractionMatrix, ItemIdx};
use crate::learn::recommenders::{Query, Recommender, n_joint};
use crate::learn::rooms::Rooms;
use rayon::prelude::*;

/// Cases that one task ranks or measures.
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

/// The first items of every case that counts, best first.
#[derive(Clone, Debug)]
pub struct RankedLists {
    /// The case's position, and its list; empty if the model had nothing to say.
    lists: Vec<(usize, Vec<u32>)>,
    /// `(n_users)`; empty if not asked for.
    areas: Vec<f64>,
    n_items: usize,
    n_silent: usize,
}

/// Makes the lists of all cases that have a relevant item, in parallel, the same at any thread count; a case to which
/// the model has nothing to say counts with an empty list.
pub fn rank_lists(
    model: &dyn Recommender,
    cases: &[HeldOutCase],
    protocol: &ListProtocol<'_>,
) -> RankedLists {
    let n_items = model.n_items();
    let longest = protocol.ks.iter().copied().max().unwrap_or(0);
    let rules = (protocol.ties, protocol.candidates);
    let n_joint = n_joint(n_items);
    let rooms = Rooms::new(|| (vec![0.0; n_joint * n_items], Vec::new(), Ranker::default()));
    let rank_block = |(block, cases): (usize, &[HeldOutCase])| {
        rooms.lend(|room| {
            let (room, scratch, ranker) = room;
            let mut ranked = RankedLists { lists: vec![], areas: vec![], n_items, n_silent: 0 };
            let counted: Vec<(usize, &HeldOutCase)> = (block * BLOCK..)
                .zip(cases)
                .filter(|(_, case)| !case.relevant.is_empty())
                .collect();
            for joint in counted.chunks(n_joint) {
                let queries: Vec<Query<'_>> = joint.iter().map(|(_, case)| case.query()).collect();
                let scores = &mut room[..joint.len() * n_items];
                let spoken = model.score_block(&queries, scores, scratch);
                for (nth, (&(at, case), spoken)) in joint.iter().zip(spoken).enumerate() {
                    let area = if spoken {
                        let scores = &scores[nth * n_items..][..n_items];
                        ranker.rank(scores, (at, case), longest, rules, protocol.with_area)
                    } else {
                        ranker.clear();
                        ranked.n_silent += 1;
                        // Without scores every pair is a tie.
                        protocol.with_area.then_some(0.5)
                    };
                    ranked.areas.extend(area);
                    ranked.lists.push((at, ranker.ranked.clone()));
                }
            }
            ranked
        })
    };
    let blocks: Vec<RankedLists> = cases.par_chunks(BLOCK).enumerate().map(rank_block).collect();
    let mut all = RankedLists { lists: vec![], areas: vec![], n_items, n_silent: 0 };
    for block in blocks {
        all.lists.extend(block.lists);
        all.areas.extend(block.areas);
        all.n_silent += block.n_silent;
    }
    all
}

/// [`rank_lists`], then [`RankedLists::measure`].
pub fn measure_lists(
    model: &dyn Recommender,
    cases: &[HeldOutCase],
    protocol: &ListProtocol<'_>,
) -> ListReport {
    rank_lists(model, cases, protocol).measure(cases, protocol)
}

impl RankedLists {
    /// Measures the lists made for `cases`, in parallel, the same at any thread count.
    pub fn measure(self, cases: &[HeldOutCase], protocol: &ListProtocol<'_>) -> ListReport {
        let rooms = Rooms::new(|| {
            protocol.catalogue.map_or_else(Vec::new, |known| known.vectors.scratch())
        });
        let of_block = |block: &[(usize, Vec<u32>)]| {
            let mut values = Vec::with_capacity(block.len() * protocol.ks.len() * WIDTH);
            rooms.lend(|scratch| {
                for (at, list) in block {
                    put_values(list, &cases[*at], protocol, scratch, &mut values);
                }
            });
            values
        };
        let values: Vec<Vec<f64>> = self.lists.par_chunks(BLOCK).map(of_block).collect();
        ListReport {
            ks: protocol.ks.to_vec(),
            values: values.concat(),
            spread: protocol.ks.iter().map(|&k| self.spread(k)).collect(),
            n_users: self.lists.len(),
            n_silent: self.n_silent,
            areas: self.areas,
        }
    }

    /// How evenly the first `k` of all lists spread over the catalogue.
    fn spread(&self, k: usize) -> [f64; 3] {
        let mut counts = vec![0_u32; self.n_items];
        for &item in self.lists.iter().flat_map(|(_, list)| list.iter().take(k)) {
            counts[item as usize] += 1;
        }
        [coverage(&counts), gini(&counts), entropy(&counts)]
    }
}

/// Appends the values of a list, `(n_ks, WIDTH)`.
fn put_values(
    list: &[u32],
    case: &HeldOutCase,
    protocol: &ListProtocol<'_>,
    scratch: &mut [f32],
    out: &mut Vec<f64>,
) {
    let known = protocol.catalogue;
    let diversity =
        known.map_or_else(Vec::new, |known| known.vectors.diversity(list, protocol.ks, scratch));
    for (at, &k) in protocol.ks.iter().enumerate() {
        let value = |metric: ListMetric| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::UserIdx;

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
    struct Patternless;

    impl Recommender for Patternless {
        fn n_items(&self) -> usize {
            N_ITEMS as usize
        }

        fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
            let user = query.user.unwrap().0;
            if user % 10 == 9 {
                return false;
            }
            for (item, score) in (0..).zip(scores.iter_mut()) {
                *score = f32::from((user.wrapping_mul(31) ^ ((item * 2_654_435) >> 3)) as u8 / 4);
            }
            true
        }

        fn n_bytes(&self) -> usize {
            0
        }
    }

    fn report(ks: &[usize], catalogue: Option<&Catalogue>) -> ListReport {
        let protocol = ListProtocol { with_area: true, catalogue, ..ListProtocol::accuracy(ks) };
        measure_lists(&Patternless, &cases(), &protocol)
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
        let nobody = measure_lists(&Patternless, &[], &ListProtocol::accuracy(&[10]));
        assert_eq!((nobody.n_users(), nobody.area()), (0, None));
        assert_eq!(nobody.estimate(ListMetric::Ndcg, 10), None);
    }
}
