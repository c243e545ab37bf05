//! What the variants of an experiment were worth, and how sure that is.
//!
//! Intervals hold 95 times in 100; where several variants are compared with the control, all comparisons
//! together do (Dunn, "Multiple comparisons among means", JASA 1961: Bonferroni). They hold for one look at a time
//! that was fixed before: who looks every day and stops when it pleases is wrong more often (Johari, Koomen,
//! Pekelis, Walsh, "Peeking at A/B tests", KDD 2017).
//!
//! Shoppers are drawn independently, what one shopper does is not. So conversion and revenue, counted per
//! shopper, have honest intervals; those of rates per impression are too narrow where few people see much
//! (Deng, Knoblich, Lu, "Applying the delta method in metric analytics", KDD 2018, section 3).

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

/// How often what is not there is found: once in twenty.
const ERROR_RATE: f64 = 0.05;

/// How often a difference of the detectable size is found.
const POWER: f64 = 0.8;

/// Below this p-value the draw itself is broken: Fabijan, Gupchup, Gupta, Omhover, Qin, Vermeer, Dmitriev,
/// "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019. So low because it is looked
/// at often, and because a large sample finds a broken draw anyway.
const MISMATCH_P_VALUE: f64 = 0.001;

/// Fewest expected shoppers of a variant for the chi-square test (Cochran, "Some methods for strengthening the
/// common χ² tests", Biometrics 1954).
const EXPECTED_MIN: f64 = 5.0;

/// What the shoppers of one variant did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tally {
    /// Shoppers who were in the variant.
    pub users: u64,
    /// Those who bought.
    pub converted: u64,
    /// Items shown.
    pub impressions: u64,
    /// Items clicked.
    pub clicks: u64,
    /// Items put into the cart.
    pub carts: u64,
    /// Items bought.
    pub purchases: u64,
    /// Revenue, in any unit.
    pub revenue: f64,
    /// Sum over shoppers of the square of each one's revenue.
    pub revenue_squares: f64,
}

/// A number and the interval it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The number itself.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How a variant does beside the control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Variant less control.
    pub difference: Estimate,
    /// The difference as a part of the control's value, unless that is 0.
    pub relative_lift: Option<f64>,
    /// How likely a difference at least as large is where there is none; for revenue only: the interval of a
    /// difference of rates says whether it holds 0.
    pub p_value: Option<f64>,
    /// The smallest difference that would be found 4 times in 5 with as many shoppers as there are now.
    pub detectable: Option<f64>,
}

/// One figure of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The figure; none while there is nothing to divide by.
    pub estimate: Option<Estimate>,
    /// Beside the control; none for the control itself and where one of the two has no figure.
    pub comparison: Option<Comparison>,
}

/// What is known of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VariantResult {
    /// Part of the shoppers who bought.
    pub conversion: Figure,
    /// Clicks per impression.
    pub click_rate: Figure,
    /// Items put into the cart per impression.
    pub cart_rate: Figure,
    /// Items bought per impression.
    pub purchase_rate: Figure,
    /// Revenue per shopper.
    pub revenue_per_user: Figure,
}

/// Whether as many shoppers came to each variant as should have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SampleRatio {
    /// How likely counts this far off are if the draw is as it should be.
    pub p_value: f64,
    /// Whether they are so far off that nothing else here can be trusted.
    pub mismatch: bool,
}

/// What an experiment showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// By variant, the control first.
    pub variants: Vec<VariantResult>,
    /// None while there are too few shoppers to say.
    pub sample_ratio: Option<SampleRatio>,
    /// How often the interval of one comparison holds.
    pub confidence: f64,
}

/// Compares variants, given as `(share, tally)`, with the first.
pub fn results(variants: &[(f64, Tally)]) -> Results {
    let n_comparisons = variants.len().saturating_sub(1).max(1);
    let error_rate = ERROR_RATE / n_comparisons as f64;
    let control = variants.first().map(|variant| variant.1).unwrap_or_default();
    let result = |(at, (_, tally)): (usize, &(f64, Tally))| {
        let control = (at > 0).then_some(&control);
        let rate =
            |of: fn(&Tally) -> (u64, u64)| rate_figure(of(tally), control.map(of), error_rate);
        VariantResult {
            conversion: rate(|tally| (tally.converted, tally.users)),
            click_rate: rate(|tally| (tally.clicks, tally.impressions)),
            cart_rate: rate(|tally| (tally.carts, tally.impressions)),
            purchase_rate: rate(|tally| (tally.purchases, tally.impressions)),
            revenue_per_user: revenue_figure(tally, control, error_rate),
        }
    };
    Results {
        variants: variants.iter().enumerate().map(result).collect(),
        sample_ratio: sample_ratio(variants),
        confidence: 1.0 - error_rate,
    }
}

