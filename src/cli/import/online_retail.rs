//! Online Retail: a year of invoices of a gift shop (Chen, Sain and Guo, "Data mining for the online
//! retail industry", Journal of Database Marketing & Customer Strategy Management 19, 2012).
//!
//! What a row becomes:
//!
//! - A positive quantity is a purchase, a negative one a return of as many (invoices that begin with
//!   `C` are cancellations).
//! - A row without price whose quantity is negative, or that has no customer and a clerk's note or
//!   nothing for its description, corrects the stock. No shopper did that, so it is rejected, as
//!   are the two negative prices, which write off debt.
//! - A row without customer belongs to a session named as its invoice.
//! - The event's id follows from the whole row, so exact repetitions of a row are duplicates.
//! - Times are UTC as written.
//!
//! Titles and prices gather in a [`Catalogue`].

use super::{
    ImportError,
    csv_rows::CsvRows,
    feed::{Feed, check_time},
    ndjson::hashed_id,
    retail_catalogue::{Catalogue, is_note},
    source::Source,
};
use crate::{
    domain::{
        Cents, Event, EventContext, EventKind, IdError, ItemId, SessionId, Timestamp, UserId,
    },
    record::forms::FormRules,
};
use jiff::{civil, tz::Offset};

const COLUMNS: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";
const QUANTITY_MAX: u32 = 1_000_000; // As in the forms.

/// One row, cell by cell, without blanks around the cells.
struct Cells<'a> {
    invoice: &'a str,
    code: &'a str,
    description: &'a str,
    quantity: &'a str,
    date: &'a str,
    price: &'a str,
    customer: &'a str,
    country: &'a str,
}

/// Reads one file of invoices.
pub(super) fn read(
    feed: &mut Feed,
    mut source: Source,
    catalogue: &mut Catalogue,
) -> Result<(), ImportError> {
    let failed = Source::read_error(&source.path);
    source.lines.or_latin_1();
    let path = source.path;
    let mut rows = CsvRows::new(source.lines).map_err(&failed)?;
    let mut at = [0; 8];
    for (at, name) in at.iter_mut().zip(COLUMNS.split(',')) {
        *at = rows.position(name).ok_or_else(|| ImportError::Layout {
            path: path.clone(),
            detail: format!("there is no column {name}"),
        })?;
    }
    while let Some(row) = rows.next().map_err(&failed)? {
        let row = match row {
            Ok(row) => row,
            Err(bad) => {
                feed.reject_bad(&bad)?;
                continue;
            }
        };
        let [invoice, code, description, quantity, date, price, customer, country] =
            at.map(|at| row.cells[at].trim());
        // Spreadsheets write numbers that may be missing with a decimal.
        let customer = customer.strip_suffix(".0").unwrap_or(customer);
        let cells = Cells { invoice, code, description, quantity, date, price, customer, country };
        match event(&cells, &feed.rules) {
            Ok(event) => {
                catalogue.saw(&event, description);
                feed.event(event)?;
            }
            Err(reason) => feed.reject(row.line, &reason, &row.text)?,
        }
    }
    Ok(())
}

fn event(cells: &Cells<'_>, rules: &FormRules) -> Result<Event, String> {
    let units: i64 = cells
        .quantity
        .parse()
        .map_err(|_| format!("the quantity `{}` is not a whole number", cells.quantity))?;
    // A few rows have tenths of a penny, which no currency has.
    let price = rules
        .currency
        .parse_amount_rounded(cells.price)
        .map_err(|error| format!("the unit price {error}"))?;
    let occurred_at = check_time(time(cells.date)?, rules)?;
    let quantity = u32::try_from(units.unsigned_abs())
        .ok()
        .filter(|n| (1..=QUANTITY_MAX).contains(n))
        .ok_or_else(|| format!("the quantity {units} is 0 or beyond {QUANTITY_MAX}"))?;
    check_sale(cells, units, price)?;
    let wrong = |what| move |error: IdError| format!("the {what} {error}");
    let item = ItemId::new(cells.code).map_err(wrong("stock code"))?;
    let order = SessionId::new(cells.invoice).map_err(wrong("invoice number"))?;
    let (user, session) = match cells.customer {
        "" => (None, Some(order)),
        customer => (Some(UserId::new(customer).map_err(wrong("customer"))?), None),
    };
    let is_return = units < 0 || is_cancellation(cells.invoice);
    Ok(Event {
        event_id: Some(event_id(cells, occurred_at)),
        kind: if is_return { EventKind::Return } else { EventKind::Purchase },
        user,
        session,
        item: Some(item),
        occurred_at,
        quantity,
        price: Some(price),
        order: Some(cells.invoice.to_owned()),
        value: None,
        context: EventContext::default(),
    })
}

fn is_cancellation(invoice: &str) -> bool {
    invoice.starts_with(['C', 'c'])
}

