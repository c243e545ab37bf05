//! Ratings by user and by item, as the sampler walks them.

use crate::learn::rating::{data::Ratings, lists};

/// Which of the other side a row has ratings with; the ratings of a row lie together.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    starts: Vec<usize>,
    others: Vec<u32>,
}

impl Lists {
    pub(super) fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.starts[row]..self.starts[row + 1]
    }

    pub(super) fn of(&self, row: usize) -> &[u32] {
        &self.others[self.range(row)]
    }
}

/// The ratings less their mean and over their deviation, in both orientations: 16 bytes a rating.
#[derive(Clone, Debug)]
pub(super) struct TwoWay {
    pub(super) by_user: Lists,
    pub(super) by_item: Lists,
    /// In the order of `by_user`.
    pub(super) user_values: Vec<f32>,
    /// In the order of `by_item`.
    pub(super) item_values: Vec<f32>,
    /// The standard deviation of the ratings; 1 if all are equal.
    pub(super) deviation: f64,
}

impl TwoWay {
    pub(super) fn new(ratings: &Ratings) -> Self {
        let all = ratings.all();
        let mean = ratings.mean();
        let squares = all.iter().map(|rating| (f64::from(rating.value) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / all.len().max(1) as f64).sqrt();
        // Equal ratings differ from their own mean by its rounding, some 10⁻¹⁶ of it.
        let equal = deviation <= 1e-12 * mean.abs();
        let deviation = if equal { 1.0 } else { deviation };
        let laid_out = |lists: lists::Lists| {
            let value = |value: f32| ((f64::from(value) - mean) / deviation) as f32;
            let (starts, others, values) = lists.map(value).into_parts();
            (Lists { starts, others }, values)
        };
        let (by_user, user_values) = laid_out(ratings.by_user());
        let (by_item, item_values) = laid_out(ratings.by_item());
        Self { by_user, by_item, user_values, item_values, deviation }
    }
}
