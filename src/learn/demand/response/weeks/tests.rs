//! Panels built from records, by hand.

use super::*;
use crate::domain::time::{DAY_MS, HOUR_MS};
use crate::learn::{
    demand::response::{ResponseParams, fit},
    recommenders::NEVER_STOP,
};
use proptest::prelude::*;

fn day(day: f64) -> Timestamp {
    Timestamp((day * DAY_MS as f64) as i64)
}

fn sale(item: u32, at: f64, units: f64) -> SaleRecord {
    SaleRecord { item, at: day(at), units, unit_price: Some(10.0) }
}

fn spell(from: f64, to: Option<f64>, price: f64) -> PriceSpell {
    let (from, to) = (day(from), to.map(day));
    PriceSpell { item: 0, from, to, price, randomised: None, is_decided: false }
}

/// Something that held of the first item.
fn held(from: f64, to: Option<f64>) -> Spell {
    Spell { item: 0, from: day(from), to: to.map(day) }
}

const WEEKS: Periods = Periods { start: Timestamp(0), length_ms: 7 * DAY_MS, n_periods: 3 };

fn rows(panel: &Panel, item: usize) -> Vec<(usize, f64, f64, f64, f64)> {
    let reference = panel.reference(item).log_price;
    let row = |row: crate::learn::demand::response::panel::Row| {
        let price = (reference + row.log_price).exp();
        (row.period, row.units, price, row.log_exposure.exp(), row.promotion)
    };
    panel.rows(item).iter().map(row).collect()
}

fn assert_rows(found: &[(usize, f64, f64, f64, f64)], expected: &[(usize, f64, f64, f64, f64)]) {
    let close = |a: f64, b: f64| (a - b).abs() < 1e-5 * b.abs().max(1.0);
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| {
            a.0 == b.0 && close(a.1, b.1) && close(a.2, b.2) && close(a.3, b.3) && close(a.4, b.4)
        });
    assert!(same, "{found:?} is not {expected:?}");
}

