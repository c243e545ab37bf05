//! How freely the shop lets prices move.

/// The shop's rules for all items; ranges are checked with the settings they come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PricePolicy {
    /// Whether prices move at all; off until a shop turns it on.
    pub enabled: bool,
    /// Share of the list price that a doubling of demand adds, and a halving takes off; at least 0.
    pub sensitivity: f64,
    /// Lowest margin over cost, as a share of cost; at least 0.
    pub margin_floor: f64,
    /// Largest change within a day, as a share of the price in force a day ago; 0 to 1.
    pub step_max: f64,
}

impl Default for PricePolicy {
    fn default() -> Self {
        Self { enabled: false, sensitivity: 0.2, margin_floor: 0.05, step_max: 0.1 }
    }
}
