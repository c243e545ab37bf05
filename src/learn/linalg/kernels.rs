//! Inner loops that are worth the widest registers a machine has.
//!
//! These are the innermost pieces. Whoever loops over them puts
//! `#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]` on the function
//! with the *outer* loop: it is compiled once for each instruction set with these pieces inlined, and
//! chosen at run time, so that the shipped program needs no more than baseline x86-64 and a choice
//! is made once in thousands of terms. Sums are split over a fixed number of lanes that are added up
//! pair by pair, so that a result does not depend on threads or on alignment.

/// Partial sums that a dot product is split into.
const LANES: usize = 16;

/// `x·y` of two vectors of the same length, in `f32`.
///
/// For factors (tens to hundreds of terms); longer sums belong in `f64`.
///
/// # Panics
///
/// In debug builds, if the lengths differ.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    debug_assert_eq!(x.len(), y.len());
    let mut lanes = [0.0_f32; LANES];
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let (y_chunks, y_rest) = y.as_chunks::<LANES>();
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0] + rest
}

/// Adds `a·x` to `y`, which has the same length.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
pub fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
    debug_assert_eq!(x.len(), y.len());
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_product_takes_every_term_once() {
        let x: Vec<f32> = (1..=35_u8).map(f32::from).collect();
        assert!((dot(&x, &x) - 14_910.0).abs() < 1e-2, "n(n+1)(2n+1)/6 for n = 35");
        let mut y = vec![1.0; 35];
        add_scaled(&mut y, 2.0, &x);
        assert!((y[34] - 71.0).abs() < 1e-4);
    }
}