#[test]
fn a_week_has_the_price_and_the_stock_of_its_days() {
    let history = History {
        prices: &[spell(10.0, None, 8.0), spell(2.0, None, 10.0)],
        sales: &[
            sale(0, 1.0, 9.0),
            sale(0, 3.0, 1.0),
            sale(0, 8.0, 2.0),
            sale(0, 18.0, 1.0),
            sale(0, 20.5, 3.0),
        ],
        sold_out: &[held(16.0, Some(19.0)), held(15.0, Some(17.5))],
        promoted: &[held(12.0, None), held(10.0, Some(13.0))],
        ..History::default()
    };
    let (panel, counts) = build(&history, &[None], &WEEKS);
    // Days 2 to 7 at 10; days 7 to 10 at 10 and 10 to 14 at 8; days 14, 19, 20 at 8.
    let mean = (3.0 / 7.0 * 10.0_f64.ln() + 4.0 / 7.0 * 8.0_f64.ln()).exp();
    assert_rows(
        &rows(&panel, 0),
        &[
            (0, 1.0, 10.0, 5.0 / 7.0, 0.0),
            (1, 2.0, mean, 1.0, 4.0 / 7.0),
            (2, 3.0, 8.0, 3.0 / 7.0, 1.0),
        ],
    );
    let expected = Counts {
        counted: 3,
        off_sale: 2,
        periods_partly_sold_out: 1,
        periods_promoted: 2,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn without_a_ledger_orders_tell_prices_from_the_first_to_the_last() {
    let at = |at: f64, units: f64, price: f64| SaleRecord {
        unit_price: Some(price),
        ..sale(0, at, units)
    };
    let history = History {
        sales: &[at(9.0, 2.0, 8.0), at(3.5, 5.0, 10.0), at(4.0, 1.0, 10.0)],
        ..History::default()
    };
    let (panel, counts) = build(&history, &[None], &WEEKS);
    assert_rows(&rows(&panel, 0), &[(0, 1.0, 10.0, 0.5, 0.0), (1, 2.0, 8.0, 1.0, 0.0)]);
    assert_eq!((counts.first, counts.counted), (1, 2));
}

#[test]
fn a_giant_order_counts_for_less_and_odd_ones_for_nothing() {
    let mut sales: Vec<SaleRecord> = (0..20).map(|at| sale(0, 0.5 + f64::from(at), 1.0)).collect();
    sales.push(sale(0, 8.0, 1_000.0));
    sales.push(sale(0, 8.0, -1.0));
    sales.push(sale(0, 8.0, f64::NAN));
    sales.push(sale(0, 8.0, 0.0));
    sales.push(sale(1, 8.0, 1.0));
    sales.push(sale(0, -1.0, 1.0));
    sales.push(sale(0, 21.0, 1.0));
    let prices = [spell(-50.0, None, 10.0), spell(5.0, None, f64::NAN)];
    let history = History { sales: &sales, prices: &prices, ..History::default() };
    let (panel, counts) = build(&history, &[None], &WEEKS);
    let expected = Counts {
        counted: 21,
        winsorised: 1,
        returns: 1,
        refused: 3,
        outside: 2,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
    // Seven orders of one in each week but the last, which has six; the giant counts as five medians.
    let units: Vec<f64> = panel.rows(0).iter().map(|row| row.units).collect();
    assert_eq!(units, [7.0, 12.0, 6.0]);
    assert!(order_cap(&[]).is_infinite());
    let is = |units: &[f64], cap: f64| assert!((order_cap(units) - cap).abs() < 1e-9, "{cap}");
    is(&[1.0, 2.0], 5.0);
    is(&[2.0, 30.0, 40.0, 90.0], 150.0);
    let many: Vec<f64> = (0..1_000).map(f64::from).collect();
    is(&many, 2_495.0_f64.max(994.0));
}

#[test]
fn lotteries_and_competitors_are_told_of_whole_weeks() {
    let lottery = |expected| Some(Randomised { expected_price: Some(expected) });
    let prices = [
        PriceSpell { randomised: lottery(10.0), ..spell(0.0, None, 11.0) },
        PriceSpell { randomised: lottery(12.0), ..spell(3.5, None, 11.0) },
        PriceSpell { is_decided: true, ..spell(8.0, Some(12.0), 10.0) },
        spell(12.0, None, 10.0),
    ];
    let competitor = |from: f64, to: Option<f64>, price| CompetitorSpell {
        item: 0,
        from: day(from),
        to: to.map(day),
        price,
    };
    let competitors =
        [competitor(0.0, None, 4.0), competitor(3.5, Some(9.0), 9.0), competitor(9.0, None, -1.0)];
    let history = History { prices: &prices, competitors: &competitors, ..History::default() };
    let (panel, _) = build(&history, &[None], &WEEKS);
    let rows: Vec<_> = panel.rows(0).iter().collect();
    assert_eq!(rows.iter().map(|row| row.is_decided).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(rows.iter().map(|row| row.is_randomised).collect::<Vec<_>>(), [true, false, false]);
    let expected = (11.0 / 120.0_f64.sqrt()).ln();
    assert!((rows[0].price_shock - expected).abs() < 1e-6);
    assert_eq!(rows.iter().map(|row| row.has_competitor).collect::<Vec<_>>(), [true, false, false]);
    assert!((panel.reference(0).log_competitor.unwrap() - 6.0_f64.ln()).abs() < 1e-6);
}

#[test]
fn nothing_makes_an_empty_panel() {
    let (panel, counts) = build(&History::default(), &[], &WEEKS);
    assert_eq!((panel.n_rows(), counts), (0, Counts::default()));
    let none = Periods { length_ms: 0, ..WEEKS };
    assert_eq!(build(&History::default(), &[None], &none).0.n_rows(), 0);
    let history = History {
        prices: &[spell(0.0, None, 1.0)],
        sold_out: &[held(-9.0, None)],
        ..History::default()
    };
    assert_eq!(build(&history, &[None], &WEEKS).0.n_rows(), 0);
}

#[test]
fn a_week_that_was_sold_out_is_no_week_without_demand() {
    let sales = [sale(0, 1.0, 4.0), sale(0, 8.0, 1.0), sale(0, 15.0, 4.0), sale(1, 8.0, 1.0)];
    let cup = PriceSpell { item: 1, ..spell(0.0, None, 10.0) };
    let of = |sold_out: &[Spell]| {
        let prices = &[spell(0.0, None, 10.0), cup];
        let history = History { sales: &sales, prices, sold_out, ..History::default() };
        build(&history, &[None, None], &WEEKS)
    };
    let (panel, counts) = of(&[held(7.0, Some(14.0))]);
    assert_rows(&rows(&panel, 0), &[(0, 4.0, 10.0, 1.0, 0.0), (2, 4.0, 10.0, 1.0, 0.0)]);
    assert_eq!((panel.left_out(0), panel.left_out(1)), (1, 0));
    assert_eq!((panel.n_rows(), panel.refusals().sold_out), (5, 1));
    assert_eq!((counts.periods_sold_out, counts.periods_partly_sold_out), (1, 0));
    assert_eq!((counts.counted, counts.off_sale), (3, 1));
    // An hour on sale says no more, two hours do.
    let hour = 1.0 / 24.0;
    let nearly = of(&[held(7.0 + hour, Some(14.0))]);
    assert_eq!((nearly.0.n_rows(), nearly.1.periods_sold_out), (5, 1));
    let partly = of(&[held(7.0 + 2.0 * hour, Some(14.0))]);
    assert_eq!((partly.0.n_rows(), partly.1.periods_sold_out), (6, 0));
    assert_eq!(partly.1.periods_partly_sold_out, 1);
    // Before it had a price there was nothing to sell out.
    let (panel, counts) = of(&[]);
    assert_eq!((panel.n_rows(), counts.periods_sold_out), (6, 0));
    let history = History {
        prices: &[spell(14.0, None, 10.0)],
        sold_out: &[held(0.0, Some(7.0))],
        ..History::default()
    };
    let (panel, counts) = build(&history, &[None], &WEEKS);
    assert_eq!((panel.n_rows(), panel.left_out(0), counts.periods_sold_out), (1, 0, 0));
}

proptest! {
    #[test]
    fn exposure_and_promotion_are_shares_of_the_hours(
        price in (0_i64..504, 1_i64..504),
        outs in prop::collection::vec((-50_i64..550, 0_i64..120, any::<bool>()), 0..6),
        moves in prop::collection::vec((-50_i64..550, 0_i64..120, any::<bool>()), 0..6),
    ) {
        let hour = |hour: i64| Timestamp(hour * HOUR_MS);
        let spells = |rows: &[(i64, i64, bool)]| -> Vec<Spell> {
            let spell = |&(from, length, is_open): &(i64, i64, bool)| Spell {
                item: 0,
                from: hour(from),
                to: (!is_open).then(|| hour(from + length)),
            };
            rows.iter().map(spell).collect()
        };
        let (sold_out, promoted) = (spells(&outs), spells(&moves));
        let prices = [PriceSpell {
            from: hour(price.0),
            to: Some(hour(price.0 + price.1)),
            ..spell(0.0, None, 10.0)
        }];
        let history = History {
            prices: &prices,
            sold_out: &sold_out,
            promoted: &promoted,
            ..History::default()
        };
        let (panel, counts) = build(&history, &[None], &WEEKS);
        let holds = |spells: &[Spell], at: i64| {
            let within =
                |spell: &Spell| spell.from <= hour(at) && spell.to.is_none_or(|to| hour(at) < to);
            spells.iter().any(within)
        };
        let has_price = |at: &i64| (price.0..price.0 + price.1).contains(at);
        let (mut expected, mut left_out) = (vec![], 0);
        for week in 0..3 {
            let priced: Vec<i64> =
                (168 * week..168 * (week + 1)).filter(has_price).collect();
            let on_sale: Vec<i64> =
                priced.iter().copied().filter(|&at| !holds(&sold_out, at)).collect();
            let n = on_sale.iter().filter(|&&at| holds(&promoted, at)).count() as f64;
            let hours = on_sale.len() as f64;
            if hours >= 2.0 {
                expected.push((week as usize, 0.0, 10.0, hours / 168.0, n / hours));
            } else if on_sale.len() < priced.len() {
                left_out += 1;
            }
        }
        assert_rows(&rows(&panel, 0), &expected);
        prop_assert_eq!(panel.left_out(0), left_out);
        prop_assert_eq!(counts.periods_sold_out, u64::from(left_out));
    }
}

/// The elasticity that is learned of one of 20 items at 12.00 and 8.00 in turn, which sell 20·(10/p)^3.5 in a week.
/// Cut to 8.00, they are promoted every other time, which sells `lift` times as much, and are sold out after the first
/// `share` of the week.
fn learned(share: f64, lift: f64, records: impl Fn(&[Spell], &[Spell]) -> [Vec<Spell>; 2]) -> f64 {
    const N_WEEKS: u32 = 24;
    let (mut sales, mut prices, mut sold_out, mut promoted) = (vec![], vec![], vec![], vec![]);
    for item in 0..20 {
        for week in 0..N_WEEKS {
            let (start, end) = (7.0 * f64::from(week), 7.0 * f64::from(week + 1));
            let is_cut = (item + week) % 2 == 0;
            let is_promoted = is_cut && (item + week) % 4 == 0;
            let price: f64 = if is_cut { 8.0 } else { 12.0 };
            let mut units = 20.0 * (10.0 / price).powf(3.5);
            if is_cut {
                units *= share;
                let from = start + 7.0 * share;
                sold_out.push(Spell { item, from: day(from), to: Some(day(end)) });
            }
            if is_promoted {
                units *= lift;
                promoted.push(Spell { item, from: day(start), to: Some(day(end)) });
            }
            prices.push(PriceSpell { item, ..spell(start, None, price) });
            sales.push(sale(item, start + 0.1, units));
        }
    }
    let [sold_out, promoted] = records(&sold_out, &promoted);
    let history = History {
        sales: &sales,
        prices: &prices,
        sold_out: &sold_out,
        promoted: &promoted,
        ..History::default()
    };
    let periods = Periods { n_periods: N_WEEKS as usize, ..WEEKS };
    let (panel, _) = build(&history, &[Some(0); 20], &periods);
    let response = fit(&panel, &ResponseParams::default(), NEVER_STOP).unwrap();
    response.elasticity(7).unwrap().mean
}

#[test]
fn recorded_stock_outs_and_promotions_keep_them_from_passing_for_the_price() {
    // Before any sale, -2.5 is believed.
    let is_true = |found: f64| assert!((found + 3.5).abs() < 0.15, "{found}");
    is_true(learned(0.4, 1.0, |sold_out, _| [sold_out.to_vec(), vec![]]));
    is_true(learned(1.0, 2.0, |_, promoted| [vec![], promoted.to_vec()]));
    is_true(learned(0.4, 2.0, |sold_out, promoted| [sold_out.to_vec(), promoted.to_vec()]));
    // Not recorded, an item that sells out when it is cheap seems to answer less to its price: the logarithm of
    // 0.4·1.5^3.5 over that of 1.5 is 1.24. What a promotion sells seems to be the price's doing: 1.5·1.5^3.5 gives
    // 4.5.
    let unknown = |_: &[Spell], _: &[Spell]| [vec![], vec![]];
    let (sold_out, promoted) = (learned(0.4, 1.0, unknown), learned(1.0, 2.0, unknown));
    assert!(sold_out > -1.6 && promoted < -4.0, "{sold_out} {promoted}");
}
