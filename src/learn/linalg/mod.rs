//! Dense and sparse algebra under the models.
//!
//! Here: [`Csr`], compressed rows that can be saved, rows of products of two of them ([`product`]), the few
//! dense factorisations the models need ([`dense`]), regressions ([`mod@least_squares`]), all products of rows as a square ([`gram`]), many small least-squares
//! problems exactly ([`normal`]) or nearly ([`conjugate`]), inverses and solutions of positive definite systems
//! ([`spd`]), tall matrices in a byte a number ([`quantised`]), and inner loops for wide registers ([`kernels`]). Not here: anything that knows of
//! users, items or ratings. A result never depends on how many threads there are: what is parallel is
//! parallel over rows, and what is summed over threads is summed in a fixed order.

pub mod conjugate;
pub mod csr;
pub mod dense;
pub mod gram;
pub mod kernels;
pub mod krylov;
pub mod least_squares;
pub mod normal;
pub mod product;
pub mod quantised;
pub mod rows;
pub mod spd;

pub use csr::Csr;
pub use kernels::dot;
pub use least_squares::{LeastSquares, least_squares};
