//! Which positions of a snapshot pass a filter, one bit each.

/// A set of positions below a fixed number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    n_positions: usize,
}

impl Bitmap {
    /// The empty set of positions below `n_positions`.
    pub fn new(n_positions: usize) -> Self {
        Self { words: vec![0; n_positions.div_ceil(64)], n_positions }
    }

    /// The positions below `n_positions` that `holds` says yes to, asked in order.
    pub fn from_fn(n_positions: usize, mut holds: impl FnMut(usize) -> bool) -> Self {
        let word = |first: usize| {
            let last = (first + 64).min(n_positions);
            (first..last).fold(0, |word, at| word | (u64::from(holds(at)) << (at - first)))
        };
        Self { words: (0..n_positions).step_by(64).map(word).collect(), n_positions }
    }

    /// One more than the largest position there can be.
    pub fn n_positions(&self) -> usize {
        self.n_positions
    }

    /// Adds a position.
    ///
    /// # Panics
    /// If there is no such position.
    pub fn set(&mut self, at: usize) {
        assert!(at < self.n_positions, "position {at} of {}", self.n_positions);
        self.words[at / 64] |= 1 << (at % 64);
    }

    /// Whether a position is in the set; one beyond the end never is.
    pub fn get(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|word| (word >> (at % 64)) & 1 == 1)
    }

    /// How many positions are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no position is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The positions that are in both sets; those that only one of them knows are not.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let words = self.words.iter().zip(&other.words).map(|(left, right)| left & right).collect();
        Self { words, n_positions: self.n_positions.min(other.n_positions) }
    }

    /// The positions in the set, in order.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let next = |rest: &u64| Some(rest & (rest - 1)).filter(|rest| *rest != 0);
            let first = Some(*word).filter(|word| *word != 0);
            std::iter::successors(first, next)
                .map(move |rest| at * 64 + rest.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_edges_of_words_are_kept() {
        let mut bitmap = Bitmap::new(130);
        for at in [0, 63, 64, 127, 129] {
            bitmap.set(at);
        }
        assert_eq!(bitmap.positions().collect::<Vec<_>>(), [0, 63, 64, 127, 129]);
        assert!(!bitmap.get(1) && !bitmap.get(130) && !bitmap.get(usize::MAX));
        assert_eq!((bitmap.count(), bitmap.n_positions()), (5, 130));
        assert!(Bitmap::new(0).is_empty() && !bitmap.is_empty());
    }

    proptest! {
        #[test]
        fn a_bitmap_is_a_set(
            left in prop::collection::vec(any::<bool>(), 0..200),
            right in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            let of = |flags: &[bool]| Bitmap::from_fn(flags.len(), |at| flags[at]);
            let both = of(&left).and(&of(&right));
            let expected: Vec<bool> = left.iter().zip(&right).map(|(l, r)| *l && *r).collect();
            prop_assert_eq!(&both, &of(&expected));
            prop_assert_eq!(both.count(), expected.iter().filter(|flag| **flag).count());
            prop_assert!((0..expected.len()).all(|at| both.get(at) == expected[at]));
            prop_assert!(both.positions().eq((0..expected.len()).filter(|at| expected[*at])));
        }
    }
}
