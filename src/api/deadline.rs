//! `X-Deadline-Ms`: what is ready by then is answered.

use super::error::ApiError;
use axum::{extract::FromRequestParts, http::request::Parts};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

const HEADER: &str = "x-deadline-ms";

/// By when an answer is wanted, if the request says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// One that is over.
    pub fn over() -> Self {
        Self(Some(Instant::now()))
    }

    /// What is left of the time; `None` if there is no end to it.
    pub fn left(self) -> Option<Duration> {
        self.0.map(|until| until.saturating_duration_since(Instant::now()))
    }
}

impl<S: Sync> FromRequestParts<S> for Deadline {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self::default()) };
        let text = value.to_str().unwrap_or_default().trim();
        let ms: u32 = text.parse().map_err(|_| {
            ApiError::Malformed(format!(
                "X-Deadline-Ms must be a whole number of milliseconds, not `{text}`"
            ))
        })?;
        Ok(Self(Some(Instant::now() + Duration::from_millis(ms.into()))))
    }
}

/// How long a piece of work has taken of late.
#[derive(Debug, Default)]
pub struct UsualTime(AtomicU64);

impl UsualTime {
    /// Remembers how long it took: a mean in which each new one counts an eighth, and a longer one at once.
    pub fn took(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let before = self.0.load(Ordering::Relaxed);
        let after = if ns > before { ns } else { before - (before - ns) / 8 };
        self.0.store(after, Ordering::Relaxed);
    }

    /// Whether it takes longer.
    pub fn is_above(&self, time: Duration) -> bool {
        u128::from(self.0.load(Ordering::Relaxed)) > time.as_nanos()
    }

    /// Whether it is likely to be done within this time.
    pub fn fits(&self, left: Option<Duration>) -> bool {
        left.is_none_or(|left| u128::from(self.0.load(Ordering::Relaxed)) <= left.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_time_rises_at_once_and_falls_slowly() {
        let usual = UsualTime::default();
        assert!(usual.fits(Some(Duration::ZERO)) && usual.fits(None));
        usual.took(Duration::from_micros(800));
        assert!(usual.fits(Some(Duration::from_micros(800))));
        assert!(!usual.fits(Some(Duration::from_micros(799))));
        usual.took(Duration::ZERO);
        assert!(usual.fits(Some(Duration::from_micros(700))));
        assert!(!usual.fits(Some(Duration::from_micros(699))));
    }
}
