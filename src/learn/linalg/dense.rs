//! Dense factorisations, in `f64`, by `faer` on one thread.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::{evd, householder, matmul::matmul, qr::no_pivoting::factor};
use faer::{Accum, Conj, Mat, MatMut, MatRef, Par, Spec};
use ndarray::{Array2, ArrayView2};

/// A view of a matrix that lies row by row in memory.
fn view<'a>(a: &'a ArrayView2<'_, f64>) -> MatRef<'a, f64> {
    let slice = a.as_slice().expect("the matrices of this room lie row by row in memory");
    MatRef::from_row_major_slice(slice, a.nrows(), a.ncols())
}

fn from_faer(a: MatRef<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), a.ncols()), |(row, column)| a[(row, column)])
}

/// An orthonormal basis `q (m, min(m, n))` of the columns of `a (m, n)`, by Householder reflections.
///
/// If `a` has fewer independent columns, the rest of the basis is arbitrary but orthonormal.
pub fn orthonormal_basis(a: ArrayView2<'_, f64>) -> Array2<f64> {
    let (m, n) = a.dim();
    let size = m.min(n);
    let mut basis = Mat::from_fn(m, n, |row, column| a[(row, column)]);
    let block = factor::recommended_block_size::<f64>(m, n);
    let mut coefficients = Mat::<f64>::zeros(block, size);
    let scratch = factor::qr_in_place_scratch::<f64>(m, n, block, Par::Seq, Spec::default());
    factor::qr_in_place(
        basis.as_mut(),
        coefficients.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Spec::default(),
    );
    let mut q = Mat::<f64>::identity(m, size);
    let scratch = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(
        m, block, size,
    );
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        basis.get(.., ..size),
        coefficients.as_ref(),
        Conj::No,
        q.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
    );
    from_faer(q.as_ref())
}

/// Eigenvalues, falling, and eigenvectors (columns) of the symmetric `a (n, n)`; its lower triangle
/// is read. `None` if the iteration does not converge or `a` is not finite.
///
/// # Panics
///
/// If `a` is not square.
pub fn symmetric_eigen(a: ArrayView2<'_, f64>) -> Option<(Vec<f64>, Array2<f64>)> {
    let n = a.nrows();
    assert_eq!(a.dim(), (n, n), "a symmetric matrix is square");
    if a.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let mut values = faer::diag::Diag::<f64>::zeros(n);
    let mut vectors = Mat::<f64>::zeros(n, n);
    let scratch = evd::self_adjoint_evd_scratch::<f64>(
        n,
        evd::ComputeEigenvectors::Yes,
        Par::Seq,
        Spec::default(),
    );
    evd::self_adjoint_evd(
        view(&a),
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Spec::default(),
    )
    .ok()?;
    let values: Vec<f64> = values.column_vector().iter().copied().collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&x, &y| values[y].total_cmp(&values[x]).then(x.cmp(&y)));
    let sorted = Array2::from_shape_fn((n, n), |(row, column)| vectors[(row, order[column])]);
    Some((order.iter().map(|&at| values[at]).collect(), sorted))
}

/// The product `a (m, k) · b (k, n)`.
///
/// # Panics
///
/// If the inner sizes differ.
pub fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    assert_eq!(a.ncols(), b.nrows(), "the inner sizes of a product agree");
    multiplied(view(&a), view(&b))
}

/// The product `aᵀ · b` of `a (k, m)` and `b (k, n)`.
///
/// # Panics
///
/// If the inner sizes differ.
pub fn transposed_product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    assert_eq!(a.nrows(), b.nrows(), "the inner sizes of a product agree");
    multiplied(view(&a).transpose(), view(&b))
}

fn multiplied(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Array2<f64> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    let memory = c.as_slice_mut().expect("a new matrix lies row by row in memory");
    let into = MatMut::from_row_major_slice_mut(memory, a.nrows(), b.ncols());
    matmul(into, Accum::Replace, a, b, 1.0, Par::Seq);
    c
}

/// Adds `aᵀ·a` to `gram (n, n)` for `a (m, n)`.
///
/// # Panics
///
/// If `gram` has another size.
pub fn add_gram(a: ArrayView2<'_, f64>, gram: &mut Array2<f64>) {
    assert_eq!(gram.dim(), (a.ncols(), a.ncols()), "a Gram matrix has a row for each column");
    *gram += &transposed_product(a, a);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Products of a few `f64` of size 1 are exact to some units in the last place, 2e-16.
    const TOLERANCE: f64 = 1e-13;

    fn assert_close(a: &Array2<f64>, b: &Array2<f64>) {
        assert_eq!(a.dim(), b.dim());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < TOLERANCE), "{a} is not {b}");
    }

    #[test]
    fn a_basis_is_orthonormal_and_spans_the_columns() {
        let a = array![[1.0, 2.0], [3.0, -1.0], [0.5, 0.0], [2.0, 2.0]];
        let q = orthonormal_basis(a.view());
        assert_close(&q.t().dot(&q), &Array2::eye(2));
        assert_close(&q.dot(&q.t()).dot(&a), &a);
    }

    #[test]
    fn eigenvectors_put_the_matrix_together_again() {
        let a = array![[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 1.0]];
        let (values, vectors) = symmetric_eigen(a.view()).expect("a is finite");
        assert!(values.is_sorted_by(|x, y| x >= y));
        let diagonal = Array2::from_diag(&ndarray::Array1::from(values));
        assert_close(&vectors.dot(&diagonal).dot(&vectors.t()), &a);
        assert!(symmetric_eigen(array![[f64::NAN]].view()).is_none());
    }

    #[test]
    fn products_agree_with_the_definition() {
        let a = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        assert_close(
            &product(a.view(), array![[1.0], [2.0]].view()),
            &array![[5.0], [11.0], [17.0]],
        );
        let mut gram = Array2::ones((2, 2));
        add_gram(a.view(), &mut gram);
        assert_close(&gram, &array![[36.0, 45.0], [45.0, 57.0]]);
    }
}