/// The point that a standard normal variable exceeds with this probability.
fn upper_point(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(1.0 - probability)
}

/// The score interval of `k` of `n` (Wilson, "Probable inference, the law of succession, and statistical
/// inference", JASA 1927); never leaves 0 to 1, and is right for small `n` too. None for none of none;
/// more than all counts as all.
pub fn wilson(k: u64, n: u64, error_rate: f64) -> Option<Estimate> {
    if n == 0 {
        return None;
    }
    let z = upper_point(error_rate / 2.0);
    let n = n as f64;
    let p = (k as f64 / n).min(1.0);
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    // Rounding must not carry the ends of 0 and 1 to the wrong side of the rate itself.
    Some(Estimate {
        value: p,
        low: (centre - half).clamp(0.0, p),
        high: (centre + half).clamp(p, 1.0),
    })
}

/// The difference of two rates from their score intervals (Newcombe, "Interval estimation for the difference
/// between independent proportions", Statistics in Medicine 1998, method 10).
fn newcombe(a: Estimate, b: Estimate) -> Estimate {
    let value = a.value - b.value;
    let low = value - (a.value - a.low).hypot(b.high - b.value);
    let high = value + (a.high - a.value).hypot(b.value - b.low);
    Estimate { value, low, high }
}

/// `(z_{1 − α/2} + z_{power})` standard errors: Kohavi, Tang, Xu, 2020, chapter 17.
fn detectable(standard_error: f64, error_rate: f64) -> Option<f64> {
    let detectable = (upper_point(error_rate / 2.0) + upper_point(1.0 - POWER)) * standard_error;
    (0.0 < detectable && detectable.is_finite()).then_some(detectable)
}

fn relative(difference: f64, base: f64) -> Option<f64> {
    Some(difference / base).filter(|lift| lift.is_finite())
}

fn rate_figure((k, n): (u64, u64), control: Option<(u64, u64)>, error_rate: f64) -> Figure {
    let compare = |(control_k, control_n)| {
        let base = wilson(control_k, control_n, error_rate)?;
        let difference = newcombe(wilson(k, n, error_rate)?, base);
        // Before a difference is found, both have the control's rate.
        let variance = base.value * (1.0 - base.value);
        let standard_error = (variance * (1.0 / n as f64 + 1.0 / control_n as f64)).sqrt();
        Some(Comparison {
            difference,
            relative_lift: relative(difference.value, base.value),
            p_value: None,
            detectable: detectable(standard_error, error_rate),
        })
    };
    Figure { estimate: wilson(k, n, ERROR_RATE), comparison: control.and_then(compare) }
}

/// The mean of something per shopper.
#[derive(Clone, Copy)]
struct Mean {
    value: f64,
    /// Squared standard error.
    variance: f64,
    freedom: f64,
}

impl Mean {
    /// None for fewer than two shoppers or sums that are no numbers.
    fn of_revenue(tally: &Tally) -> Option<Self> {
        let n = tally.users as f64;
        let value = tally.revenue / n;
        let spread = (tally.revenue_squares - tally.revenue * value).max(0.0);
        let variance = spread / (n - 1.0) / n;
        let fits = 2 <= tally.users && value.is_finite() && variance.is_finite();
        fits.then_some(Self { value, variance, freedom: n - 1.0 })
    }

    /// Less `other`; the degrees of freedom are those of Welch, "The generalization of 'Student's' problem
    /// when several different population variances are involved", Biometrika 1947.
    fn less(self, other: Self) -> Self {
        let variance = self.variance + other.variance;
        let parts = self.variance.powi(2) / self.freedom + other.variance.powi(2) / other.freedom;
        let freedom =
            if 0.0 < parts { variance.powi(2) / parts } else { self.freedom + other.freedom };
        Self { value: self.value - other.value, variance, freedom }
    }

    fn interval(self, error_rate: f64) -> Option<Estimate> {
        let t = StudentsT::new(0.0, 1.0, self.freedom).ok()?;
        let half = t.inverse_cdf(1.0 - error_rate / 2.0) * self.variance.sqrt();
        let estimate =
            Estimate { value: self.value, low: self.value - half, high: self.value + half };
        half.is_finite().then_some(estimate)
    }

    /// None where nothing varies.
    fn p_value(self) -> Option<f64> {
        let t = StudentsT::new(0.0, 1.0, self.freedom).ok()?;
        let statistic = (self.value / self.variance.sqrt()).abs();
        (0.0 < self.variance && statistic.is_finite()).then(|| 2.0 * t.sf(statistic))
    }
}

