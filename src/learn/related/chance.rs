//! How often two items would meet by chance, and whether they met more often than that.
//!
//! Chance knows how often each item is taken and how large baskets are, and that an item is in a basket once
//! at most: a basket of `s_b` has `i` with probability `p_ib = 1 − exp(−λ_i s_b)`, where `λ_i` is such that
//! `Σ_b p_ib = n_i`. Where `i` is, `j` has a place less to be in, `q_jb = 1 − exp(−λ_j (s_b − 1))`, and the other way round;
//! the two meet `E_ij = Σ_b √(p_ib q_jb · q_ib p_jb)` times.
//! (The configuration model of bipartite networks: Saracco, Di Clemente,
//! Gabrielli, Squartini, "Randomizing bipartite networks: the case of the World Trade Web", Scientific Reports 2015,
//! whose `p_ib` is `x_i y_b / (1 + x_i y_b)` with a `y_b` fitted for every basket; ours has the size itself.) The lift of
//! textbooks, `N n_ij / (n_i n_j)` over `N` baskets, takes all baskets for alike: where some are large,
//! everything seems to go with everything. Baskets of about one size (within a power of 2) share one `p`.
//!
//! A count is then compared with a Poisson variable of mean `E_ij`: the sum of many rare, nearly independent
//! events (Le Cam, "An approximation theorem for the Poisson binomial distribution", Pacific J. Math. 1960),
//! whose true variance is smaller, so that the test errs towards silence. Fisher's exact test would need baskets of
//! one size; Dunning's `G²` ("Accurate methods for the statistics of surprise and coincidence",
//! Computational Linguistics 1993) is the same likelihood, but leans on large counts, which are rare here.

/// Steps of Newton's method for one `λ`; each at least halves the distance once it is near, and from the left
/// none overshoots.
const STEPS_MAX: usize = 60;

/// What chance would bring.
///
/// 4 bytes for each item and class of basket sizes, of which there are at most 7 for baskets of up to 100 items.
#[derive(Clone, Debug)]
pub struct Chance {
    /// Baskets of each class.
    baskets: Vec<f32>,
    /// `√(p q) (n_items, n_classes)`.
    probabilities: Vec<f32>,
    /// `ln n!` for every count that can occur.
    log_factorials: Vec<f64>,
}

/// Baskets of about one size.
#[derive(Clone, Copy, Default)]
struct Class {
    n: f64,
    places: f64,
    pairs: f64,
}

impl Chance {
    /// Learns from the sizes of all baskets and from how many baskets each item is in.
    pub fn of(sizes: impl Iterator<Item = usize>, counts: &[u32]) -> Self {
        let mut classes = vec![Class::default(); usize::BITS as usize];
        for size in sizes.filter(|&size| size > 0) {
            let class = &mut classes[size.ilog2() as usize];
            class.n += 1.0;
            class.places += size as f64;
            class.pairs += size as f64 * (size as f64 - 1.0);
        }
        classes.retain(|class| class.n > 0.0);
        let count_max = counts.iter().copied().max().unwrap_or(0);
        let mut log_factorials = vec![0.0; count_max as usize + 1];
        for n in 1..log_factorials.len() {
            log_factorials[n] = log_factorials[n - 1] + (n as f64).ln();
        }
        let probabilities = counts.iter().flat_map(|&count| {
            let rate = rate(&classes, f64::from(count));
            classes.iter().map(move |class| {
                // Weighted by size, so that `Σ s(s − 1)` comes out where `p` is small and grows with `s`.
                let (size, size_less_1) = (class.places / class.n, class.pairs / class.places);
                let within = |size: f64| -(-rate * size).exp_m1();
                (within(size) * within(size_less_1)).sqrt() as f32
            })
        });
        Self {
            probabilities: probabilities.collect(),
            baskets: classes.iter().map(|class| class.n as f32).collect(),
            log_factorials,
        }
    }

