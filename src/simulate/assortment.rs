//! What kinds of things the shop sells, and when each is wanted.

use crate::domain::{Timestamp, time::DAY_MS};
use std::f64::consts::TAU;

/// Days of a year.
const YEAR_DAYS: f64 = 365.25;

/// One kind of thing. Amounts are minor units.
#[derive(Debug)]
pub(super) struct Category {
    /// Begins the ids of its items.
    pub(super) slug: &'static str,
    /// Name for people.
    pub(super) name: &'static str,
    /// The larger category around it.
    pub(super) department: &'static str,
    /// First, second and last word of a title.
    pub(super) words: [&'static [&'static str]; 3],
    /// Median list price.
    pub(super) price_median: f64,
    /// Standard deviation of the logarithm of the list price.
    pub(super) price_spread: f64,
    /// Day of the year when it is wanted most.
    pub(super) peak_day: f64,
    /// How far the year moves demand up and down, as a part of it; below 1.
    pub(super) swing: f64,
    /// Demand at a weekend relative to a working day.
    pub(super) weekend: f64,
    /// Whether the same shopper buys the same thing again.
    pub(super) used_up: bool,
    /// Slug of the category that is often bought along with it.
    pub(super) goes_with: &'static str,
}

impl Category {
    /// Demand at `time` relative to the yearly mean of a working day.
    pub(super) fn season(&self, time: Timestamp) -> f64 {
        let day = time.0.div_euclid(DAY_MS);
        let angle = (day as f64 - self.peak_day) / YEAR_DAYS * TAU;
        let week = if is_weekend(day) { self.weekend } else { 1.0 };
        (1.0 + self.swing * angle.cos()) * week
    }
}

/// Whether a day, counted from 1970-01-01 (a Thursday), is a Saturday or a Sunday.
pub(super) fn is_weekend(day: i64) -> bool {
    matches!((day + 4).rem_euclid(7), 0 | 6)
}

const COLOURS: &[&str] =
    &["Blue", "Green", "White", "Black", "Red", "Grey", "Yellow", "Rose", "Sand", "Teal", "Plum"];
const MOODS: &[&str] = &[
    "Organic", "Mild", "Strong", "Winter", "Summer", "Morning", "Evening", "Garden", "Forest",
    "Mountain", "House",
];