fn revenue_figure(tally: &Tally, control: Option<&Tally>, error_rate: f64) -> Figure {
    let mean = Mean::of_revenue(tally);
    let compare = |control| {
        let base = Mean::of_revenue(control)?;
        let difference = mean?.less(base);
        Some(Comparison {
            difference: difference.interval(error_rate)?,
            relative_lift: relative(difference.value, base.value),
            p_value: difference.p_value(),
            detectable: detectable(difference.variance.sqrt(), error_rate),
        })
    };
    Figure {
        estimate: mean.and_then(|mean| mean.interval(ERROR_RATE)),
        comparison: control.and_then(compare),
    }
}

/// Pearson's chi-square test of the numbers of shoppers against the shares.
fn sample_ratio(variants: &[(f64, Tally)]) -> Option<SampleRatio> {
    let all = variants.iter().map(|(_, tally)| tally.users as f64).sum::<f64>();
    let shares = variants.iter().map(|(share, _)| share).sum::<f64>();
    let found = |p_value: f64| SampleRatio { p_value, mismatch: p_value < MISMATCH_P_VALUE };
    let (mut statistic, mut n) = (0.0, 0);
    for (share, tally) in variants {
        let (users, expected) = (tally.users as f64, all * share / shares);
        if *share <= 0.0 {
            if 0.0 < users {
                // Shoppers where nobody should be.
                return Some(found(0.0));
            }
            continue;
        }
        if expected < EXPECTED_MIN || expected.is_nan() {
            return None;
        }
        statistic += (users - expected).powi(2) / expected;
        n += 1;
    }
    let freedom = f64::from(n) - 1.0;
    (1.0 <= freedom).then(|| ChiSquared::new(freedom).ok())?.map(|chi| found(chi.sf(statistic)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reference values are given to so many digits; the t quantile of `statrs` is found by iteration.
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-7 * (1.0 + b.abs()), "{a} is not {b}");
    }

    fn users(users: u64, converted: u64) -> Tally {
        Tally { users, converted, ..Tally::default() }
    }

    /// `n` shoppers with this mean and standard deviation of revenue.
    fn revenue(n: u64, mean: f64, deviation: f64) -> Tally {
        let squares = deviation.powi(2) * (n as f64 - 1.0) + n as f64 * mean * mean;
        Tally { revenue: mean * n as f64, revenue_squares: squares, ..users(n, 0) }
    }

    #[test]
    fn score_intervals_agree_with_published_ones() {
        // Newcombe 1998 (two-sided intervals for the single proportion), table I: 0.0624 to 0.1605; more digits
        // from: z = scipy.stats.norm.ppf(.975); p = k/n; d = 1 + z*z/n; c = (p + z*z/(2*n))/d;
        // h = z/d*sqrt(p*(1-p)/n + z*z/(4*n*n)); c - h, c + h
        for (k, n, low, high) in [
            (15, 148, 0.062_386_399_53, 0.160_487_241_72),
            (0, 20, 0.0, 0.161_125_158_05),
            (20, 20, 0.838_874_841_95, 1.0),
        ] {
            let interval = wilson(k, n, 0.05).unwrap();
            close(interval.low, low);
            close(interval.high, high);
        }
        assert_eq!(wilson(0, 0, 0.05), None);
        close(wilson(5, 3, 0.05).unwrap().value, 1.0);
    }

    #[test]
    fn differences_agree_with_newcombes_table() {
        // Newcombe 1998, table II, method 10: 56/70 − 48/80: 0.0524 to 0.3339; 10/10 − 0/10: 0.6075 to 1.
        let cases = [
            ((56, 70), (48, 80), 0.052_431_472_40, 0.333_872_654_04),
            ((10, 10), (0, 10), 0.607_509_350_43, 1.0),
        ];
        for ((k, n), (control_k, control_n), low, high) in cases {
            let results = results(&[(0.5, users(control_n, control_k)), (0.5, users(n, k))]);
            let comparison = results.variants[1].conversion.comparison.unwrap();
            close(comparison.difference.low, low);
            close(comparison.difference.high, high);
            assert!(results.variants[0].conversion.comparison.is_none());
        }
    }

    #[test]
    fn revenue_agrees_with_scipy() {
        let results = results(&[(0.5, revenue(380, 10.1, 25.0)), (0.5, revenue(400, 12.5, 30.0))]);
        let comparison = results.variants[1].revenue_per_user.comparison.unwrap();
        // scipy.stats.ttest_ind_from_stats(12.5, 30, 400, 10.1, 25, 380, equal_var=False), and its interval
        // with scipy.stats.t.ppf(.975, 765.12086161) standard errors.
        close(comparison.p_value.unwrap(), 0.224_318_793_65);
        close(comparison.difference.low, -1.474_134_527_26);
        close(comparison.difference.high, 6.274_134_527_26);
        close(comparison.relative_lift.unwrap(), 2.4 / 10.1);
    }

    #[test]
    fn a_broken_draw_is_flagged() {
        let ratio = |variants: &[(f64, u64)]| {
            let variants: Vec<_> = variants.iter().map(|&(s, n)| (s, users(n, 0))).collect();
            results(&variants).sample_ratio
        };
        // scipy.stats.chisquare([5000, 4800], [4900, 4900]); ([5000, 4600, 400], [5000, 4500, 500])
        let fair = ratio(&[(0.5, 5_000), (0.5, 4_800)]).unwrap();
        close(fair.p_value, 0.043_351_751_26);
        assert!(!fair.mismatch);
        let broken = ratio(&[(0.5, 5_000), (0.45, 4_600), (0.05, 400)]).unwrap();
        close(broken.p_value, 1.494_533_85e-5);
        assert!(broken.mismatch);
        assert!(ratio(&[(1.0, 500), (0.0, 1)]).unwrap().mismatch, "nobody should be there");
        assert_eq!(ratio(&[(1.0, 500), (0.0, 0)]), None);
        assert_eq!(ratio(&[(0.5, 3), (0.5, 4)]), None);
        assert_eq!(ratio(&[]), None);
    }

    #[test]
    fn what_can_be_detected_agrees_with_the_formula() {
        let results = results(&[(0.5, users(1_000, 100)), (0.5, users(1_000, 120))]);
        let comparison = results.variants[1].conversion.comparison.unwrap();
        // (norm.ppf(.975) + norm.ppf(.8)) * sqrt(.1 * .9 * 2 / 1000)
        close(comparison.detectable.unwrap(), 0.037_587_209_95);
        close(comparison.relative_lift.unwrap(), 0.2);
    }

    #[test]
    fn many_comparisons_make_wide_intervals() {
        let tally = users(1_000, 100);
        let width = |n| {
            let results = results(&vec![(1.0 / f64::from(n), tally); n as usize]);
            let interval = results.variants[1].conversion.comparison.unwrap().difference;
            (results.confidence, interval.high - interval.low)
        };
        close(width(2).0, 0.95);
        close(width(6).0, 0.99);
        assert!(width(2).1 * 1.2 < width(6).1);
    }

    #[test]
    fn intervals_hold_as_often_as_they_say() {
        // All outcomes of two binomial draws of 30 with rates 0.2 and 0.35, weighted by their probability.
        let choose = |k: i32| (0..k).map(|i| f64::from(30 - i) / f64::from(k - i)).product::<f64>();
        let probability = |k: i32, p: f64| choose(k) * p.powi(k) * (1.0 - p).powi(30 - k);
        let mut holds = 0.0;
        for a in 0..=30 {
            for b in 0..=30 {
                let rate = |k: i32| wilson(k as u64, 30, 0.05).unwrap();
                let interval = newcombe(rate(a), rate(b));
                if interval.low <= -0.15 && -0.15 <= interval.high {
                    holds += probability(a, 0.2) * probability(b, 0.35);
                }
            }
        }
        // Newcombe found 0.95 on average, and between 0.92 and 0.98 nearly everywhere.
        assert!((0.93..0.975).contains(&holds), "{holds}");
    }

    #[test]
    fn little_or_broken_data_gives_no_figure_and_no_nan() {
        let nan = Tally { revenue: f64::NAN, ..users(10, 1) };
        let huge = Tally { revenue: 1e300, revenue_squares: f64::INFINITY, ..users(10, 1) };
        for tally in [Tally::default(), users(1, 1), nan, huge, revenue(50, 3.0, 0.0)] {
            let results = results(&[(0.5, tally), (0.5, tally)]);
            assert!(!serde_json::to_string(&results).unwrap().contains("NaN"));
            for variant in results.variants {
                if let Some(comparison) = variant.revenue_per_user.comparison {
                    assert!(comparison.difference.low.is_finite() && comparison.p_value.is_none());
                }
            }
        }
        assert!(results(&[]).variants.is_empty());
    }

    proptest! {
        #[test]
        fn every_interval_holds_its_number(k in 0_u64..500, n in 1_u64..500, m in 1_u64..500, j in 0_u64..500) {
            let results = results(&[(0.5, users(m, j.min(m))), (0.5, users(n, k.min(n)))]);
            let conversion = results.variants[1].conversion;
            let difference = conversion.comparison.unwrap().difference;
            for estimate in [conversion.estimate.unwrap(), difference] {
                prop_assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
                prop_assert!(-1.0 <= estimate.low && estimate.high <= 1.0);
            }
        }
    }
}
