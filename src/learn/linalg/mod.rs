//! Dense and sparse algebra under the models.
//!
//! Here: [`Csr`], compressed rows that can be saved, and the few dense factorisations the models
//! need ([`dense`]). Not here: anything that knows of users, items or ratings. The heavy work is done
//! by `faer`, always told to run on one thread, so that a result does not depend on how many there
//! are; what is parallel is parallel over rows.

pub mod csr;
pub mod dense;

pub use csr::Csr;

/// Dot product of two vectors of the same length, in `f32` with eight partial sums.
///
/// For factors (tens to hundreds of terms); longer sums belong in `f64`.
///
/// # Panics
///
/// In debug builds, if the lengths differ.
#[inline]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    debug_assert_eq!(x.len(), y.len());
    let mut lanes = [0.0_f32; 8];
    let (x_chunks, x_rest) = x.as_chunks::<8>();
    let (y_chunks, y_rest) = y.as_chunks::<8>();
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_dot_product_takes_every_term_once() {
        let x: Vec<f32> = (1..=19_u8).map(f32::from).collect();
        assert!((super::dot(&x, &x) - 2470.0).abs() < 1e-3, "n(n+1)(2n+1)/6 for n = 19");
    }
}
