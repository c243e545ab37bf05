//! Times in buckets that widen with them: ten million cost no more memory than a thousand.

use std::time::Duration;

/// Buckets of each doubling, as a power of two: a time is known to within one part in 128.
const DOUBLING_BITS: u32 = 7;

/// How often each time was taken. The layout is that of Tene's `HdrHistogram`: whole nanoseconds up to 255,
/// then 128 buckets to each doubling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    n: u64,
    max: Duration,
}

impl Histogram {
    /// Adds a time.
    pub(crate) fn record(&mut self, time: Duration) {
        let bucket = bucket(time.as_nanos() as u64);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.n += 1;
        self.max = self.max.max(time);
    }

    /// Adds all that another has.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
        self.n += other.n;
        self.max = self.max.max(other.max);
    }

    /// How many times it has.
    pub(crate) fn n(&self) -> u64 {
        self.n
    }

    /// The time that a share `q` of all did not exceed, rounded up by less than 1 %; the longest exactly.
    pub(crate) fn quantile(&self, q: f64) -> Duration {
        let rank = ((self.n as f64 * q).ceil() as u64).max(1);
        let mut below = 0;
        let reached = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        });
        reached.map_or(self.max, |bucket| Duration::from_nanos(upper_end(bucket)).min(self.max))
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = nanos.max(1).ilog2().saturating_sub(DOUBLING_BITS);
    ((u64::from(shift) << DOUBLING_BITS) + (nanos >> shift)) as usize
}

/// The longest time, in nanoseconds, that falls into a bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> DOUBLING_BITS).saturating_sub(1);
    let first = bucket - (shift << DOUBLING_BITS);
    ((first + 1) << shift) - 1
}
