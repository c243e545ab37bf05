//! How much more sales vary than a Poisson count of their mean.
//!
//! Squared residuals are regressed on what they are expected to be, `phi·mu + alpha·mu²`, each weighted by
//! the inverse square of that (Breslow, "Extra-Poisson variation in log-linear models", Applied Statistics
//! 1984, with the moments as a regression; iterated with the fit). Orders of many units make `phi`, weeks
//! that differ make `alpha`.

use super::item::Fitted;

/// Rows of a smaller mean say nothing about the spread that one sale more or less would not turn around.
const MEAN_MIN: f64 = 0.05;
/// Rows that the shop's spread weighs in a category's. Our choice.
const SHOP_ROWS: f64 = 50.0;
/// Rows that a Poisson spread weighs in the shop's. Our choice.
const POISSON_ROWS: f64 = 20.0;

/// Sums of the regression.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    n_rows: f64,
    /// Of `1`, `mu`, `mu²`, each divided by `(phi + alpha·mu)²`.
    design: [f64; 3],
    /// Of `r²/mu` and `r²`, divided by the same.
    squares: [f64; 2],
}

impl Spread {
    #[inline]
    pub(super) fn add(&mut self, units: f64, fitted: &Fitted) {
        let mean = fitted.mean;
        if mean < MEAN_MIN {
            return;
        }
        let weight = fitted.precision * fitted.precision;
        let square = (units - mean) * (units - mean) * weight;
        self.n_rows += 1.0;
        self.design[0] += weight;
        self.design[1] += weight * mean;
        self.design[2] += weight * mean * mean;
        self.squares[0] += square / mean;
        self.squares[1] += square;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.add_share(other, 1.0);
    }

    fn add_share(&mut self, other: &Self, share: f64) {
        self.n_rows += share * other.n_rows;
        self.design.iter_mut().zip(other.design).for_each(|(sum, x)| *sum += share * x);
        self.squares.iter_mut().zip(other.squares).for_each(|(sum, x)| *sum += share * x);
    }

    /// Makes up for the `n_parameters` that were fitted to the same rows.
    pub(super) fn unbias(&mut self, n_parameters: f64) {
        // More than nine in ten rows spent on parameters leave nothing to trust.
        let left = (self.n_rows - n_parameters).max(0.1 * self.n_rows);
        if left > 0.0 {
            self.squares.iter_mut().for_each(|sum| *sum *= self.n_rows / left);
        }
    }

    /// The same with the shop's spread for a prior.
    pub(super) fn with_shop(mut self, shop: &Self) -> Self {
        if shop.n_rows > 0.0 {
            self.add_share(shop, SHOP_ROWS / shop.n_rows);
        }
        self
    }

    /// The same with a Poisson spread for a prior; `phi` is the present one.
    pub(super) fn with_poisson(mut self, phi: f64) -> Self {
        let weight = POISSON_ROWS / (phi * phi);
        self.n_rows += POISSON_ROWS;
        self.design[0] += weight;
        self.squares[0] += weight;
        self
    }

    /// `phi`, at least 1, and `alpha`, at least 0.
    pub(super) fn solve(&self) -> (f64, f64) {
        let ([ones, means, squares], [by_mean, plain]) = (self.design, self.squares);
        if ones <= 0.0 {
            return (1.0, 0.0);
        }
        let alone = (by_mean / ones).max(1.0);
        let determinant = ones * squares - means * means;
        // All means alike: the two cannot be told apart, and the simpler one takes all.
        if determinant <= 1e-9 * ones * squares {
            return (alone, 0.0);
        }
        let phi = (by_mean * squares - plain * means) / determinant;
        let alpha = (ones * plain - means * by_mean) / determinant;
        if alpha <= 0.0 {
            (alone, 0.0)
        } else if phi < 1.0 {
            (1.0, ((plain - means) / squares).max(0.0))
        } else {
            (phi, alpha)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row each at these means, of squared residual `phi·mu + alpha·mu²`, weighted alike.
    fn spread(phi: f64, alpha: f64, means: &[f64]) -> Spread {
        let mut spread = Spread::default();
        for &mean in means {
            let units = mean + (phi * mean + alpha * mean * mean).sqrt();
            let fitted = Fitted { mean, score: 0.0, weight: mean, precision: 1.0 };
            spread.add(units, &fitted);
        }
        spread
    }

    #[test]
    fn the_spread_that_made_the_residuals_is_found() {
        let (phi, alpha) = spread(2.0, 0.3, &[1.0, 4.0, 9.0]).solve();
        assert!((phi - 2.0).abs() < 1e-9 && (alpha - 0.3).abs() < 1e-9, "{phi} {alpha}");
        let (phi, alpha) = spread(2.0, 0.0, &[5.0, 5.0]).solve();
        assert!((phi - 2.0).abs() < 1e-9 && alpha == 0.0, "means alike: {phi} {alpha}");
        let (phi, alpha) = spread(0.5, 0.0, &[1.0, 4.0, 9.0]).solve();
        assert_eq!((phi, alpha), (1.0, 0.0), "no less than Poisson");
        let (phi, alpha) = spread(0.2, 0.5, &[1.0, 4.0, 9.0]).solve();
        assert!((phi - 1.0).abs() < f64::EPSILON && 0.0 < alpha && alpha < 0.5);
        assert_eq!(Spread::default().solve(), (1.0, 0.0));
    }

    #[test]
    fn parameters_fitted_to_the_rows_are_made_up_for() {
        let mut spread = spread(1.5, 0.0, &[5.0; 10]);
        spread.unbias(5.0);
        assert!((spread.solve().0 - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_category_with_few_rows_has_the_spread_of_the_shop() {
        let shop = spread(3.0, 0.0, &[2.0; 1_000]);
        assert!((Spread::default().with_shop(&shop).solve().0 - 3.0).abs() < 1e-9);
        let few = spread(9.0, 0.0, &[2.0; 10]).with_shop(&shop).solve().0;
        assert!((few - 4.0).abs() < 1e-9, "10 rows of 9 and 50 of 3 are 4 in the mean: {few}");
    }
}
