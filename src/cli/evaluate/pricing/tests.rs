use super::*;
use std::fs;

/// What is measured on a file of this content, printed and as JSON; or why it is not.
fn measured(content: &str) -> Result<(String, Value), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    fs::write(&path, content).unwrap();
    let arguments = PricingArguments {
        data: Some(path.clone()),
        held_out_weeks: 3,
        seeds: 1,
        units: vec![],
        spread: 1.3,
        histories: 10,
        threads: None,
    };
    let report = of_file(&path, &arguments).map_err(|error| format!("{error:#}"))?;
    Ok((report.to_string(), serde_json::to_value(&report).unwrap()))
}

fn lines(header: &str, line: impl Fn(u32) -> String, n: u32) -> String {
    let lines: String = (0..n).map(|at| line(at) + "\n").collect();
    format!("{header}\n{lines}")
}

#[test]
fn a_file_is_known_by_its_header_and_one_that_is_not_is_told_which_are() {
    let error = measured("user,item\n1,2\n").unwrap_err();
    assert!(error.contains("the header names `user,item`"), "{error}");
    assert!(error.contains("RETAILER,VOLUME,DISP,PRICE"), "{error}");
    assert!(measured("").unwrap_err().ends_with("there is nothing in the file"));
    let error = measured("sales,price,brand,feat\n1,2,apple,0\n").unwrap_err();
    assert!(error.ends_with("line 2: the brand `apple` is none of the three brands"), "{error}");
    let error = measured("RETAILER,VOLUME,DISP,PRICE\na,1,0,0\n").unwrap_err();
    assert!(error.ends_with("line 2: the PRICE `0` is not above 0"), "{error}");
}

#[test]
fn cheese_is_printed_beside_what_was_published() {
    let line = |at: u32| {
        let (retailer, price) = (at % 3, 2.0 + 0.1 * f64::from(at % 7));
        let noise = f64::from(at * 7_919 % 13) / 100.0;
        let volume = 100.0 * price.powf(-2.0 - f64::from(retailer)) * (1.0 + noise);
        format!("shop {retailer},{volume},{},{price}", f64::from(at % 5) / 5.0)
    };
    let (text, json) = measured(&lines("RETAILER,VOLUME,DISP,PRICE", line, 90)).unwrap();
    assert!(text.starts_with("sliced cheese") && text.contains("0.5600  differs"), "{text}");
    assert_eq!(json["results"]["retailers"], 3);
    assert_eq!(json["results"]["positive"], 0);
    assert_eq!(json["protocol"]["file"]["rows"], 90);
    let first = json["results"]["slopes"][0].as_f64().unwrap();
    assert!((first + 2.0).abs() < 0.5, "{first}");
}

#[test]
fn invoices_become_elasticities_and_foreseen_weeks() {
    let line = |at: u32| {
        let (item, day) = (at % 20, at / 20);
        let price = if (day / 7 + item).is_multiple_of(3) { 2.0 } else { 3.0 };
        let units = if price < 2.5 { 4 } else { 2 };
        let date = jiff::civil::date(2011, 1, 1).saturating_add(jiff::Span::new().days(day));
        format!("{at},{},{units},{date} 10:00:00,{price}", 10_000 + item)
    };
    let header = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice";
    let content = lines(header, line, 20 * 28 * 5)
        + "C1,10000,-1,2011-01-03 10:00:00,2\n9,POST,1,2011-01-03 10:00:00,2\n";
    let (text, json) = measured(&content).unwrap();
    let counts = &json["results"]["counts"];
    assert_eq!([&counts["returns"], &counts["not_sales"], &counts["items"]], [1, 1, 20]);
    let held_out = &json["results"]["held_out"];
    assert_eq!(held_out["foreseen"][2]["verdict"], "ours is better", "{text}");
    let shop = json["results"]["elasticities"]["shop"]["mean"].as_f64().unwrap();
    // Twice the units at two thirds of the price are ln 2 / ln (2/3) = -1.71. The shop, of which there is but this one
    // category, is believed half-way between that and the -2.5 of the prior.
    assert!((shop + 2.1).abs() < 0.15, "{shop}");
    assert!(text.contains("no price"), "{text}");
}

#[test]
fn what_is_made_up_is_printed_for_every_policy_and_volume() {
    let params =
        ArenaParams { n_items: 20, n_categories: 2, decision_weeks: 4, ..ArenaParams::default() };
    let report = made_up::measure(&params, 2, &[2.0, 9.0], 10).unwrap();
    let (text, json) = (report.to_string(), serde_json::to_value(&report).unwrap());
    let shop = json["results"]["shop"].as_array().unwrap();
    assert_eq!(shop.len(), 18);
    assert_eq!(shop[9]["units_per_week"], 9.0);
    let ours = format!("{:.4}", shop[8]["share"]["mean"].as_f64().unwrap());
    let line = text.lines().find(|line| line.starts_with("ours ")).unwrap();
    assert!(line.contains(&ours), "{line} without {ours}");
    assert_eq!(json["results"]["slow_sellers"][1]["units_per_week"], 1.0);
}
