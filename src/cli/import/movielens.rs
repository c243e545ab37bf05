//! MovieLens: ratings and titles, in the layouts of its releases (Harper and Konstan, "The MovieLens
//! datasets: history and context", ACM Transactions on Interactive Intelligent Systems 5(4), 2015).
//!
//! The first line tells which one a file has: `u.data` and `u1.base` (tabs), `ratings.dat` and
//! `movies.dat` (`::`), `ratings.csv` and `movies.csv` (headers), `u.item` (bars). Where ratings have
//! no time, the n-th line is dated n seconds after the year 2000 began, which keeps their order. A
//! user rates a film once, so `ml-<user>-<item>` is the event's id.

use super::{
    ImportError,
    csv_rows::CsvRows,
    feed::{Feed, Merge, check_time, listed},
    movielens_layout::{Layout, flagged},
    source::Source,
};
use crate::{
    domain::{
        Event, EventContext, EventKind, ItemChange, ItemId, Timestamp, UserId, time::SECOND_MS,
    },
    record::forms::{FormRules, item_row_from_json},
};
use serde_json::json;

/// 2000-01-01T00:00:00Z in milliseconds.
const YEAR_2000_MS: i64 = 946_684_800_000;
/// The largest rating that a form takes as well.
const RATING_SIZE_MAX: f64 = 1e9;
/// Genres that say that there are none.
const NO_GENRES: [&str; 3] = ["unknown", "(no genres listed)", ""];

/// One rating, field by field.
#[derive(Clone, Copy)]
struct Rating<'a> {
    user: &'a str,
    item: &'a str,
    value: &'a str,
    seconds: Option<&'a str>,
}

/// Reads a file of ratings or of titles.
pub(super) fn read(feed: &mut Feed, mut source: Source) -> Result<(), ImportError> {
    source.lines.or_latin_1();
    let failed = Source::read_error(&source.path);
    let Some(first) = source.lines.peek().map_err(&failed)? else { return Ok(()) };
    let layout = Layout::of(&first.text)
        .ok_or_else(|| source.layout_error("the first line is of no MovieLens file"))?;
    if matches!(layout, Layout::RatingsCsv | Layout::TitlesCsv) {
        return read_csv(feed, source, layout);
    }
    while let Some(line) = source.lines.next().map_err(&failed)? {
        let text = line.text.as_str();
        if text.trim().is_empty() {
            continue;
        }
        match (line.problem, layout) {
            (Some(problem), _) => feed.reject(line.number, problem, text)?,
            (None, Layout::Ratings(cut)) => {
                let fields: Vec<&str> = text.split(cut).collect();
                take_rating(feed, line.number, text, &fields)?;
            }
            (None, Layout::Titles(cut)) => {
                let fields: Vec<&str> = text.split(cut).collect();
                take_title(feed, line.number, text, &fields)?;
            }
            (None, _) => {
                let (fields, flags) = flagged(text);
                let genres = flags.join("|");
                let fields: Vec<&str> = fields.into_iter().chain([genres.as_str()]).collect();
                take_title(feed, line.number, text, &fields)?;
            }
        }
    }
    Ok(())
}

fn read_csv(feed: &mut Feed, source: Source, layout: Layout) -> Result<(), ImportError> {
    let failed = Source::read_error(&source.path);
    let mut rows = CsvRows::new(source.lines).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        match row {
            Err(bad) => feed.reject_bad(&bad)?,
            Ok(row) => {
                let fields: Vec<&str> = row.cells.iter().map(String::as_str).collect();
                match layout {
                    Layout::RatingsCsv => take_rating(feed, row.line, &row.text, &fields)?,
                    _ => take_title(feed, row.line, &row.text, &fields)?,
                }
            }
        }
    }
    Ok(())
}

fn take_rating(feed: &mut Feed, line: u64, text: &str, fields: &[&str]) -> Result<(), ImportError> {
    let rating = match *fields {
        [user, item, value] => Rating { user, item, value, seconds: None },
        [user, item, value, seconds] => Rating { user, item, value, seconds: Some(seconds) },
        _ => return feed.reject(line, "is not user, item, rating and maybe time", text),
    };
    match event(rating, line, &feed.rules) {
        Ok(event) => feed.event(event),
        Err(reason) => feed.reject(line, &reason, text),
    }
}

fn event(rating: Rating<'_>, line: u64, rules: &FormRules) -> Result<Event, String> {
    let user = UserId::new(rating.user.trim()).map_err(|error| format!("the user {error}"))?;
    let item = ItemId::new(rating.item.trim()).map_err(|error| format!("the item {error}"))?;
    let value: f64 = rating.value.trim().parse().unwrap_or(f64::NAN);
    if value.is_nan() || value.abs() > RATING_SIZE_MAX {
        return Err(format!("the rating `{}` is not a number in range", rating.value));
    }
    let time = match rating.seconds.map(str::trim) {
        None => Timestamp(YEAR_2000_MS + line as i64 * SECOND_MS),
        Some(seconds) => seconds
            .parse()
            .ok()
            .and_then(Timestamp::from_epoch_number)
            .ok_or_else(|| format!("the time `{seconds}` is not a number of seconds"))?,
    };
    let id = format!("ml-{user}-{item}");
    Ok(Event {
        event_id: Some(crate::domain::id::check_id(&id).map(|()| id).map_err(|e| e.to_string())?),
        kind: EventKind::Rating,
        user: Some(user),
        session: None,
        item: Some(item),
        occurred_at: check_time(time, rules)?,
        quantity: 1,
        price: None,
        order: None,
        value: Some(value),
        context: EventContext::default(),
    })
}

fn take_title(feed: &mut Feed, line: u64, text: &str, fields: &[&str]) -> Result<(), ImportError> {
    let &[item, title, genres] = fields else {
        return feed.reject(line, "is not item, title and genres", text);
    };
    let genres = genres.split('|').map(str::trim).filter(|genre| !NO_GENRES.contains(genre));
    let row = json!({
        "item": item.trim(), "title": title.trim(), "categories": genres.collect::<Vec<_>>(),
    });
    match item_row_from_json(&row, &feed.rules) {
        Ok((item, ItemChange::Merge(patch))) => {
            feed.item((item, *patch), Merge::FillGaps, (line, text))
        }
        Ok(_) => Ok(()),
        Err(problems) => feed.reject(line, &listed(&problems), text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> FormRules {
        FormRules {
            currency: "USD".parse().unwrap(),
            now: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
            future_skew_max_ms: 0,
        }
    }

    fn rating(value: &'static str, seconds: Option<&'static str>) -> Rating<'static> {
        Rating { user: "7", item: "42", value, seconds }
    }

    #[test]
    fn a_rating_without_time_is_dated_by_its_line() {
        let read = event(rating("4.5", None), 90, &rules()).unwrap();
        assert_eq!(read.occurred_at.to_string(), "2000-01-01T00:01:30Z");
        assert_eq!((read.event_id.as_deref(), read.value), (Some("ml-7-42"), Some(4.5)));
        let read = event(rating("4", Some("881250949")), 1, &rules()).unwrap();
        assert_eq!(read.occurred_at, Timestamp(881_250_949_000));
    }

    #[test]
    fn ratings_that_make_no_sense_say_why() {
        for (value, seconds) in [("NaN", None), ("good", None), ("1e10", None), ("3", Some("x"))] {
            assert!(event(rating(value, seconds), 1, &rules()).is_err(), "{value} {seconds:?}");
        }
    }
}
