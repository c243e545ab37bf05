//! Buffers that tasks lend to one another.

use std::sync::{Mutex, PoisonError};

/// Buffers for tasks that run at the same time: no more of them are made than that, however finely a pool of threads
/// splits its work, and each is made once. What grows with the catalogue belongs here.
pub(crate) struct Rooms<T, F> {
    make: F,
    idle: Mutex<Vec<T>>,
}

impl<T, F: Fn() -> T> Rooms<T, F> {
    /// None yet; `make` makes one that is missing.
    pub(crate) fn new(make: F) -> Self {
        Self { make, idle: Mutex::new(Vec::new()) }
    }

    /// Does something with a buffer of its own, in the state in which the last one left it.
    pub(crate) fn lend<R>(&self, task: impl FnOnce(&mut T) -> R) -> R {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut room = idle.unwrap_or_else(&self.make);
        let result = task(&mut room);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(room);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_are_made_than_are_used_at_once() {
        let made = AtomicUsize::new(0);
        let rooms = Rooms::new(|| {
            made.fetch_add(1, Ordering::Relaxed);
            0_u32
        });
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let task = |_| rooms.lend(|n_uses| *n_uses += 1);
        pool.install(|| (0..1_000).into_par_iter().with_max_len(1).for_each(task));
        let made = made.load(Ordering::Relaxed);
        assert!((1..=3).contains(&made), "{made}");
        let uses: u32 = rooms.idle.into_inner().unwrap().into_iter().sum();
        assert_eq!(uses, 1_000);
    }
}
