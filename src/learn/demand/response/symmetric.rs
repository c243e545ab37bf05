//! Symmetric matrices of three rows: one for the level, one for each elasticity.

use serde::{Deserialize, Serialize};

/// Three coefficients of one item: level, elasticity, cross elasticity.
pub type Triple = [f64; 3];

/// A symmetric matrix; its lower triangle, row by row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Symmetric3(pub [f64; 6]);

impl Symmetric3 {
    /// The entry in this row and column.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        let (high, low) = (row.max(column), row.min(column));
        self.0[high * (high + 1) / 2 + low]
    }

    /// Adds `weight · z·zᵀ`.
    #[inline]
    pub(super) fn add_outer(&mut self, weight: f64, z: Triple) {
        let [a, b, c] = z;
        for (entry, product) in self.0.iter_mut().zip([a * a, b * a, b * b, c * a, c * b, c * c]) {
            *entry += weight * product;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(entry, x)| *entry += x);
    }

    pub(super) fn add_diagonal(&mut self, diagonal: Triple) {
        for (at, x) in [0, 2, 5].into_iter().zip(diagonal) {
            self.0[at] += x;
        }
    }

    /// The lower triangle `l` with `l·lᵀ` equal to this matrix, which must be positive definite; a pivot that
    /// rounding made less than nothing counts as nothing.
    pub(super) fn cholesky(&self) -> Self {
        let [x00, x10, x11, x20, x21, x22] = self.0;
        let root = |x: f64| x.max(0.0).sqrt();
        let over = |x: f64, pivot: f64| if pivot > 0.0 { x / pivot } else { 0.0 };
        let first = root(x00);
        let (second_first, third_first) = (over(x10, first), over(x20, first));
        let second = root(x11 - second_first * second_first);
        let third_second = over(x21 - third_first * second_first, second);
        let third = root(x22 - third_first * third_first - third_second * third_second);
        Self([first, second_first, second, third_first, third_second, third])
    }

    /// The `x` with `self · x = b`, for a positive definite matrix.
    pub(super) fn solve(&self, b: Triple) -> Triple {
        let [l00, l10, l11, l20, l21, l22] = self.cholesky().0;
        let y0 = b[0] / l00;
        let y1 = (b[1] - l10 * y0) / l11;
        let y2 = (b[2] - l20 * y0 - l21 * y1) / l22;
        let x2 = y2 / l22;
        let x1 = (y1 - l21 * x2) / l11;
        [(y0 - l10 * x1 - l20 * x2) / l00, x1, x2]
    }

    /// The inverse of a positive definite matrix.
    pub(super) fn inverse(&self) -> Self {
        let columns =
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|unit| self.solve(unit));
        let [first, second, third] = columns;
        Self([first[0], first[1], second[1], first[2], second[2], third[2]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_solves_and_an_inverse_inverts() {
        let mut a = Symmetric3::default();
        a.add_outer(2.0, [1.0, -0.5, 0.25]);
        a.add_outer(1.0, [0.0, 1.0, 3.0]);
        a.add_diagonal([0.5, 0.1, 0.2]);
        let b = [1.0, 2.0, -3.0];
        let product = |x: Triple| [0, 1, 2].map(|i| (0..3).map(|j| a.at(i, j) * x[j]).sum::<f64>());
        // A few operations on numbers of size 1 to 10 are exact to 1e-14.
        let close = |x: Triple, y: Triple| x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-12);
        assert!(close(product(a.solve(b)), b));
        let inverse = a.inverse();
        for j in 0..3 {
            let column = [0, 1, 2].map(|i| inverse.at(i, j));
            let unit = [0, 1, 2].map(|i| f64::from(u8::from(i == j)));
            assert!(close(product(column), unit));
        }
        let l = a.cholesky().0;
        assert!((l[3] * l[1] + l[4] * l[2] - a.at(2, 1)).abs() < 1e-12);
    }
}
