//! Rows taken, refused and centred.

use super::*;

fn row(item: u32, period: u32, units: f64, price: f64) -> PanelRow {
    PanelRow {
        item,
        period,
        units,
        price,
        competitor: None,
        promotion: 0.0,
        exposure: 1.0,
        randomised: None,
        is_decided: false,
    }
}

#[test]
fn rows_in_any_order_make_the_same_panel() {
    let rows = [row(0, 0, 1.0, 2.0), row(0, 1, 0.0, 8.0), row(2, 1, 3.0, 5.0)];
    let build = |order: [usize; 3]| {
        let mut builder = PanelBuilder::new(3, 2);
        for at in order {
            builder.push(&rows[at]);
        }
        builder.build(&[Some(7), None, Some(7)])
    };
    let panel = build([0, 1, 2]);
    assert_eq!(panel, build([2, 0, 1]));
    assert_eq!((panel.n_items(), panel.n_periods(), panel.n_rows()), (3, 2, 3));
    assert_eq!(panel.categories(), [Some(7), None]);
    let of: Vec<usize> = (0..3).map(|item| panel.category_position(item)).collect();
    assert_eq!(of, [0, 1, 0]);
    // The geometric mean of 2 and 8 is 4, and each lies ln 2 from it; f32 holds 7 digits.
    assert!((panel.reference(0).log_price - 4.0_f64.ln()).abs() < 1e-6);
    let relative: Vec<f64> = panel.rows(0).iter().map(|row| row.log_price).collect();
    assert!((relative[0] + 2.0_f64.ln()).abs() < 1e-6 && (relative[0] + relative[1]).abs() < 1e-6);
    assert_eq!(panel.rows(1).len(), 0);
}

#[test]
fn a_missing_competitor_says_nothing() {
    let mut builder = PanelBuilder::new(1, 3);
    for (period, competitor) in [(0, Some(2.0)), (1, None), (2, Some(8.0))] {
        builder.push(&PanelRow { competitor, ..row(0, period, 1.0, 3.0) });
    }
    let panel = builder.build(&[None]);
    let seen: Vec<f64> = panel.rows(0).iter().map(|row| row.log_competitor).collect();
    assert!((seen[0] + seen[2]).abs() < 1e-6 && seen[1] == 0.0);
}

#[test]
fn a_random_price_is_measured_against_what_was_expected_of_it() {
    let mut builder = PanelBuilder::new(2, 2);
    let lottery = |expected_price| Some(Randomised { expected_price });
    builder.push(&PanelRow { randomised: lottery(Some(2.0)), ..row(0, 0, 1.0, 4.0) });
    builder.push(&row(0, 1, 1.0, 9.0));
    for (period, price) in [(0, 1.0), (1, 4.0)] {
        builder.push(&PanelRow { randomised: lottery(None), ..row(1, period, 1.0, price) });
    }
    let panel = builder.build(&[None; 2]);
    let shocks = |item| panel.rows(item).iter().map(|row| row.price_shock).collect::<Vec<_>>();
    let ln_2 = 2.0_f64.ln();
    assert!((shocks(0)[0] - ln_2).abs() < 1e-6 && shocks(0)[1] == 0.0);
    assert!((shocks(1)[0] + ln_2).abs() < 1e-6 && (shocks(1)[1] - ln_2).abs() < 1e-6);
}

#[test]
fn what_no_week_can_have_been_is_refused_and_counted() {
    let good = row(0, 0, 1.0, 2.0);
    let mut builder = PanelBuilder::new(1, 1);
    for bad in [
        PanelRow { item: 1, ..good },
        PanelRow { period: 1, ..good },
        PanelRow { price: 0.0, ..good },
        PanelRow { price: -1.0, ..good },
        PanelRow { price: f64::NAN, ..good },
        PanelRow { price: f64::INFINITY, ..good },
        PanelRow { units: -1.0, ..good },
        PanelRow { units: f64::NAN, ..good },
        PanelRow { units: f64::INFINITY, ..good },
        PanelRow { promotion: 2.0, ..good },
        PanelRow { exposure: f64::NAN, ..good },
        PanelRow { exposure: 0.0, ..good },
        PanelRow { competitor: Some(f64::NAN), ..good },
    ] {
        builder.push(&bad);
    }
    let panel = builder.build(&[None]);
    let expected =
        Refusals { position: 2, price: 4, units: 3, share: 2, sold_out: 1, competitor: 1 };
    assert_eq!(panel.refusals(), expected);
    assert_eq!((panel.n_rows(), panel.refusals().n_rows()), (1, 12));
    assert_eq!(PanelBuilder::new(0, 0).build(&[]).n_rows(), 0);
}
