//! From the cells of a CSV row to the JSON that the forms read.

use serde_json::{Map, Number, Value};

const NUMBERS: &[&str] = &["quantity", "value", "stock", "lead_time_days"];
/// Text, or a number of seconds or milliseconds.
const TIMES: &[&str] = &["timestamp", "Timestamp", "time"];
const LISTS: &[&str] = &["categories", "tags"];
const BOOLEANS: &[&str] = &["available", "promoted"];
const OBJECTS: &[&str] = &["properties", "attributes"];

/// The object that a row stands for; an empty cell stands for a field that is left out.
pub(super) fn object(columns: &[String], cells: &[String]) -> Value {
    let fields = columns.iter().zip(cells).filter(|(_, cell)| !cell.trim().is_empty());
    Value::Object(
        fields.map(|(name, cell)| (name.clone(), value(name, cell))).collect::<Map<_, _>>(),
    )
}

/// A cell that is not what its column holds stays a string, which the form then complains about.
fn value(column: &str, cell: &str) -> Value {
    let is = |columns: &[&str]| columns.contains(&column);
    let text = || Value::from(cell);
    if is(NUMBERS) || is(TIMES) {
        return serde_json::from_str::<Number>(cell.trim()).map_or_else(|_| text(), Value::Number);
    }
    if is(LISTS) {
        let entries = cell.split('|').map(str::trim).filter(|entry| !entry.is_empty());
        return entries.collect();
    }
    if is(BOOLEANS) {
        return match cell.trim().to_ascii_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => text(),
        };
    }
    if is(OBJECTS) {
        return serde_json::from_str(cell).unwrap_or_else(|_| text());
    }
    text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_becomes_what_its_column_holds() {
        let row = [
            ("item", "007"),
            ("title", ""),
            ("price", "12.90"),
            ("stock", "3"),
            ("lead_time_days", "soon"),
            ("categories", "home | light|"),
            ("available", "FALSE"),
            ("promoted", "true"),
            ("attributes", r#"{"size": 1}"#),
            ("timestamp", "1323432000"),
            ("time", "2011-12-09T12:00:00Z"),
        ];
        let (columns, cells): (Vec<String>, Vec<String>) =
            row.map(|(name, cell)| (name.to_owned(), cell.to_owned())).into_iter().unzip();
        let expected = json!({
            "item": "007", "price": "12.90", "stock": 3, "lead_time_days": "soon",
            "categories": ["home", "light"], "available": false, "promoted": true, "attributes": {"size": 1},
            "timestamp": 1_323_432_000, "time": "2011-12-09T12:00:00Z",
        });
        assert_eq!(object(&columns, &cells), expected);
    }
}