    /// How often two items would meet.
    ///
    /// # Panics
    ///
    /// If an item has no count.
    pub fn expected(&self, i: u32, j: u32) -> f64 {
        let n = self.baskets.len();
        let row = |item: u32| &self.probabilities[item as usize * n..][..n];
        let meet = row(i).iter().zip(row(j)).zip(&self.baskets).map(|((p, q), n)| p * q * n);
        f64::from(meet.sum::<f32>())
    }

    /// An upper bound of the probability that chance brings `n` meetings or more; 1 unless `n` is above what is
    /// expected.
    ///
    /// `P(X ≥ n) ≤ P(X = n) · (n + 1) / (n + 1 − E)`, a geometric series over the terms of the tail (Klar,
    /// "Bounds on tail probabilities of discrete distributions", Probability in the Engineering and
    /// Informational Sciences 2000). Within a few percent where `n` is above `2E`.
    ///
    /// # Panics
    ///
    /// If `n` is above every item's count.
    pub fn tail(&self, n: u32, expected: f64) -> f64 {
        let count = f64::from(n);
        if n == 0 || count <= expected {
            return 1.0;
        }
        if expected <= 0.0 {
            return 0.0;
        }
        let term = count * expected.ln() - expected - self.log_factorials[n as usize];
        (term.exp() * (count + 1.0) / (count + 1.0 - expected)).min(1.0)
    }
}

/// The `λ` at which an item is in as many baskets as was counted.
fn rate(classes: &[Class], count: f64) -> f64 {
    let places: f64 = classes.iter().map(|class| class.places).sum();
    let baskets: f64 = classes.iter().map(|class| class.n).sum();
    // In every basket at any size is where λ has no bound; half a basket less is near enough.
    let count = count.min(baskets - 0.5).max(0.0);
    let mut rate = if places > 0.0 { count / places } else { 0.0 };
    for _ in 0..STEPS_MAX {
        let (mut expected, mut slope) = (0.0, 0.0);
        for class in classes {
            let size = class.places / class.n;
            let without = (-rate * size).exp();
            expected += class.n * (1.0 - without);
            slope += class.places * without;
        }
        // The expectation is concave in λ and starts below the count: steps only go up.
        let step = (count - expected) / slope;
        if !(step.is_finite() && 1e-9 * rate < step) {
            break;
        }
        rate += step;
    }
    rate
}

/// A one-sided lower confidence bound of a Poisson mean, `z` standard errors below the count `n`.
///
/// `n (1 − 1/(9n) − z/(3√n))³`: Byar's approximation of the exact bound (Breslow and Day, "Statistical Methods
/// in Cancer Research", volume II, 1987, page 69), within 1 % of it from `n = 5` on and below it for less.
pub fn count_at_least(n: u32, z: f64) -> f64 {
    if n == 0 {
        return 0.0;
    }
    let n = f64::from(n);
    n * (1.0 - 1.0 / (9.0 * n) - z / (3.0 * n.sqrt())).max(0.0).powi(3)
}

