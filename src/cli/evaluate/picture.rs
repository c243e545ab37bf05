//! Accuracy against training time, one labelled point for each model, as SVG.
//!
//! Text stays text: the reader's fonts draw it, none need be installed here.

use super::report::Report;
use anyhow::anyhow;
use plotters::{
    prelude::{
        ChartBuilder, Circle, ErrorBar, IntoDrawingArea, IntoFont, IntoLogRange, RGBColor,
        SVGBackend, Text, WHITE,
    },
    style::{
        Color,
        text_anchor::{HPos, Pos, VPos},
    },
};

/// Width and height in pixels.
const SIZE: (u32, u32) = (900, 560);

/// Pixels of a letter: the mean width of a sans-serif font, and the height of a line.
const LETTER: (i32, i32) = (8, 16);

/// Size of a point, in pixels.
const RADIUS: i32 = 5;

/// Pixels between a point and its label.
const GAP: i32 = 10;

/// Shortest time that is told apart, in seconds.
const SECONDS_MIN: f64 = 1e-4;

/// What the horizontal axis says.
const AXIS: &str = "time to fit; bars are two standard errors";

const INK: RGBColor = RGBColor(0x1f, 0x2a, 0x44);
const POINT: RGBColor = RGBColor(0x1d, 0x5f, 0xa8);
const FAINT: RGBColor = RGBColor(0xdd, 0xe1, 0xe8);

/// A model's place.
#[derive(Clone, Debug)]
struct Point {
    label: String,
    seconds: f64,
    value: f64,
    error: f64,
}

/// Draws the headline metric of every model against its time to fit, with two standard errors each way.
pub(super) fn draw(report: &Report) -> anyhow::Result<String> {
    let metric = &report.headline.metric;
    let point = |result: &super::ModelResult| {
        Some(Point {
            label: result.model.to_owned(),
            seconds: result.fit_seconds.max(SECONDS_MIN),
            value: result.metric(metric).filter(|value| value.is_finite())?,
            error: 2.0 * result.standard_error(metric).unwrap_or_default(),
        })
    };
    let points: Vec<Point> = report.results.iter().filter_map(point).collect();
    let wish = if report.headline.is_higher_better { "more" } else { "less" };
    let mut svg = String::new();
    draw_points(&mut svg, &points, &format!("{metric} ({wish} is better)"))
        .map_err(|error| anyhow!("cannot draw the picture: {error}"))?;
    Ok(svg)
}

fn draw_points(
    svg: &mut String,
    points: &[Point],
    metric: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (low, high) = bounds(points);
    let (quickest, slowest) = times(points);
    let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&root)
        .margin(20)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d((quickest..slowest).log_scale(), low..high)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(FAINT)
        .max_light_lines(1)
        .light_line_style(WHITE)
        .axis_style(INK)
        .label_style(font(14))
        .axis_desc_style(font(15))
        .x_desc(AXIS)
        .y_desc(metric)
        .x_label_formatter(&|seconds| duration(*seconds))
        .y_label_formatter(&|value| format!("{value:.3}"))
        .draw()?;
    chart.draw_series(points.iter().filter(|point| point.error > 0.0).map(|point| {
        let Point { seconds, value, error, .. } = *point;
        let (from, to) = ((value - error).max(low), (value + error).min(high));
        ErrorBar::new_vertical(seconds, from, value, to, POINT.mix(0.6).stroke_width(1), 9)
    }))?;
    let circle = |point: &Point| Circle::new((point.seconds, point.value), RADIUS, POINT.filled());
    chart.draw_series(points.iter().map(circle))?;

    let places: Vec<(i32, i32)> =
        points.iter().map(|point| chart.backend_coord(&(point.seconds, point.value))).collect();
    let mut taken: Vec<Area> = places
        .iter()
        .map(|&(x, y)| Area { left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 })
        .collect();
    for (point, &place) in points.iter().zip(&places) {
        let (area, anchor, at) = label_place(&point.label, place, &taken);
        taken.push(area);
        root.draw(&Text::new(point.label.clone(), at, font(15).pos(anchor)))?;
    }
    root.present()?;
    Ok(())
}

/// Pixels that something covers.
#[derive(Clone, Copy, Debug)]
struct Area {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Area {
    /// Pixels that both cover.
    fn overlap(self, other: Self) -> i32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0) * height.max(0)
    }

    /// Pixels outside of the picture.
    fn outside(self) -> i32 {
        let (width, height) = (SIZE.0 as i32, SIZE.1 as i32);
        let whole = (self.right - self.left) * (self.bottom - self.top);
        whole - self.overlap(Self { left: 0, right: width, top: 0, bottom: height })
    }
}

