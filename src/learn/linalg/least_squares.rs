//! Least squares with standard errors, for the few columns of a regression.

use super::dense::{orthonormal_basis, transposed_product};
use ndarray::{Array2, ArrayView2};

/// A column is taken for a combination of those before it if no more than this part of its length is left beside them.
const INDEPENDENT_MIN: f64 = 1e-10;

/// A fitted regression.
#[derive(Clone, Debug, PartialEq)]
pub struct LeastSquares {
    /// One for each column.
    pub coefficients: Vec<f64>,
    /// Their standard errors, if errors are independent and of one variance.
    pub standard_errors: Vec<f64>,
    /// Share of the variance of `y` around its mean that is explained.
    pub r_squared: f64,
}

/// Regresses `y (n_rows)` on the columns of `x (n_rows, n)`, by an orthonormal basis of them (Golub and Van
/// Loan, *Matrix Computations*, 4th ed. 2013, section 5.3). `None` if there are no more rows than columns, if
/// columns depend on each other, or if anything is not finite.
///
/// # Panics
///
/// If `y` has not as many entries as `x` has rows.
pub fn least_squares(x: ArrayView2<'_, f64>, y: &[f64]) -> Option<LeastSquares> {
    let (n_rows, n) = x.dim();
    assert_eq!(n_rows, y.len(), "every row has a y");
    let finite = x.iter().chain(y).all(|value| value.is_finite());
    if n == 0 || n_rows <= n || !finite {
        return None;
    }
    let x = x.as_standard_layout();
    let basis = orthonormal_basis(x.view());
    let r = transposed_product(basis.view(), x.view());
    let y_column = Array2::from_shape_vec((n_rows, 1), y.to_vec()).expect("a column holds every y");
    let projected = transposed_product(basis.view(), y_column.view());
    let length = |column: usize| x.column(column).iter().map(|x| x * x).sum::<f64>().sqrt();
    if (0..n).any(|j| r[(j, j)].abs() <= INDEPENDENT_MIN * length(j)) {
        return None;
    }
    let solve = |right: &dyn Fn(usize) -> f64| {
        let mut solution = vec![0.0; n];
        for row in (0..n).rev() {
            let known: f64 = (row + 1..n).map(|column| r[(row, column)] * solution[column]).sum();
            solution[row] = (right(row) - known) / r[(row, row)];
        }
        solution
    };
    let coefficients = solve(&|row| projected[(row, 0)]);
    let mean = y.iter().sum::<f64>() / n_rows as f64;
    let (mut residual, mut total) = (0.0, 0.0);
    for (row, y) in x.rows().into_iter().zip(y) {
        let fitted: f64 =
            row.iter().zip(&coefficients).map(|(x, coefficient)| x * coefficient).sum();
        residual += (y - fitted).powi(2);
        total += (y - mean).powi(2);
    }
    let variance = residual / (n_rows - n) as f64;
    // The columns of R⁻¹, whose rows have the squared lengths that the coefficients' variances are.
    let inverse: Vec<Vec<f64>> =
        (0..n).map(|unit| solve(&|row| if row == unit { 1.0 } else { 0.0 })).collect();
    let squared = |row: usize| inverse.iter().map(|column| column[row].powi(2)).sum::<f64>();
    let standard_errors = (0..n).map(|row| (variance * squared(row)).sqrt()).collect();
    let r_squared = if total > 0.0 { 1.0 - residual / total } else { 0.0 };
    Some(LeastSquares { coefficients, standard_errors, r_squared })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_line_through_four_points_is_the_one_by_hand() {
        let x = array![[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]];
        let line = least_squares(x.view(), &[1.0, 3.0, 4.0, 8.0]).unwrap();
        // Slope 11/5, intercept 4 - 1.5·2.2; residuals .3, .1, -1.1, .7: 1.8 in squares, .9 of variance, over
        // 5 for the slope.
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(line.coefficients[1], 2.2) && close(line.coefficients[0], 0.7));
        assert!(close(line.standard_errors[1], (0.9_f64 / 5.0).sqrt()));
        assert!(close(line.standard_errors[0], (0.9_f64 * (0.25 + 2.25 / 5.0)).sqrt()));
        assert!(close(line.r_squared, 1.0 - 1.8 / 26.0));
    }

    #[test]
    fn what_has_no_one_answer_has_none() {
        let x = array![[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]];
        assert_eq!(least_squares(x.view(), &[1.0, 2.0, 3.0]), None, "columns depend");
        let x = array![[1.0, 0.0], [1.0, 1.0]];
        assert_eq!(least_squares(x.view(), &[1.0, 2.0]), None, "nothing is left for the error");
        let x = array![[1.0], [f64::NAN]];
        assert_eq!(least_squares(x.view(), &[1.0, 2.0]), None);
    }
}
