//! Tall matrices of factors, row by row in memory: products with themselves and with one vector.

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

/// Overwrites `products (n)` by `factors (n, width) · x (width)`.
///
/// # Panics
///
/// If `x` is empty.
pub fn times_vector(factors: &[f32], x: &[f32], products: &mut [f32]) {
    debug_assert_eq!(factors.len(), x.len() * products.len());
    times_vector_in(factors, x, products);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn times_vector_in(factors: &[f32], x: &[f32], products: &mut [f32]) {
    for (product, row) in products.iter_mut().zip(factors.chunks_exact(x.len())) {
        *product = dot(row, x);
    }
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
}