/// Where a label covers least of what is there: right, left, above or below its point, in this order
/// where it makes no difference.
fn label_place(label: &str, (x, y): (i32, i32), taken: &[Area]) -> (Area, Pos, (i32, i32)) {
    let (width, height) = (LETTER.0 * label.chars().count() as i32, LETTER.1);
    let candidates = [
        (HPos::Left, VPos::Center, x + GAP, y),
        (HPos::Right, VPos::Center, x - GAP, y),
        (HPos::Center, VPos::Bottom, x, y - GAP),
        (HPos::Center, VPos::Top, x, y + GAP),
        (HPos::Left, VPos::Bottom, x + GAP, y - GAP),
        (HPos::Left, VPos::Top, x + GAP, y + GAP),
        (HPos::Right, VPos::Bottom, x - GAP, y - GAP),
        (HPos::Right, VPos::Top, x - GAP, y + GAP),
    ];
    let placed = candidates.map(|(h, v, x, y)| {
        let left = match h {
            HPos::Left => x,
            HPos::Center => x - width / 2,
            HPos::Right => x - width,
        };
        let top = match v {
            VPos::Top => y,
            VPos::Center => y - height / 2,
            VPos::Bottom => y - height,
        };
        let area = Area { left, right: left + width, top, bottom: top + height };
        (area, Pos::new(h, v), (x, y))
    });
    let covered = |(area, ..): &(Area, Pos, (i32, i32))| -> i32 {
        area.outside() + taken.iter().map(|other| area.overlap(*other)).sum::<i32>()
    };
    let first_of_least = placed.into_iter().min_by_key(covered);
    first_of_least.expect("there is a first place")
}

/// Least and greatest value with their errors, and a tenth more each way.
fn bounds(points: &[Point]) -> (f64, f64) {
    let low = points.iter().map(|point| point.value - point.error).fold(f64::INFINITY, f64::min);
    let high =
        points.iter().map(|point| point.value + point.error).fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, 1.0);
    }
    let room = ((high - low) / 10.0).max(1e-3);
    (low - room, high + room)
}

/// Least and greatest time, and a half more each way on the scale of logarithms.
fn times(points: &[Point]) -> (f64, f64) {
    let low = points.iter().map(|point| point.seconds).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.seconds).fold(0.0, f64::max);
    if low > high {
        return (0.1, 10.0);
    }
    let room = (high / low).powf(0.12).max(2.0);
    (low / room, high * room)
}

/// A time as people say it.
fn duration(seconds: f64) -> String {
    if seconds >= 1.0 {
        format!("{seconds} s")
    } else {
        // To the microsecond, so that no digits of rounding show.
        format!("{} ms", (seconds * 1e6).round() / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(label: &str, seconds: f64, value: f64, error: f64) -> Point {
        Point { label: label.into(), seconds, value, error }
    }

    fn drawn(points: &[Point]) -> String {
        let mut svg = String::new();
        draw_points(&mut svg, points, "ndcg@20 (more is better)").unwrap();
        svg
    }

    /// The middle of an error bar is a circle too, but smaller.
    fn n_points(svg: &str) -> usize {
        svg.matches(&format!("r=\"{RADIUS}\"")).count()
    }

    #[test]
    fn every_model_has_a_point_and_its_name() {
        let svg = drawn(&[
            point("popularity", 0.000_02, 0.1, 0.002),
            point("item_knn", 0.4, 0.22, 0.0),
            point("svd", 0.5, 0.22, 0.003),
        ]);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(n_points(&svg), 3);
        for text in ["popularity", "item_knn", "svd", AXIS, "ndcg@20 (more is better)"] {
            assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text}");
        }
    }

    #[test]
    fn a_single_point_and_none_can_be_drawn() {
        assert_eq!(n_points(&drawn(&[point("svd", 0.0001, 0.0, 0.0)])), 1);
        assert_eq!(n_points(&drawn(&[])), 0);
    }

    #[test]
    fn labels_of_close_points_do_not_cover_each_other() {
        let mut taken = Vec::new();
        for at in 0..3 {
            let (area, ..) = label_place("a_long_name", (400 + 4 * at, 300), &taken);
            assert!(taken.iter().all(|other| area.overlap(*other) == 0));
            taken.push(area);
        }
        let (area, ..) = label_place("a_long_name", (895, 300), &[]);
        assert_eq!(area.outside(), 0);
    }

    #[test]
    fn times_are_written_as_people_say_them() {
        assert_eq!(duration(0.001), "1 ms");
        assert_eq!(duration(0.1), "100 ms");
        assert_eq!(duration(20.0), "20 s");
    }
}
