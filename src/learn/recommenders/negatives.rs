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

/// What is drawn from when not all are as likely: each has a share.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    /// Where each share ends, if one begins where another ended.
    ends: Vec<u64>,
}

impl Shares {
    /// One share after the other.
    pub(super) fn new(shares: impl Iterator<Item = u64>) -> Self {
        let ends = shares.scan(0, |end, share| {
            *end += share;
            Some(*end)
        });
        Self { ends: ends.collect() }
    }

    /// How many have a share.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All shares together.
    pub(super) fn total(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Visits so many positions, each as often as its share says on the mean, one in each of `n_draws` equal
    /// parts of all (Cochran, "Sampling techniques", 1977, chapter 5: strata): rising, and each once if all
    /// shares are the same and there are as many draws.
    #[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
    #[inline(always)]
    pub(super) fn draw(&self, n_draws: usize, mut draws: Draws, mut visit: impl FnMut(u32)) {
        let width = self.total() as f64 / n_draws as f64;
        let end = self.total().saturating_sub(1);
        let mut place = 0;
        for turn in 0..n_draws {
            let at = ((turn as f64 + f64::from(draws.fraction())) * width) as u64;
            let at = at.min(end);
            // Nearly always close by: the search widens until it has passed.
            let mut reach = 1;
            while self.ends.get(place + reach).is_some_and(|&end| end <= at) {
                reach *= 2;
            }
            let last = self.ends.len().min(place + reach);
            place += self.ends[place..last].partition_point(|&end| end <= at);
            visit(place as u32);
        }
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

    #[test]
    fn shares_are_drawn_as_often_as_they_are_wide() {
        let shares = Shares::new([0, 6, 0, 1, 3, 0].into_iter());
        let mut counts = [0; 6];
        for stream in 0..1_000 {
            let mut before = 0;
            shares.draw(5, Draws::new(7, stream), |at| {
                assert!(before <= at, "rising");
                before = at;
                counts[at as usize] += 1;
            });
        }
        assert_eq!((counts[1], counts[0], counts[2], counts[5]), (3_000, 0, 0, 0));
        assert!((i32::abs(counts[3] - 500)) < 80, "five deviations of a thousand coins");
        let mut all = Vec::new();
        Shares::new([3; 40].into_iter()).draw(40, Draws::new(1, 0), |at| all.push(at));
        assert_eq!(all, (0..40).collect::<Vec<u32>>());
        Shares::new([].into_iter()).draw(0, Draws::new(1, 0), |_| unreachable!("there is nothing"));
    }
}
