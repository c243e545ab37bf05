//! Random numbers, and the conjugate draws of hyper-parameters.

use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Gamma, StandardNormal};

/// Independent streams of random numbers, one for each task, so that threads do not change a draw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    seed: u64,
}

/// What a stream is used for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Start,
    Rows,
    Centre,
    Members,
    Hyperparameters,
    Noise,
}

/// A side's or the whole model's share of the streams.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    Users,
    Items,
    All,
}

impl Streams {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of a block of rows (fewer than 2³²) in an iteration (fewer than 2²⁴).
    pub(super) fn of(
        self,
        iteration: usize,
        owner: Owner,
        purpose: Purpose,
        block: usize,
    ) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let place = (iteration as u64) << 8 | (owner as u64) << 4 | purpose as u64;
        rng.set_stream(place << 32 | block as u64);
        rng
    }
}

/// A precision given `n` deviations with this sum of squares: `Gamma(shape + n/2, rate + sum/2)`.
pub(super) fn precision(
    (shape, rate): (f64, f64),
    n: usize,
    sum_of_squares: f64,
    rng: &mut ChaCha8Rng,
) -> f64 {
    let (shape, rate) = (shape + 0.5 * n as f64, rate + 0.5 * sum_of_squares);
    let drawn = Gamma::new(shape, 1.0 / rate).map_or(shape / rate, |gamma| gamma.sample(rng));
    drawn.clamp(PRECISION_MIN, PRECISION_MAX)
}

/// A mean `~ N(0, 1/prior)` given `n` values with this sum and precision.
pub(super) fn mean(prior: f64, n: usize, sum: f64, precision: f64, rng: &mut ChaCha8Rng) -> f64 {
    let whole = prior + n as f64 * precision;
    let normal: f64 = StandardNormal.sample(rng);
    precision * sum / whole + normal / whole.sqrt()
}

/// Where precisions are kept, so that `f32` can hold their products; data on a scale of 10⁻⁴ to 10⁴
/// never comes near.
const PRECISION_MIN: f64 = 1e-8;
const PRECISION_MAX: f64 = 1e8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        let n = 20_000;
        let mut rng = Streams::new(1).of(0, Owner::All, Purpose::Noise, 0);
        let draws = (0..n).map(|_| precision((2.0, 3.0), 10, 8.0, &mut rng)).sum::<f64>();
        // Gamma(7, 7): mean 1, deviation 0.38; five standard errors.
        assert!((draws / f64::from(n) - 1.0).abs() < 0.014);
        let draws = (0..n).map(|_| mean(1.0, 3, 6.0, 1.0, &mut rng)).sum::<f64>();
        // N(6/4, 1/4); five standard errors.
        assert!((draws / f64::from(n) - 1.5).abs() < 0.018);
    }

    #[test]
    fn streams_differ_by_every_part_of_their_place() {
        let first = |iteration, owner, purpose, block| -> f64 {
            StandardNormal.sample(&mut Streams::new(3).of(iteration, owner, purpose, block))
        };
        let base = first(1, Owner::Users, Purpose::Rows, 1);
        assert!(base.to_bits() == first(1, Owner::Users, Purpose::Rows, 1).to_bits());
        for other in [
            first(2, Owner::Users, Purpose::Rows, 1),
            first(1, Owner::Items, Purpose::Rows, 1),
            first(1, Owner::Users, Purpose::Centre, 1),
            first(1, Owner::Users, Purpose::Rows, 2),
        ] {
            assert!(base.to_bits() != other.to_bits());
        }
    }
}
