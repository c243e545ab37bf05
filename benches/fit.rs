//! How fast are fits, beside the library people would use instead? On implicit MovieLens 1M, each fit in
//! turns with its peer's in the same run, and beside what the machine can multiply.
//!
//! Reads `../shared/data/top-n/Movielens1M_m1`. The peers run if `SHOPKEEPER_BENCH_PYTHON` names an
//! interpreter with the packages of `benches/peers/requirements.txt`.

#![expect(clippy::unwrap_used, reason = "a bench may fail")]

#[expect(dead_code, reason = "the other benches use the rest")]
mod support;

use faer::{Accum, Mat, Par, linalg::matmul::matmul};
use shopkeeper::learn::{
    dataset::{InteractionMatrix, ItemIdx, UserIdx},
    recommenders::{
        AlsParams, EaseParams, ItemKnnParams, NEVER_STOP, NmfParams, SvdParams, als, ease,
        item_knn, nmf, similarity::Weighting, svd,
    },
};
use std::{path::Path, time::Instant};
use support::{
    median,
    peer::{Peer, data_file},
    report::{Report, say, say_where},
};

const ROUNDS: usize = 5;
/// Cores that both sides may use.
const N_THREADS: usize = 2;
/// Size of the product that shows what the machine can do.
const GEMM: usize = 1_536;

/// One fit: what it is called, what its peer is asked, and what must be reached.
struct Duel<'a> {
    what: &'static str,
    peer: &'static str,
    /// Fits once; the relative error, if that is what is compared.
    ours: Box<dyn FnMut() -> Option<f64> + Send + 'a>,
    /// Operations of one fit, in 10⁹.
    gigaflops: f64,
    goal: (&'static str, f64),
}

fn main() {
    if !support::is_bench() {
        return say("measures only under `cargo bench`");
    }
    say_where();
    let folder = tempfile::tempdir().unwrap();
    let Some(train) = data_file("top-n/Movielens1M_m1/train.txt.zst", folder.path()) else {
        return;
    };
    let matrix = read(&train);
    let mut peer = Peer::start("fit.py", &[train.as_os_str()]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(N_THREADS).build().unwrap();
    let mut report = Report::default();
    let peak = median((0..ROUNDS).map(|_| pool.install(gemm)));
    report.fact("product of f32 matrices, GFLOP/s on both cores", format!("{peak:.0}"));
    for duel in duels(&matrix) {
        run(duel, peer.as_mut(), &pool, peak, &mut report);
    }
    report.print();
}

fn duels(matrix: &InteractionMatrix) -> Vec<Duel<'_>> {
    let cells = matrix.n_interactions() as f64;
    let rows = (0..matrix.n_users() as u32).map(|user| matrix.row(UserIdx(user)).0.len() as f64);
    let pairs: f64 = rows.map(|n| n * n).sum();
    let (n, d) = (matrix.n_items() as f64, 64.0);
    let both = (matrix.n_users() + matrix.n_items()) as f64;
    let passes = 1.0 + AlsParams::default().n_steps as f64;
    let epoch = passes * (2.0 * 4.0 * cells * d + 2.0 * both * d * d);
    let knn = ItemKnnParams {
        weighting: Weighting::None,
        shrinkage: 0.0,
        n_neighbors: 100,
        ..ItemKnnParams::default()
    };
    let factors = |n_epochs| AlsParams { n_factors: 64, n_epochs, ..AlsParams::default() };
    let plain = EaseParams {
        regularization: 300.0,
        user_exponent: 0.0,
        target_exponent: 1.0,
        ..EaseParams::default()
    };
    let error = move |model: &svd::Svd| {
        let explained: f64 = model.singular_values().iter().map(|x| x * x).sum();
        ((cells - explained) / cells).sqrt()
    };
    vec![
        Duel {
            what: "item_knn, cosine, 100 neighbours; implicit",
            peer: "item_knn",
            ours: Box::new(move || {
                item_knn::fit(matrix, &knn, NEVER_STOP).unwrap();
                None
            }),
            gigaflops: 2.0 * pairs / 1e9,
            goal: ("≥ 3", 3.0),
        },
        Duel {
            what: "als, 64 factors, 6 epochs of 3 steps; implicit, the same",
            peer: "als_6",
            ours: Box::new(move || {
                als::fit(matrix, &factors(6), NEVER_STOP).unwrap();
                None
            }),
            gigaflops: 6.0 * epoch / 1e9,
            goal: ("≥ 2", 2.0),
        },
        Duel {
            what: "svd, 64 factors; scipy PROPACK",
            peer: "svd",
            ours: Box::new(move || {
                Some(error(&svd::fit(matrix, &SvdParams::default(), NEVER_STOP).unwrap()))
            }),
            gigaflops: 2.0 * 15.0 * 2.0 * cells * 24.0 / 1e9,
            goal: ("≥ 1.5", 1.5),
        },
        Duel {
            what: "nmf, 64 factors, 100 epochs; scikit-learn, coordinate descent",
            peer: "nmf",
            ours: Box::new(move || {
                // As many passes over each side as the peer makes.
                let params = NmfParams {
                    n_factors: 64,
                    n_epochs: 100,
                    n_sweeps: 1,
                    regularization: 0.0,
                    ..NmfParams::default()
                };
                Some(nmf::fit(matrix, &params, NEVER_STOP).unwrap().relative_error())
            }),
            gigaflops: 100.0 * (2.0 * 2.0 * cells * d + 2.0 * 2.0 * both * d * d) / 1e9,
            goal: ("≥ 3", 3.0),
        },
        Duel {
            what: "ease; numpy, LAPACK inverse in f64",
            peer: "ease",
            ours: Box::new(move || {
                ease::fit(matrix, &plain, NEVER_STOP).unwrap();
                None
            }),
            gigaflops: (2.0 * pairs + n * n * n) / 1e9,
            goal: ("≥ 1", 1.0),
        },
    ]
}