/// The largest p-value that still counts as a discovery, if at most a share `rate` of discoveries may be false;
/// none if nothing is discovered.
///
/// Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Statist. Soc. B 1995, section 3.1.
/// `p_values` come in any order; `n_tests` counts also the tests whose p-value is 1 and not among them. They
/// need not be independent as long as they rise together (Benjamini and Yekutieli, Annals of Statistics 2001).
pub fn discovery_threshold(p_values: &mut [f64], n_tests: usize, rate: f64) -> Option<f64> {
    p_values.sort_unstable_by(f64::total_cmp);
    let allowed = |rank: usize| rate * (rank as f64 + 1.0) / n_tests.max(1) as f64;
    let last = (0..p_values.len()).rev().find(|&rank| p_values[rank] <= allowed(rank))?;
    Some(p_values[last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_agrees_with_a_shuffle_of_all_places() {
        // 40 baskets of 1, 20 of 3, 5 of 12; item 0 in 20 places, item 1 in 30, others elsewhere.
        let sizes: Vec<usize> = [vec![1; 40], vec![3; 20], vec![12; 5]].concat();
        let n_places: usize = sizes.iter().sum();
        let mut places: Vec<usize> = (0..n_places).collect();
        let basket_of: Vec<usize> =
            sizes.iter().enumerate().flat_map(|(at, &size)| vec![at; size]).collect();
        let (mut state, mut met, mut counts) = (88_172_645_463_325_252_u64, 0_u32, [0_u32; 2]);
        let n_rounds = 4_000;
        for _ in 0..n_rounds {
            for at in (1..n_places).rev() {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                places.swap(at, (state % (at as u64 + 1)) as usize);
            }
            let mut has = vec![[false; 2]; sizes.len()];
            places[..20].iter().for_each(|&place| has[basket_of[place]][0] = true);
            places[20..50].iter().for_each(|&place| has[basket_of[place]][1] = true);
            for has in has {
                counts[0] += u32::from(has[0]);
                counts[1] += u32::from(has[1]);
                met += u32::from(has[0] && has[1]);
            }
        }
        let mean = |sum: u32| f64::from(sum) / f64::from(n_rounds);
        let rounded = counts.map(|sum| mean(sum).round() as u32);
        let expected = Chance::of(sizes.iter().copied(), &rounded).expected(0, 1);
        // Rounded counts are off by up to 4 %, classes of sizes by less; a chance that did not know of
        // sizes would expect 5.2 instead of 8.
        let mean = mean(met);
        assert!((mean / expected - 1.0).abs() < 0.1, "{mean} is not {expected}");
    }

    #[test]
    fn an_item_in_every_basket_meets_the_other_wherever_it_is() {
        let sizes = [3, 5, 9, 17, 2].repeat(40);
        let expected = Chance::of(sizes.into_iter(), &[200, 10, 0]);
        let with_everything = expected.expected(0, 1);
        // At most its 10 baskets; those of 2 and 3 have one place less than is asked for.
        assert!(9.0 < with_everything && with_everything <= 10.0, "{with_everything}");
        assert!(expected.expected(0, 2).abs() < f64::EPSILON);
        assert!((expected.expected(1, 0) - with_everything).abs() < 1e-6);
    }

    #[test]
    fn tails_agree_with_poisson_and_never_fall_below() {
        let chance = Chance::of([2].into_iter(), &[1_000]);
        // scipy.stats.poisson.sf(n - 1, e)
        let cases = [
            (3, 0.05, 2.006_749_362_439_8e-5),
            (1, 0.01, 9.950_166_250_831_9e-3),
            (10, 2.0, 4.649_807_501_726_4e-5),
            (120, 80.0, 1.819_021_641_575_7e-5),
        ];
        for (n, expected, exact) in cases {
            let bound = chance.tail(n, expected);
            assert!(exact * (1.0 - 1e-9) <= bound && bound < exact * 1.06, "{bound} for {exact}");
        }
        assert!((chance.tail(2, 2.0) - 1.0).abs() < 1e-15);
        assert!((chance.tail(0, 0.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn lower_bounds_agree_with_the_exact_ones() {
        // scipy.stats.chi2.ppf(0.05, 2 * n) / 2
        let cases = [
            (3, 0.817_691_447_1),
            (5, 1.970_149_568_1),
            (10, 5.425_405_697_1),
            (200, 177.320_487_0),
        ];
        for (n, exact) in cases {
            let bound = count_at_least(n, 1.644_853_627);
            assert!((bound / exact - 1.0).abs() < 0.03, "{bound} for {exact}");
        }
        assert!(count_at_least(1, 1.644_853_627) < 0.06);
        assert!(count_at_least(0, 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_procedure_of_benjamini_and_hochberg_agrees_with_their_example() {
        // Section 4.1 of the paper: of 15 p-values the four smallest are discoveries at 0.05.
        let mut p_values = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        p_values.reverse();
        assert_eq!(discovery_threshold(&mut p_values, 15, 0.05), Some(0.0095));
        assert_eq!(discovery_threshold(&mut p_values, 15_000, 0.05), None);
        assert_eq!(discovery_threshold(&mut [], 0, 0.05), None);
    }
}