/// Everything the shop sells.
pub(super) const CATEGORIES: [Category; 12] = [
    Category {
        slug: "mug",
        name: "Mugs",
        department: "Kitchen",
        words: [COLOURS, &["enamel", "stoneware", "porcelain", "glass"], &["mug", "cup", "beaker"]],
        price_median: 1_300.0,
        price_spread: 0.35,
        peak_day: 345.0,
        swing: 0.35,
        weekend: 1.1,
        used_up: false,
        goes_with: "tea",
    },
    Category {
        slug: "tea",
        name: "Tea",
        department: "Kitchen",
        words: [MOODS, &["Assam", "mint", "rooibos", "jasmine"], &["tea", "tea bags", "tea tin"]],
        price_median: 750.0,
        price_spread: 0.4,
        peak_day: 10.0,
        swing: 0.45,
        weekend: 1.0,
        used_up: true,
        goes_with: "mug",
    },
    Category {
        slug: "coffee",
        name: "Coffee",
        department: "Kitchen",
        words: [MOODS, &["arabica", "espresso", "filter"], &["coffee", "beans", "blend"]],
        price_median: 1_100.0,
        price_spread: 0.3,
        peak_day: 15.0,
        swing: 0.15,
        weekend: 0.9,
        used_up: true,
        goes_with: "mug",
    },
    Category {
        slug: "candle",
        name: "Candles",
        department: "Living",
        words: [MOODS, &["beeswax", "soy", "scented"], &["candle", "pillar candle", "tealights"]],
        price_median: 1_500.0,
        price_spread: 0.5,
        peak_day: 340.0,
        swing: 0.7,
        weekend: 1.2,
        used_up: true,
        goes_with: "lamp",
    },
    Category {
        slug: "cushion",
        name: "Cushions",
        department: "Living",
        words: [COLOURS, &["linen", "velvet", "wool", "cotton"], &["cushion", "pillow", "bolster"]],
        price_median: 2_600.0,
        price_spread: 0.4,
        peak_day: 300.0,
        swing: 0.3,
        weekend: 1.35,
        used_up: false,
        goes_with: "candle",
    },
    Category {
        slug: "lamp",
        name: "Lamps",
        department: "Living",
        words: [COLOURS, &["brass", "paper", "ceramic"], &["table lamp", "desk lamp", "lantern"]],
        price_median: 5_900.0,
        price_spread: 0.55,
        peak_day: 325.0,
        swing: 0.45,
        weekend: 1.4,
        used_up: false,
        goes_with: "cushion",
    },
    Category {
        slug: "towel",
        name: "Towels",
        department: "Bath",
        words: [COLOURS, &["cotton", "linen", "bamboo"], &["towel", "bath towel", "hand towel"]],
        price_median: 1_900.0,
        price_spread: 0.4,
        peak_day: 185.0,
        swing: 0.35,
        weekend: 1.1,
        used_up: false,
        goes_with: "soap",
    },
    Category {
        slug: "soap",
        name: "Soaps",
        department: "Bath",
        words: [MOODS, &["olive", "lavender", "cedar", "oat"], &["soap", "hand soap", "soap bar"]],
        price_median: 650.0,
        price_spread: 0.35,
        peak_day: 120.0,
        swing: 0.1,
        weekend: 0.95,
        used_up: true,
        goes_with: "towel",
    },
    Category {
        slug: "notebook",
        name: "Notebooks",
        department: "Desk",
        words: [COLOURS, &["linen", "dotted", "lined"], &["notebook", "journal", "sketchbook"]],
        price_median: 1_400.0,
        price_spread: 0.4,
        peak_day: 250.0,
        swing: 0.4,
        weekend: 0.8,
        used_up: true,
        goes_with: "pen",
    },
    Category {
        slug: "pen",
        name: "Pens",
        department: "Desk",
        words: [COLOURS, &["gel", "steel", "wooden"], &["pen", "fountain pen", "pencil set"]],
        price_median: 1_200.0,
        price_spread: 0.7,
        peak_day: 250.0,
        swing: 0.35,
        weekend: 0.8,
        used_up: false,
        goes_with: "notebook",
    },
    Category {
        slug: "pot",
        name: "Plant pots",
        department: "Garden",
        words: [COLOURS, &["terracotta", "concrete", "glazed"], &["plant pot", "planter", "bowl"]],
        price_median: 2_200.0,
        price_spread: 0.5,
        peak_day: 130.0,
        swing: 0.6,
        weekend: 1.45,
        used_up: false,
        goes_with: "seed",
    },
    Category {
        slug: "seed",
        name: "Seeds",
        department: "Garden",
        words: [MOODS, &["herb", "tomato", "flower", "salad"], &["seeds", "seed mix", "seed set"]],
        price_median: 480.0,
        price_spread: 0.35,
        peak_day: 90.0,
        swing: 0.8,
        weekend: 1.3,
        used_up: true,
        goes_with: "pot",
    },
];

/// Who makes the goods.
pub(super) const BRANDS: [&str; 16] = [
    "Norrland",
    "Bluewell",
    "Hazel & Co",
    "Atelier Mira",
    "Stonegate",
    "Little Fern",
    "Kesto",
    "Oldbridge",
    "Casa Lume",
    "Tidewater",
    "Papermoon",
    "Greenacre",
    "Havn",
    "Solis",
    "Twelve Oaks",
    "Marlow",
];

/// Style factors of goods and shoppers.
pub(super) const N_STYLES: usize = 4;

/// What each style factor is called at its low and its high end.
pub(super) const STYLES: [[&str; 2]; N_STYLES] =
    [["modern", "rustic"], ["plain", "colourful"], ["classic", "playful"], ["refined", "sturdy"]];
