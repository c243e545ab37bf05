//! Days as a market counts them: by its own clock, with its summer time.

use crate::domain::{Timestamp, time::DAY_MS};
use jiff::{
    Span, civil,
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A time zone of the IANA database, by its name.
///
/// The rules come from the database inside the binary, not from the machine: the same ledger has the same prior price
/// everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of this name, such as `Europe/Helsinki`.
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        zone.iana_name().is_some().then_some(Self(zone))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The same time by the clock on the wall, so many days earlier.
    ///
    /// Where clocks were put forward over it or back onto it, the earlier of the two readings: a window that must not
    /// be shorter than 30 days never is. Beyond the calendar, days of 24 hours.
    pub fn days_before(&self, at: Timestamp, days: u16) -> Timestamp {
        self.moved(at, -i64::from(days))
    }

    /// The same time by the clock on the wall, so many days later; the earlier reading, as above.
    pub fn days_after(&self, at: Timestamp, days: u16) -> Timestamp {
        self.moved(at, i64::from(days))
    }

    /// The first time whose window of so many days begins at `edge` or after it.
    ///
    /// So many days later by the clock, but where clocks were put back over either of the two times; there it is found
    /// by halving.
    pub(super) fn left_behind(&self, edge: Timestamp, days: u16) -> Timestamp {
        let is_left = |at: Timestamp| edge <= self.days_before(at, days);
        let mut low = self.days_after(edge, days);
        let mut high = low.plus_ms(DAY_MS);
        if is_left(low) || !is_left(high) {
            return low;
        }
        while low.0 + 1 < high.0 {
            let middle = Timestamp(low.0 + (high.0 - low.0) / 2);
            if is_left(middle) { high = middle } else { low = middle }
        }
        high
    }

    fn moved(&self, at: Timestamp, days: i64) -> Timestamp {
        let by_the_wall = || {
            let start = jiff::Timestamp::from_millisecond(at.0).ok()?;
            let moved = self.0.to_datetime(start).checked_add(Span::new().try_days(days).ok()?);
            self.instant(moved.ok()?)
        };
        by_the_wall().unwrap_or_else(|| at.plus_ms(days.saturating_mul(DAY_MS)))
    }

    fn instant(&self, wall: civil::DateTime) -> Option<Timestamp> {
        let instant = self.0.to_ambiguous_zoned_datetime(wall).earlier().ok()?;
        Some(Timestamp(instant.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

impl TryFrom<String> for Zone {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let shown: String = name.chars().take(60).collect();
        Self::named(&name)
            .ok_or_else(|| format!("must name a time zone such as Europe/Helsinki, not `{shown}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn days_are_counted_by_the_clock_on_the_wall() {
        let helsinki = Zone::named("Europe/Helsinki").unwrap();
        // 29 March 2026, 03:00: clocks go to 04:00. 30 local days are an hour shorter than 720 hours.
        let april = at("2026-04-10T12:00:00+03:00");
        assert_eq!(helsinki.days_before(april, 30), at("2026-03-11T12:00:00+02:00"));
        // 25 October 2026, 04:00: clocks go back to 03:00.
        let november = at("2026-11-10T12:00:00+02:00");
        assert_eq!(helsinki.days_before(november, 30), at("2026-10-11T12:00:00+03:00"));
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(
            berlin.days_before(at("2026-04-10T12:00:00+02:00"), 30),
            at("2026-03-11T12:00:00+01:00"),
        );
        assert_eq!(
            berlin.days_after(at("2026-10-11T12:00:00+02:00"), 30),
            at("2026-11-10T12:00:00+01:00"),
        );
    }

    #[test]
    fn a_time_that_was_skipped_or_came_twice_is_the_earlier_one() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        // 02:30 did not exist on 29 March 2026.
        let skipped = berlin.days_before(at("2026-04-28T02:30:00+02:00"), 30);
        assert_eq!(skipped, at("2026-03-29T01:30:00+01:00"));
        // 02:30 came twice on 25 October 2026.
        let twice = berlin.days_before(at("2026-11-24T02:30:00+01:00"), 30);
        assert_eq!(twice, at("2026-10-25T02:30:00+02:00"));
    }

    #[test]
    fn times_beyond_the_calendar_do_not_panic() {
        let zone = Zone::named("America/New_York").unwrap();
        assert_eq!(zone.days_before(Timestamp(i64::MIN), 30), Timestamp(i64::MIN));
        assert_eq!(zone.days_after(Timestamp(i64::MAX), 30), Timestamp(i64::MAX));
        assert_eq!(zone.days_before(Timestamp(i64::MAX), 1), Timestamp(i64::MAX - DAY_MS));
    }

    #[test]
    fn only_zones_of_the_database_are_zones() {
        assert_eq!(Zone::named("Europe/Atlantis"), None);
        assert_eq!(Zone::named(""), None);
        assert_eq!(Zone::named("/etc/localtime"), None);
        assert_eq!(Zone::named("Europe/Berlin").unwrap().name(), "Europe/Berlin");
        let error = Zone::try_from("x".repeat(500)).unwrap_err();
        assert!(error.contains("Europe/Helsinki") && error.len() < 150);
    }
}
