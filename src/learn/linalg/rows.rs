//! Tall matrices of factors, row by row in memory: products with themselves and with one vector.
//!
//! The product with a vector is what a catalogue's scores are. Measured for 100,000 rows on one core of a shared EPYC
//! with AVX-512, alternating with [`read_once`] of the same bytes, medians of 101 or more: 0.93 to 0.97 times as
//! long for 64 columns, 1.05 for 128, 1.07 for 50, 1.8 for 32 (which stay in the cache, where reading is 50 GB/s);
//! for 1,000,000 rows of 64, 0.97. Tiles of items with each factor's values side by side are no faster from 64
//! columns on.

use super::kernels::dot;
use super::normal::{NormalEquations, Rows};
use multiversion::multiversion;
use rayon::prelude::*;

/// Most parts that a Gram matrix is summed in; each holds one partial sum.
const N_PARTS_MAX: usize = 64;

/// Rows summed in `f32` before they go to the `f64` sum.
const PART_MIN: usize = 512;

/// `factorsᵀ·factors (width, width)`, in parallel, the same at any thread count.
///
/// # Panics
///
/// If `factors` is not whole rows of `width`, or `width` is 0.
pub fn gram(factors: &[f32], width: usize) -> Vec<f32> {
    assert!(factors.len().is_multiple_of(width), "factors are whole rows");
    let n_rows = (factors.len() / width).div_ceil(N_PARTS_MAX).max(PART_MIN);
    let zeros = vec![0.0; width * width];
    let part_of = |rows: &[f32]| {
        let mut sums = vec![0.0_f64; width * width];
        let mut problem = NormalEquations::new(width);
        let indices: Vec<u32> = (0..PART_MIN as u32).collect();
        let ones = [1.0; PART_MIN];
        for factors in rows.chunks(PART_MIN * width) {
            let n = factors.len() / width;
            problem.start(&zeros, width, 0..width, 0.0);
            let rows = Rows { factors, width, start: 0, indices: &indices[..n] };
            problem.add(rows, &ones[..n], None);
            problem.add_upper_to(&mut sums);
        }
        sums
    };
    let parts: Vec<Vec<f64>> = factors.par_chunks(n_rows * width).map(part_of).collect();
    let mut sums = vec![0.0; width * width];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    let entry = |row: usize, column: usize| sums[row.min(column) * width + row.max(column)] as f32;
    (0..width * width).map(|at| entry(at / width, at % width)).collect()
}

/// Rows whose lanes are added up together.
const N_JOINT: usize = 4;

/// Partial sums of a product, as in [`dot`].
const LANES: usize = 16;

/// Overwrites `products (n)` by `factors (n, width) · x (width)`: each product is that of [`dot`], bit for bit.
///
/// Reads `factors` once, from front to back.
///
/// # Panics
///
/// If `x` is empty, or `factors` is not a row for each product.
pub fn times_vector(factors: &[f32], x: &[f32], products: &mut [f32]) {
    assert_eq!(factors.len(), x.len() * products.len(), "there is a product for each row");
    times_vector_in(factors, x, products);
}

/// Four rows at a time if they are of whole lanes, because adding up the lanes of one row by itself takes longer
/// than its terms. The rows are read one after the other, as memory is fetched ahead; side by side, rows of 128
/// take twice as long.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn times_vector_in(factors: &[f32], x: &[f32], products: &mut [f32]) {
    let width = x.len();
    let n_joint = if width.is_multiple_of(LANES) { products.len() / N_JOINT } else { 0 };
    let (joint, single) = products.split_at_mut(n_joint * N_JOINT);
    let (joint_rows, single_rows) = factors.split_at(joint.len() * width);
    let joint = joint.as_chunks_mut::<N_JOINT>().0;
    for (products, rows) in joint.iter_mut().zip(joint_rows.chunks_exact(N_JOINT * width)) {
        let mut lanes = [[0.0; LANES]; N_JOINT];
        for (lanes, row) in lanes.iter_mut().zip(rows.chunks_exact(width)) {
            *lanes = lanes_of(row, x);
        }
        *products = sums_of(&lanes);
    }
    for (product, row) in single.iter_mut().zip(single_rows.chunks_exact(width)) {
        *product = dot(row, x);
    }
}

