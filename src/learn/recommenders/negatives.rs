//! Quick seeded draws, of items that somebody did not touch among others.
//!
//! Sources: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (`SplitMix64`);
//! Lemire, "Fast random integer generation in an interval", ACM TOMACS 2019 (a range by one product; the
//! rejection that makes it exact is left out: the bias is below n/2³²).

/// A stream of numbers that depends on nothing but its seed and which stream it is, so that pieces of
/// work draw the same on any thread.
#[derive(Clone, Debug)]
pub(super) struct Draws(u64);

impl Draws {
    /// Stream number `stream` of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut draws = Self(seed ^ 0x6a09_e667_f3bc_c908);
        let mixed = draws.next();
        let mut draws = Self(mixed ^ stream);
        draws.next();
        draws
    }

    #[inline]
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    #[inline]
    pub(super) fn below(&mut self, n: u32) -> u32 {
        (((self.next() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// A number from 0 to below 1.
    #[inline]
    pub(super) fn fraction(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// Brings a list into random order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last as u32 + 1) as usize);
        }
    }

    /// So many numbers below `n`, each as often as any other or once more, in random order.
    pub(super) fn evenly(&mut self, n_draws: usize, n: u32) -> Vec<u32> {
        let mut drawn = Vec::with_capacity(n_draws);
        // Of very many, draws hardly ever meet: no list of all is needed.
        if n_draws.saturating_mul(64) < n as usize {
            drawn.extend((0..n_draws).map(|_| self.below(n)));
            return drawn;
        }
        let mut all: Vec<u32> = (0..n).collect();
        while drawn.len() < n_draws && n > 0 {
            self.shuffle(&mut all);
            drawn.extend(all.iter().take(n_draws - drawn.len()));
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_depend_on_seed_and_stream_only() {
        let mut counts = [0; 10];
        let mut draws = Draws::new(7, 3);
        for _ in 0..10_000 {
            counts[draws.below(10) as usize] += 1;
            assert!((0.0..1.0).contains(&draws.fraction()));
        }
        assert!(counts.iter().all(|&n| (850..1_150).contains(&n)), "five deviations of 30");
        assert_eq!(Draws::new(7, 3).next(), Draws::new(7, 3).next());
        assert_ne!(Draws::new(7, 3).next(), Draws::new(7, 4).next());
        assert_ne!(Draws::new(7, 3).next(), Draws::new(8, 3).next());
    }

    #[test]
    fn even_draws_take_all_before_any_twice() {
        let mut drawn = Draws::new(1, 0).evenly(25, 10);
        let (first, _) = drawn.split_at_mut(20);
        first.sort_unstable();
        let twice: Vec<u32> = (0..20).map(|at| at / 2).collect();
        assert_eq!(first, &twice[..]);
        assert_eq!(drawn.len(), 25);
        assert!(Draws::new(1, 0).evenly(5, 0).is_empty());
        assert!(Draws::new(1, 0).evenly(9, 10_000).iter().all(|&at| at < 10_000));
    }
}