/// Refuses what no shopper did.
fn check_sale(cells: &Cells<'_>, units: i64, price: Cents) -> Result<(), String> {
    let refuse = |reason: &str| Err(reason.to_owned());
    if price.0 < 0 {
        return refuse(
            "an adjustment of debt (the price is negative), not something a shopper did",
        );
    }
    if price.0 > 0 || is_cancellation(cells.invoice) {
        return Ok(());
    }
    if units < 0 {
        return refuse("a stock write-off, not something a shopper did");
    }
    if cells.customer.is_empty() && is_note(cells.description) {
        return refuse("a stock correction, not something a shopper did");
    }
    Ok(())
}

/// `2010-12-01 08:26:00`, or `12/1/2010 8:26` as the spreadsheet's own export has it.
fn time(text: &str) -> Result<Timestamp, String> {
    text.parse::<civil::DateTime>()
        .or_else(|_| civil::DateTime::strptime("%m/%d/%Y %H:%M", text))
        .and_then(|time| Offset::UTC.to_timestamp(time))
        .map(|time| Timestamp(time.as_millisecond()))
        .map_err(|_| format!("the invoice date `{text}` is not like 2010-12-01 08:26:00"))
}

/// From every column, in a form that does not depend on how dates and customers are written.
fn event_id(cells: &Cells<'_>, occurred_at: Timestamp) -> String {
    let &Cells { invoice, code, description, quantity, price, customer, country, date: _ } = cells;
    let time = occurred_at.0.to_string();
    let parts = [invoice, code, description, quantity, &time, price, customer, country];
    hashed_id("or", &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> FormRules {
        FormRules {
            currency: "GBP".parse().unwrap(),
            now: Timestamp::parse("2012-01-01T00:00:00Z").unwrap(),
            future_skew_max_ms: 0,
        }
    }

    fn sale() -> Cells<'static> {
        Cells {
            invoice: "500001",
            code: "12345A",
            description: "RED LANTERN",
            quantity: "6",
            date: "2010-12-01 08:26:00",
            price: "2.55",
            customer: "17000",
            country: "Atlantis",
        }
    }

    fn reason(cells: &Cells<'_>) -> String {
        event(cells, &rules()).unwrap_err()
    }

    #[test]
    fn a_sale_becomes_a_purchase() {
        let read = event(&sale(), &rules()).unwrap();
        assert_eq!((read.kind, read.quantity), (EventKind::Purchase, 6));
        assert_eq!(read.occurred_at.to_string(), "2010-12-01T08:26:00Z");
        assert_eq!(read.price, Some(Cents(255)));
        assert_eq!(read.user.unwrap().as_str(), "17000");
        assert_eq!((read.session, read.order.as_deref()), (None, Some("500001")));
    }

    #[test]
    fn a_cancellation_becomes_a_return() {
        let read =
            event(&Cells { invoice: "C500002", quantity: "-2", ..sale() }, &rules()).unwrap();
        assert_eq!((read.kind, read.quantity), (EventKind::Return, 2));
    }

    #[test]
    fn without_customer_the_invoice_is_the_visit() {
        let read = event(&Cells { customer: "", ..sale() }, &rules()).unwrap();
        assert_eq!((read.user, read.session.unwrap().as_str()), (None, "500001"));
    }

    #[test]
    fn what_no_shopper_did_is_refused() {
        let written_off = Cells { quantity: "-10", price: "0.0", customer: "", ..sale() };
        assert!(reason(&written_off).contains("write-off"));
        let found = Cells { price: "0.0", customer: "", description: "found", ..sale() };
        assert!(reason(&found).contains("stock correction"));
        assert!(reason(&Cells { price: "-11.5", ..sale() }).contains("debt"));
        // A gift is something that a shopper got.
        assert!(event(&Cells { price: "0", ..sale() }, &rules()).is_ok());
    }

    #[test]
    fn rows_that_make_no_sense_say_why() {
        assert!(reason(&Cells { quantity: "six", ..sale() }).contains("`six`"));
        assert!(reason(&Cells { quantity: "0", ..sale() }).contains("quantity 0"));
        assert!(reason(&Cells { price: "free", ..sale() }).contains("free"));
        assert!(reason(&Cells { date: "yesterday", ..sale() }).contains("yesterday"));
        assert!(reason(&Cells { date: "2013-01-01 00:00:00", ..sale() }).contains("future"));
        assert!(reason(&Cells { code: "", ..sale() }).contains("stock code must not be empty"));
    }

    #[test]
    fn the_id_follows_from_the_whole_row_but_not_from_how_dates_are_written() {
        let id = |cells: &Cells<'_>| event(cells, &rules()).unwrap().event_id;
        assert_eq!(id(&sale()), id(&Cells { date: "12/1/2010 8:26", ..sale() }));
        assert_ne!(id(&sale()), id(&Cells { country: "Utopia", ..sale() }));
        assert_ne!(id(&sale()), id(&Cells { price: "2.56", ..sale() }));
    }
}
