//! The markets that are known, and those that the merchant adds or replaces.

use super::{AdvertisedMinimum, LawError, MarketLaw, NewGoods, Zone};
use serde::{Deserialize, Serialize};

/// The row that stands in for markets without one.
const CAREFUL: &str = "eu";

/// The law by market: the rows below, and the merchant's own, which replace those of the same name as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<MarketLaw>", into = "Vec<MarketLaw>")]
pub struct LawTable {
    careful: MarketLaw,
    others: Vec<MarketLaw>,
}

impl LawTable {
    /// The table with the merchant's rows laid over it.
    pub fn with(rows: Vec<MarketLaw>) -> Result<Self, LawError> {
        for (at, row) in rows.iter().enumerate() {
            row.check()?;
            if rows[..at].iter().any(|other| other.name == row.name) {
                return Err(LawError::Twice(row.name.clone()));
            }
        }
        let mut table = Self::default();
        for row in rows {
            if row.name == CAREFUL {
                table.careful = row;
            } else {
                table.others.retain(|other| other.name != row.name);
                table.others.push(row);
            }
        }
        Ok(table)
    }

    /// The law of a market; of one without a row that of `eu`, the careful choice.
    pub fn of(&self, market: &str) -> &MarketLaw {
        self.others.iter().find(|law| law.name == market).unwrap_or(&self.careful)
    }

    /// All rows, `eu` first.
    pub fn rows(&self) -> impl Iterator<Item = &MarketLaw> {
        [&self.careful].into_iter().chain(&self.others)
    }
}

impl Default for LawTable {
    fn default() -> Self {
        let (careful, others) = built_in();
        Self { careful, others }
    }
}

impl TryFrom<Vec<MarketLaw>> for LawTable {
    type Error = LawError;
    fn try_from(rows: Vec<MarketLaw>) -> Result<Self, LawError> {
        Self::with(rows)
    }
}

impl From<LawTable> for Vec<MarketLaw> {
    fn from(table: LawTable) -> Self {
        [table.careful].into_iter().chain(table.others).collect()
    }
}

const DIRECTIVE: &str = "Directive 98/6/EC, Article 6a, as inserted by Directive (EU) 2019/2161: \
    lowest price of at least 30 days. What the state lays down for new goods, perishables and growing reductions was \
    not looked up; the strict rule stands in until the merchant says otherwise.";

const FINLAND: &str = "Directive 98/6/EC, Article 6a, as inserted by Directive (EU) 2019/2161; growing reductions of \
    one campaign for up to 60 days (a law firm's page). New goods and perishables were not looked up; the strict rule \
    stands in until the merchant says otherwise.";

const HOUSE_RULE: &str = "No rule of this market on prior prices was looked up. That of the EU is kept as a rule of \
    the house, so that percentages stay honest; prior_days = 0 lifts it.";

/// The row that stands in for others, and the others.
fn built_in() -> (MarketLaw, Vec<MarketLaw>) {
    let row = |name: &str, zone: &str, basis: &str| MarketLaw {
        name: name.to_owned(),
        time_zone: Zone::named(zone).expect("a test finds the zone of every row"),
        prior_days: 30,
        new_goods: NewGoods::Wait,
        progressive_days: 0,
        perishables_exempt: false,
        advertised_minimum: AdvertisedMinimum::NeedsLegalBasis,
        legal_basis: None,
        basis: basis.to_owned(),
    };
    // The EU has several zones: the merchant's own market should have a row with its own.
    let careful = row(CAREFUL, "Europe/Brussels", DIRECTIVE);
    let others = vec![
        row("de", "Europe/Berlin", DIRECTIVE),
        MarketLaw { progressive_days: 60, ..row("fi", "Europe/Helsinki", FINLAND) },
        row("gb", "Europe/London", HOUSE_RULE),
        // Minimum advertised prices are judged by the rule of reason since Leegin (US Supreme Court 2007). Of the
        // zones of the US, that of New York.
        MarketLaw {
            advertised_minimum: AdvertisedMinimum::Allowed,
            ..row("us", "America/New_York", HOUSE_RULE)
        },
    ];
    (careful, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_row_is_sound_and_says_what_it_rests_on() {
        let table = LawTable::default();
        let names: Vec<&str> = table.rows().map(|law| &*law.name).collect();
        assert_eq!(names, ["eu", "de", "fi", "gb", "us"]);
        for law in table.rows() {
            assert_eq!(law.check(), Ok(()));
            assert_eq!(law.prior_days, 30);
            assert!(law.basis.len() > 80, "{}", law.name);
        }
        assert_eq!(table.of("fi").progressive_days, 60);
        assert_eq!(table.of("de").time_zone.name(), "Europe/Berlin");
        assert_eq!(table.of("nowhere").name, "eu");
    }

    #[test]
    fn advertised_minimums_need_a_legal_basis_but_in_the_us() {
        let table = LawTable::default();
        let may: Vec<bool> = table.rows().map(MarketLaw::may_keep_advertised_minimum).collect();
        assert_eq!(may, [false, false, false, false, true]);
        let own = MarketLaw {
            legal_basis: Some("selective distribution, opinion of 3 May".to_owned()),
            ..table.of("de").clone()
        };
        assert!(own.may_keep_advertised_minimum());
        let silent = MarketLaw { legal_basis: Some("  ".to_owned()), ..own };
        assert!(!silent.may_keep_advertised_minimum());
        assert_eq!(silent.check(), Err(LawError::LegalBasis("de".to_owned())));
    }

    #[test]
    fn a_merchants_row_replaces_one_and_takes_the_careful_side_where_it_is_silent() {
        let rows = r#"[
            {"name": "fi", "time_zone": "Europe/Helsinki", "new_goods": "time_on_sale", "prior_days": 30},
            {"name": "se", "time_zone": "Europe/Stockholm", "new_goods": {"days": 14}}
        ]"#;
        let table: LawTable = serde_json::from_str(rows).unwrap();
        assert_eq!(table.rows().count(), 6);
        assert_eq!(table.of("fi").new_goods, NewGoods::TimeOnSale);
        assert_eq!(table.of("fi").progressive_days, 0);
        let sweden = table.of("se");
        assert_eq!((sweden.prior_days, sweden.new_goods), (30, NewGoods::Days(14)));
        assert!(!sweden.may_keep_advertised_minimum());
        let again: LawTable =
            serde_json::from_str(&serde_json::to_string(&table).unwrap()).unwrap();
        for law in table.rows() {
            assert_eq!(again.of(&law.name), law);
        }
    }

    #[test]
    fn rows_that_contradict_themselves_are_refused() {
        let row = |text: &str| serde_json::from_str::<LawTable>(text).unwrap_err().to_string();
        let fi = r#"{"name": "fi", "time_zone": "Europe/Helsinki"}"#;
        assert!(row(&format!("[{fi}, {fi}]")).contains("twice"));
        assert!(row(r#"[{"name": "x", "time_zone": "Mars/Base"}]"#).contains("Mars/Base"));
        assert!(row(r#"[{"name": "", "time_zone": "Europe/Paris"}]"#).contains("empty"));
        let paris = r#""time_zone": "Europe/Paris""#;
        assert!(row(&format!(r#"[{{"name": "x", {paris}, "prior_day": 3}}]"#)).contains("unknown"));
        let long = row(&format!(r#"[{{"name": "x", {paris}, "prior_days": 367}}]"#));
        assert!(long.contains("prior_days") && long.contains("367"));
        let new = row(&format!(r#"[{{"name": "x", {paris}, "new_goods": {{"days": 30}}}}]"#));
        assert!(new.contains("new_goods") && new.contains("30"));
    }
}
