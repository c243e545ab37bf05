//! The catalogue fields that a filter may name.

use std::fmt;

/// A field of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Text(TextField),
    Whole(WholeField),
    Ratio(RatioField),
    Flag(FlagField),
    /// The value at this path of the item's attributes.
    Attribute(Box<[Box<str>]>),
}

/// Fields that hold text: one, or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TextField {
    Item,
    Title,
    Brand,
    Group,
    Category,
    Tag,
}

/// Fields that hold a whole number: money in minor units, pieces, days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WholeField {
    Price,
    ListPrice,
    Cost,
    Stock,
    LeadTimeDays,
    AgeDays,
}

/// Fields that are one amount divided by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RatioField {
    Margin,
    Discount,
}

/// Fields that are true or false; what the merchant does not say has a meaning of its own, so none is ever missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FlagField {
    /// Whether the merchant lets the item be shown; unknown means yes.
    Available,
    /// Whether the merchant promotes it; unknown means no.
    Promoted,
}

/// What a field can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldType {
    Text,
    Money,
    Number,
    Flag,
    /// Whatever the merchant stored.
    Any,
}

impl FieldType {
    /// The type as the predicate of a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Money => "an amount of money",
            Self::Number => "a number",
            Self::Flag => "true or false",
            Self::Any => "any value",
        }
    }
}

/// What begins the name of an attribute.
pub(super) const ATTRIBUTES: &str = "attributes";

/// Every name of a field but the attributes', the one to write first.
const NAMES: [(&str, Field); 18] = [
    ("item", Field::Text(TextField::Item)),
    ("title", Field::Text(TextField::Title)),
    ("brand", Field::Text(TextField::Brand)),
    ("category", Field::Text(TextField::Category)),
    ("categories", Field::Text(TextField::Category)),
    ("tag", Field::Text(TextField::Tag)),
    ("tags", Field::Text(TextField::Tag)),
    ("price", Field::Whole(WholeField::Price)),
    ("list_price", Field::Whole(WholeField::ListPrice)),
    ("cost", Field::Whole(WholeField::Cost)),
    ("margin", Field::Ratio(RatioField::Margin)),
    ("discount", Field::Ratio(RatioField::Discount)),
    ("stock", Field::Whole(WholeField::Stock)),
    ("available", Field::Flag(FlagField::Available)),
    ("promoted", Field::Flag(FlagField::Promoted)),
    ("group", Field::Text(TextField::Group)),
    ("lead_time_days", Field::Whole(WholeField::LeadTimeDays)),
    ("age_days", Field::Whole(WholeField::AgeDays)),
];

/// Names that other systems and other words give to our fields.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("id", "item"),
    ("sku", "item"),
    ("item_id", "item"),
    ("product_id", "item"),
    ("name", "title"),
    ("manufacturer", "brand"),
    ("label", "tag"),
    ("inventory", "stock"),
    ("quantity", "stock"),
    ("in_stock", "stock"),
    ("sale", "discount"),
    ("age", "age_days"),
];

impl Field {
    /// The field of this name, attributes excepted.
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, field)| field.clone())
    }

    /// What it can be compared with.
    pub(super) fn field_type(&self) -> FieldType {
        match self {
            Self::Text(_) => FieldType::Text,
            Self::Whole(WholeField::Price | WholeField::ListPrice | WholeField::Cost) => {
                FieldType::Money
            }
            Self::Whole(_) | Self::Ratio(_) => FieldType::Number,
            Self::Flag(_) => FieldType::Flag,
            Self::Attribute(_) => FieldType::Any,
        }
    }

    /// Its name, without an attribute's path.
    pub(super) fn name(&self) -> &'static str {
        NAMES.iter().find(|(_, field)| field == self).map_or(ATTRIBUTES, |(name, _)| name)
    }
}

impl fmt::Display for Field {
    /// For messages; the canonical text quotes an attribute's path where it must.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Self::Attribute(path) = self {
            path.iter().try_for_each(|key| write!(f, ".{key}"))?;
        }
        Ok(())
    }
}

/// Says that there is no field of this name, and which one may be meant.
pub(super) fn unknown_field(name: &str) -> String {
    let name: String = name.chars().take(40).collect();
    let lowered = name.to_ascii_lowercase();
    let synonym = OTHER_NAMES.iter().find(|(other, _)| *other == lowered).map(|(_, ours)| *ours);
    let nearest = || {
        let known = NAMES.iter().map(|(known, _)| *known).chain([ATTRIBUTES]);
        // A third of the letters may be wrong: enough for a slip or two, too few to turn one word
        // into another.
        let (distance, known) =
            known.map(|known| (edit_distance(&lowered, known), known)).min_by_key(|near| near.0)?;
        (distance <= (known.len() / 3).max(1)).then_some(known)
    };
    match synonym.or_else(nearest) {
        Some(known) => format!("unknown field `{name}`; did you mean `{known}`?"),
        None => format!(
            "unknown field `{name}`; fields are item, title, brand, category, tag, price, list_price, \
             cost, margin, discount, stock, available, promoted, group, lead_time_days, age_days \
             and attributes.NAME",
        ),
    }
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `left` into `right`: the
/// optimal string alignment distance (Boytsov, "Indexing methods for approximate dictionary
/// searching", ACM JEA 16, 2011, section 2).
fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut present = vec![row; right.len() + 1];
        for column in 1..=right.len() {
            let is_same = left[row - 1] == right[column - 1];
            let changed = last[column - 1] + usize::from(!is_same);
            present[column] = changed.min(last[column] + 1).min(present[column - 1] + 1);
            let is_swap = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if is_swap {
                present[column] = present[column].min(before_last[column - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, present);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_field_and_back() {
        for (name, field) in &NAMES {
            assert_eq!(Field::named(name).as_ref(), Some(field));
            assert_eq!(Field::named(field.name()).as_ref(), Some(field));
        }
        assert_eq!(Field::named("categories").unwrap().name(), "category");
        for (_, ours) in OTHER_NAMES {
            assert!(Field::named(ours).is_some());
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        for (slip, meant) in [
            ("prise", "price"),
            ("listPrice", "list_price"),
            ("barnd", "brand"),
            ("Categorys", "category"),
            ("SKU", "item"),
            ("leadtime_days", "lead_time_days"),
            ("atributes", "attributes"),
        ] {
            let message = unknown_field(slip);
            assert_eq!(message, format!("unknown field `{slip}`; did you mean `{meant}`?"));
        }
        assert!(unknown_field("colour").contains("attributes.NAME"));
        assert_eq!(edit_distance("prcie", "price"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
    }
}
