//! The blocking half on small files: what comes out of it, batch by batch.

use super::{
    feed::{Batch, Merge},
    *,
};
use crate::domain::{Event, EventKind, Patch, Timestamp};

/// What was counted.
struct ReadReport {
    rows: u64,
    rejected: u64,
}

struct Read {
    batches: Vec<Batch>,
    report: ReadReport,
    /// Rows of the rejects file, header first.
    rejects: Vec<Vec<String>>,
}

impl Read {
    fn events(&self) -> Vec<Event> {
        let of = |batch: &Batch| match batch {
            Batch::Events(events) => events.clone(),
            _ => vec![],
        };
        self.batches.iter().flat_map(of).collect()
    }
}

fn read(format: Format, name: &str, content: impl AsRef<[u8]>) -> Read {
    let folder = tempfile::tempdir().unwrap();
    let (path, rejects) = (folder.path().join(name), folder.path().join("rejects.csv"));
    fs::write(&path, content).unwrap();
    let (sender, mut receiver) = mpsc::channel(1_000);
    let rules = FormRules {
        currency: "GBP".parse().unwrap(),
        now: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
        future_skew_max_ms: 0,
    };
    let kept = Rejects::new(rejects.clone()).unwrap();
    let feed = Feed::new(sender, kept.clone(), rules);
    let n_rows = read_files(feed, format, &[path], false).unwrap();
    let (rejected, rejects_file) = kept.finish().unwrap();
    let report = ReadReport { rows: n_rows, rejected };
    let mut batches = vec![];
    while let Some(batch) = receiver.blocking_recv() {
        batches.push(batch);
    }
    let mut rows = vec![];
    if rejects_file.is_some() {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(rejects).unwrap();
        let cells = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
        rows = reader.records().map(|row| cells(row.unwrap())).collect();
    }
    Read { batches, report, rejects: rows }
}

#[test]
fn an_invoice_becomes_events_a_catalogue_and_prices() {
    let read = read(
        Format::OnlineRetail,
        "invoices.csv",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
         1,10001,RED LANTERN,2,2011-01-03 10:00:00,1.25,17000.0,X\n\
         1,POST,POSTAGE,1,2011-01-03 10:00:00,18.0,17000.0,X\n\
         2,10001,RED LANTERN,1,2011-01-05 10:00:00,1.50,,X\n\
         3,10001,damages,-9,2011-01-05 11:00:00,0.0,,X\n\
         oops\n",
    );
    let kinds: Vec<EventKind> = read.events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Purchase; 3]);
    assert_eq!((read.report.rows, read.report.rejected), (5, 2));
    assert_eq!(read.rejects[0], ["file", "line", "reason", "row"]);
    assert_eq!((read.rejects[1][1].as_str(), read.rejects[2][1].as_str()), ("5", "6"));
    assert_eq!(read.rejects[1][3], "3,10001,damages,-9,2011-01-05 11:00:00,0.0,,X");
    let [_, Batch::Catalogue(items), Batch::Prices(prices)] = &read.batches[..] else {
        panic!("{:?}", read.batches)
    };
    assert_eq!(items[0].1.title, Patch::Set("RED LANTERN".to_owned()));
    assert_eq!((&items[0].1.available, &items[1].1.available), (&Patch::Keep, &Patch::Set(false)));
    let ledger: Vec<(&str, i64)> =
        prices.iter().map(|entry| (entry.item.as_str(), entry.price.0)).collect();
    assert_eq!(ledger, [("10001", 125), ("10001", 150)]);
}

#[test]
fn events_come_as_json_lines_or_as_csv() {
    let lines = r#"{"type":"view","user":"u","item":"i"}

{"type":"view","user":"u","item":"i"}
{"type":"view","user":"u"}
not json
{"id":"e9","type":"purchase","user":"u","item":"i","quantity":2}"#;
    let from_lines = read(Format::Events, "events", lines);
    assert_eq!((from_lines.report.rows, from_lines.report.rejected), (5, 2));
    assert_eq!(from_lines.rejects[1][1..3], ["4", "item is required for type view"]);
    assert!(from_lines.rejects[2][2].starts_with("not valid JSON at column 2"));
    let csv = "id,type,user,item,quantity\n,view,u,i,\n,view,u,i,\ne9,purchase,u,i,2\n";
    let from_csv = read(Format::Events, "events", csv);
    assert_eq!(from_csv.events(), from_lines.events());
    let ids: Vec<_> = from_csv.events().iter().map(|event| event.event_id.clone()).collect();
    assert!(ids[0] != ids[1] && ids[2].as_deref() == Some("e9"));
}

#[test]
fn a_line_beyond_1_mib_is_rejected_and_the_next_one_is_read() {
    let mut content = vec![b' '; 2 << 20];
    content[0] = b'{';
    content.extend(b"\n{\"type\":\"search\",\"user\":\"u\"}\n");
    let read = read(Format::Events, "events.ndjson", content);
    assert_eq!((read.report.rows, read.report.rejected), (2, 1));
    assert_eq!(read.rejects[1][2], "the line is longer than 1 MiB");
}

#[test]
fn items_are_checked_like_those_of_a_request() {
    let read = read(
        Format::Items,
        "items.csv",
        "item,title,price,categories\nsku-1,Lamp,12.90,home|light\nsku-2,Torch,dear,\n",
    );
    let [Batch::ItemRows(items, Merge::Overwrite)] = &read.batches[..] else {
        panic!("{:?}", read.batches)
    };
    assert_eq!(items[0].patch.categories, Patch::Set(vec!["home".to_owned(), "light".to_owned()]));
    assert_eq!((items.len(), read.report.rejected), (1, 1));
    assert!(read.rejects[1][2].starts_with("price"));
}

#[test]
fn movielens_titles_may_be_latin_1() {
    let read = read(Format::Movielens, "movies.dat", b"1::Am\xe9lie::Comedy|Romance\n2::X\n");
    let [Batch::ItemRows(items, Merge::FillGaps)] = &read.batches[..] else {
        panic!("{:?}", read.batches)
    };
    assert_eq!(items[0].patch.title, Patch::Set("Amélie".to_owned()));
    assert_eq!(read.rejects[1][1], "2");
}

#[test]
fn a_file_of_another_format_is_refused_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    fs::write(&path, "a,b\n1,2\n").unwrap();
    let sources = Sources::new(std::slice::from_ref(&path), false).unwrap();
    let (sender, _receiver) = mpsc::channel(1);
    let rejects = Rejects::new(folder.path().join("rejects.csv")).unwrap();
    let rules =
        FormRules { currency: "GBP".parse().unwrap(), now: Timestamp(0), future_skew_max_ms: 0 };
    let mut feed = Feed::new(sender, rejects, rules);
    let refused = movielens::read(&mut feed, sources.open(&path).unwrap());
    assert!(matches!(refused, Err(ImportError::Layout { .. })));
    let refused = online_retail::read(
        &mut feed,
        sources.open(&path).unwrap(),
        &mut retail_catalogue::Catalogue::default(),
    );
    assert!(refused.unwrap_err().to_string().contains("no column InvoiceNo"));
}

#[test]
fn rejected_rows_never_overwrite_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv");
    fs::write(&path, "type\n").unwrap();
    let paths = [path.clone()];
    let refused = check_rejects_path(&folder.path().join(".").join("events.csv"), &paths);
    assert!(matches!(refused, Err(ImportError::RejectsAreInput { .. })));
    assert!(check_rejects_path(&folder.path().join("rejects.csv"), &paths).is_ok());
    assert_eq!(default_rejects_path(&paths), Path::new("events.csv.rejects.csv"));
}