#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn lanes_of(x: &[f32], y: &[f32]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    for (x, y) in x.as_chunks::<LANES>().0.iter().zip(y.as_chunks::<LANES>().0) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    lanes
}

/// Adds lanes up pair by pair, as [`dot`] does, for four rows in the registers of one.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn sums_of(lanes: &[[f32; LANES]; N_JOINT]) -> [f32; N_JOINT] {
    let mut eights = [[0.0; LANES]; 2];
    for pair in 0..2 {
        for at in 0..8 {
            eights[pair][at] = lanes[2 * pair][at] + lanes[2 * pair][at + 8];
            eights[pair][at + 8] = lanes[2 * pair + 1][at] + lanes[2 * pair + 1][at + 8];
        }
    }
    let mut fours = [0.0; LANES];
    for pair in 0..2 {
        for row in 0..2 {
            for at in 0..4 {
                let left = row * 8 + at;
                fours[pair * 8 + row * 4 + at] = eights[pair][left] + eights[pair][left + 4];
            }
        }
    }
    let mut sums = [0.0; N_JOINT];
    for row in 0..N_JOINT {
        sums[row] =
            (fours[row * 4] + fours[row * 4 + 2]) + (fours[row * 4 + 1] + fours[row * 4 + 3]);
    }
    sums
}

/// The sum of all values in 128 lanes: the least that a scan of them can take, to measure one against.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
pub fn read_once(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<128>();
    let mut lanes = [0.0_f32; 128];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gram_and_products_agree_with_the_definition() {
        let (n, width) = (1_100, 3);
        let factors: Vec<f32> = (0..n * width).map(|at| (at % 7) as f32 - 3.0).collect();
        let gram = gram(&factors, width);
        for (at, entry) in gram.iter().enumerate() {
            let columns = (at / width, at % width);
            let sum: f32 = factors.chunks(width).map(|row| row[columns.0] * row[columns.1]).sum();
            assert!((entry - sum).abs() < 1e-3, "whole numbers below 2²⁴ are exact");
        }
        let mut products = vec![0.0; n];
        times_vector(&factors, &[1.0, 2.0, -1.0], &mut products);
        assert!((products[1] - (0.0 + 2.0 + -2.0)).abs() < 1e-6);
    }

    #[test]
    fn products_are_those_of_the_rows_bit_for_bit() {
        let value = |at: usize| ((at * 7_919 % 1_013) as f32 - 506.0) / 97.0;
        for width in 1..=70 {
            let x: Vec<f32> = (0..width).map(|at| value(at + 5)).collect();
            for n in [0, 1, 2, 3, 4, 5, 7, 8, 63, 70] {
                let factors: Vec<f32> = (0..n * width).map(value).collect();
                let mut products = vec![f32::NAN; n];
                times_vector(&factors, &x, &mut products);
                for (product, row) in products.iter().zip(factors.chunks(width)) {
                    assert_eq!(product.to_bits(), dot(row, &x).to_bits(), "{n} × {width}");
                    let terms = row.iter().zip(&x).map(|(x, y)| f64::from(*x) * f64::from(*y));
                    let error = (f64::from(*product) - terms.sum::<f64>()).abs();
                    assert!(error < 1e-3, "{error}: 70 terms below 30 in f32");
                }
            }
        }
    }

    #[test]
    fn what_is_read_once_is_counted_once() {
        for n in [0, 1, 127, 128, 300] {
            let values: Vec<f32> = (1..=n as u16).map(f32::from).collect();
            let sum = (n * (n + 1) / 2) as f32;
            assert!((read_once(&values) - sum).abs() < 0.5, "whole numbers below 2²⁴ are exact");
        }
    }
}