/// Rounds in turns.
fn run(
    mut duel: Duel<'_>,
    mut peer: Option<&mut Peer>,
    pool: &rayon::ThreadPool,
    peak: f64,
    report: &mut Report,
) {
    let (mut ours, mut theirs, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let error = pool.install(|| (duel.ours)());
        ours.push(begun.elapsed().as_secs_f64());
        let answer = peer.as_mut().map(|peer| peer.run(duel.peer));
        if let Some(answer) = &answer {
            theirs.push(answer["seconds"].as_f64().unwrap());
        }
        let other = answer.and_then(|answer| answer["relative_error"].as_f64());
        errors.push((error, other));
    }
    let seconds = median(ours.iter().copied());
    let share = duel.gigaflops / seconds / peak;
    let shown = |error: Option<f64>| error.map_or(String::new(), |e| format!(", error {e:.6}"));
    let what = format!("{} ({:.0} % of the peak)", duel.what, 100.0 * share);
    let (error, other) = errors[ROUNDS - 1];
    let ours_shown = format!("{seconds:.3} s{}", shown(error));
    if theirs.is_empty() {
        return report.fact(&what, ours_shown);
    }
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| theirs / ours);
    let ratio = median(ratios);
    let theirs_shown = format!("{:.3} s{}", median(theirs.iter().copied()), shown(other));
    let is_as_exact = error.zip(other).is_none_or(|(error, other)| error <= other + 1e-6);
    let goal = (duel.goal.0, duel.goal.1 <= ratio && is_as_exact);
    report.row(&what, (ours_shown, theirs_shown), Some(format!("{ratio:.2}")), Some(goal));
}

/// GFLOP/s of a product of square matrices on the threads of the pool it is called in.
fn gemm() -> f64 {
    let a = Mat::<f32>::from_fn(GEMM, GEMM, |i, j| ((i * 7 + j * 3) % 11) as f32);
    let mut c = Mat::<f32>::zeros(GEMM, GEMM);
    let begun = Instant::now();
    matmul(c.as_mut(), Accum::Replace, a.as_ref(), a.as_ref(), 1.0, Par::rayon(N_THREADS));
    2.0 * (GEMM as f64).powi(3) / begun.elapsed().as_secs_f64() / 1e9
}

/// Lines `user item item …` as a matrix of ones.
fn read(path: &Path) -> InteractionMatrix {
    let text = std::fs::read_to_string(path).unwrap();
    let mut cells = Vec::new();
    for line in text.lines() {
        let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap());
        let user = UserIdx(numbers.next().unwrap());
        cells.extend(numbers.map(|item| (user, ItemIdx(item), 1.0)));
    }
    let n_users = cells.iter().map(|cell| cell.0.0).max().unwrap() as usize + 1;
    let n_items = cells.iter().map(|cell| cell.1.0).max().unwrap() as usize + 1;
    InteractionMatrix::from_cells(n_users, n_items, cells)
}
