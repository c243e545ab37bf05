//! Exponentials of many numbers at once, the same bits on every machine.
//!
//! The platform's `exp` differs between processors in the last bit, and a kept case is to replay to the same price; it
//! also takes one number at a time, and sums of exponentials are nearly all that choosing a price computes. Here only
//! sums, products and shifts are used, whose results IEEE 754 fixes, in an order that the code fixes.
//!
//! Reduction to `2^k · exp(r)` with `|r| ≤ ln 2 / 2` as in Cody and Waite, *Software Manual for the Elementary
//! Functions*, 1980; then the Taylor polynomial of degree 12, whose remainder is below 2e-16.

use multiversion::multiversion;

/// Sums kept side by side, so that none waits for the one before it.
const N_LANES: usize = 4;

/// Exponentials taken before they are summed; a multiple of [`N_LANES`].
const N_TOGETHER: usize = 40;

/// Bounds of an exponent, far beyond any shop; they keep sums and products finite.
const EXPONENT_MAX: f64 = 60.0;

/// Added to a small number it leaves the nearest whole one in the low bits: 1.5 · 2^52.
const SHIFTER: f64 = 6_755_399_441_055_744.0;

/// `ln 2` in two parts, the first so short that its multiples are exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// `1 / k!` from degree 12 down to 0.
const TAYLOR: [f64; 13] = [
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// `e^x`, `x` brought within 60 of 0.
#[inline]
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-EXPONENT_MAX, EXPONENT_MAX);
    let shifted = x * std::f64::consts::LOG2_E + SHIFTER;
    let k = shifted - SHIFTER;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let mut sum = TAYLOR[0];
    for coefficient in &TAYLOR[1..] {
        sum = sum * r + coefficient;
    }
    // The low bits of `shifted` are k, and k + 1023 in the place of the exponent is 2^k.
    sum * f64::from_bits((shifted.to_bits().wrapping_add(1023)) << 52)
}

/// Sums of `e^(level + slope·x)` and of `slope` times it, over all pairs.
///
/// Wider instructions work on more of the same numbers at once, and none fuses a product with a sum: the bits stay.
#[multiversion(targets("x86_64+avx2"))]
pub(super) fn sums(levels: &[f64], slopes: &[f64], x: f64) -> [f64; 2] {
    let mut sums = [[0.0; N_LANES]; 2];
    let mut values = [0.0; N_TOGETHER];
    for (levels, slopes) in levels.chunks(N_TOGETHER).zip(slopes.chunks(N_TOGETHER)) {
        // A loop without a sum in it, which the compiler turns into wide instructions.
        for (value, (level, slope)) in values.iter_mut().zip(levels.iter().zip(slopes)) {
            *value = exp(level + slope * x);
        }
        for (at, (value, slope)) in values.iter().zip(slopes).enumerate() {
            sums[0][at % N_LANES] += value;
            sums[1][at % N_LANES] += slope * value;
        }
    }
    sums.map(|[a, b, c, d]| (a + b) + (c + d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_are_finite() {
        assert!((exp(1e300) / 60_f64.exp() - 1.0).abs() < 1e-15);
        assert!((exp(f64::NEG_INFINITY) / (-60_f64).exp() - 1.0).abs() < 1e-15);
        assert_eq!(exp(0.0).to_bits(), 1.0_f64.to_bits());
    }

    proptest! {
        #[test]
        fn an_exponential_is_that_of_the_platform_but_for_its_last_bits(x in -59.0..59.0_f64) {
            // Half a bit of the result, and what a dozen sums of size 1 add.
            prop_assert!((exp(x) / x.exp() - 1.0).abs() < 4.0 * f64::EPSILON);
        }

        #[test]
        fn sums_are_those_of_single_exponentials(
            pairs in prop::collection::vec((-5.0..5.0_f64, -8.0..0.0_f64), 0..19), x in -1.0..1.0_f64,
        ) {
            let (levels, slopes): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let values: Vec<f64> =
                levels.iter().zip(&slopes).map(|(level, slope)| (level + slope * x).exp()).collect();
            let expected: f64 = values.iter().sum();
            let expected_slope: f64 = values.iter().zip(&slopes).map(|(value, slope)| value * slope).sum();
            let [sum, slope] = sums(&levels, &slopes, x);
            prop_assert!((sum - expected).abs() <= 1e-14 * expected);
            prop_assert!((slope - expected_slope).abs() <= 1e-14 * expected_slope.abs());
        }
    }
}
