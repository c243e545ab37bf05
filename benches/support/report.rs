//! What a bench prints: what it does while it does it, and a Markdown table at the end.

/// Rows of the table.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<[String; 5]>,
}

impl Report {
    /// Adds a row: what was measured, ours, what it is held against, and, if there is a goal, what
    /// was asked and whether it is met.
    pub(crate) fn row(
        &mut self,
        what: &str,
        (ours, limit): (String, String),
        ratio: Option<String>,
        goal: Option<(&str, bool)>,
    ) {
        let goal = goal.map_or("–".into(), |(goal, is_met)| {
            format!("{goal}: {}", if is_met { "met" } else { "MISSED" })
        });
        self.rows.push([what.into(), ours, limit, ratio.unwrap_or("–".into()), goal]);
    }

    /// Adds a row that is for information.
    pub(crate) fn fact(&mut self, what: &str, ours: String) {
        self.row(what, (ours, "–".into()), None, None);
    }

    /// Adds a row for a value that must stay below a limit, both in `unit`.
    pub(crate) fn below(&mut self, what: &str, ours: f64, limit: f64, unit: &str) {
        let shown = (format!("{ours:.2} {unit}"), format!("{limit} {unit}"));
        let is_met = ours < limit;
        self.row(what, shown, Some(format!("{:.2}", ours / limit)), Some(("< 1", is_met)));
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        say("\n| what | ours | limit | ratio | goal |\n| --- | --- | --- | --- | --- |");
        for row in &self.rows {
            say(format!("| {} |", row.join(" | ")));
        }
    }
}

/// Rates of two sides that took turns.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    pairs: Vec<(f64, f64)>,
}

impl Rounds {
    /// Adds a round, and prints it.
    pub(crate) fn add(&mut self, what: &str, ours: f64, other: f64) {
        self.pairs.push((ours, other));
        let (shown, n) = (ours / other, self.pairs.len());
        say(format!("{what}, round {n}: {} against {}: {shown:.2}", count(ours), count(other)));
    }

    /// How many rounds there were.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The median rate of our side.
    pub(crate) fn ours(&self) -> f64 {
        super::median(self.pairs.iter().map(|pair| pair.0))
    }

    /// The median rate of the other side.
    pub(crate) fn other(&self) -> f64 {
        super::median(self.pairs.iter().map(|pair| pair.1))
    }

    /// The median of the rounds' ratios.
    pub(crate) fn ratio(&self) -> f64 {
        super::median(self.ratios())
    }

    /// The median ratio with the least and the greatest.
    pub(crate) fn ratio_and_spread(&self) -> String {
        let least = self.ratios().fold(f64::INFINITY, f64::min);
        let greatest = self.ratios().fold(0.0, f64::max);
        format!("{:.2} ({least:.2} to {greatest:.2})", self.ratio())
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.pairs.iter().map(|(ours, other)| ours / other)
    }
}

/// Prints a line.
#[expect(clippy::print_stdout, reason = "a bench is there to print")]
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

/// Prints what the numbers were measured on.
pub(crate) fn say_where() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(2).collect();
    say(format!("{cores} cores, load before: {} (1 and 5 minutes)", load.join(", ")));
}

/// A whole number with commas.
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
