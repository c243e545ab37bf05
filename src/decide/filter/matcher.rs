//! A filter made ready to be asked about many items: it looks at an item and allocates nothing.

use super::{
    ItemView,
    expression::{Comparison, Expression, Operator},
    field::{Field, FieldType, FlagField, RatioField, TextField, WholeField},
    literal::{Decimal, Literal},
    needle::Needle,
};
use crate::domain::{Cents, time::DAY_MS};
use serde_json::Value;
use std::cmp::Ordering;

/// A compiled filter.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Constant(bool),
    Every(Box<[Self]>),
    Any(Box<[Self]>),
    Not(Box<Self>),
    Exists(Field),
    Text { field: TextField, test: TextTest, is_inverted: bool },
    Whole { field: WholeField, test: WholeTest, is_inverted: bool },
    Ratio { field: RatioField, operator: Operator, values: Box<[Decimal]> },
    Flag { field: FlagField, when_true: bool, when_false: bool },
    Attribute { path: Box<[Box<str>]>, test: AttributeTest, is_inverted: bool },
}

/// What one text of a field must be.
#[derive(Clone, Debug)]
pub(super) enum TextTest {
    /// One of these, sorted.
    OneOf(Box<[Box<str>]>),
    /// The whole text, or a part of it where the field holds only one, without regard to case.
    Like(Needle),
}

/// In which ranges a whole number must lie; ends belong to them; sorted, none overlaps another.
#[derive(Clone, Debug)]
pub(super) struct WholeTest(Box<[(i64, i64)]>);

/// What one value of an attribute must be.
#[derive(Clone, Debug)]
pub(super) enum AttributeTest {
    /// One of these.
    OneOf { texts: Box<[Box<str>]>, numbers: Box<[(Decimal, f64)]>, flags: Box<[bool]> },
    /// A number on this side of it.
    Number(Operator, Decimal, f64),
    /// A text on this side of it.
    Text(Operator, Box<str>),
    /// As [`TextTest::Like`].
    Like(Needle),
}

impl Matcher {
    /// Makes an expression ready; `minor_digits` are the decimals of money.
    pub(super) fn compile(expression: &Expression, minor_digits: u32) -> Self {
        let all = |parts: &[Expression]| {
            parts.iter().map(|part| Self::compile(part, minor_digits)).collect()
        };
        match expression {
            Expression::Constant(value) => Self::Constant(*value),
            Expression::Every(parts) => Self::Every(all(parts)),
            Expression::Any(parts) => Self::Any(all(parts)),
            Expression::Not(inner) => Self::Not(Box::new(Self::compile(inner, minor_digits))),
            Expression::Exists(field) => Self::Exists(field.clone()),
            Expression::Compare(comparison) => Self::comparison(comparison, minor_digits),
        }
    }

    fn comparison(comparison: &Comparison, minor_digits: u32) -> Self {
        let Comparison { field, operator, values } = comparison;
        let is_inverted = operator.is_inverted();
        match field {
            Field::Text(field) => {
                let test = match &values[..] {
                    [Literal::Text(text)] if operator.is_search() => {
                        TextTest::Like(Needle::new(text))
                    }
                    _ => TextTest::OneOf(texts(values)),
                };
                Self::Text { field: *field, test, is_inverted }
            }
            Field::Whole(whole) => {
                let digits = if field.field_type() == FieldType::Money { minor_digits } else { 0 };
                let test = WholeTest::new(*operator, &numbers(values), digits);
                Self::Whole { field: *whole, test, is_inverted }
            }
            Field::Ratio(field) => {
                Self::Ratio { field: *field, operator: *operator, values: numbers(values) }
            }
            Field::Flag(field) => {
                let holds = |flag| values.contains(&Literal::Flag(flag)) != is_inverted;
                Self::Flag { field: *field, when_true: holds(true), when_false: holds(false) }
            }
            Field::Attribute(path) => {
                let test = AttributeTest::new(*operator, values);
                Self::Attribute { path: path.clone(), test, is_inverted }
            }
        }
    }

    /// Whether the item passes.
    pub(super) fn matches(&self, view: &ItemView<'_>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Every(parts) => parts.iter().all(|part| part.matches(view)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(view)),
            Self::Not(inner) => !inner.matches(view),
            Self::Exists(field) => exists(field, view),
            Self::Text { field, test, is_inverted } => match texts_of(*field, view) {
                Texts::Missing => false,
                Texts::One(text) => test.holds_for_one(text) != *is_inverted,
                Texts::Many(texts) => {
                    texts.iter().any(|text| test.holds_for_member(text)) != *is_inverted
                }
            },
            Self::Whole { field, test, is_inverted } => {
                whole_of(*field, view).is_some_and(|value| test.holds(value) != *is_inverted)
            }
            Self::Ratio { field, operator, values } => ratio_of(*field, view)
                .is_some_and(|(part, whole)| ratio_holds(*operator, values, part, whole)),
            Self::Flag { field, when_true, when_false } => {
                if flag_of(*field, view) {
                    *when_true
                } else {
                    *when_false
                }
            }
            Self::Attribute { path, test, is_inverted } => {
                attribute_of(path, view).is_some_and(|value| test.holds(value) != *is_inverted)
            }
        }
    }
}

/// Values of a text field; an empty list is missing.
enum Texts<'a> {
    Missing,
    One(&'a str),
    Many(&'a [String]),
}

fn texts_of<'a>(field: TextField, view: &ItemView<'a>) -> Texts<'a> {
    let fields = &view.item.fields;
    let one = |text: &'a Option<String>| text.as_deref().map_or(Texts::Missing, Texts::One);
    let many =
        |texts: &'a [String]| if texts.is_empty() { Texts::Missing } else { Texts::Many(texts) };
    match field {
        TextField::Item => Texts::One(view.item.item_id.as_str()),
        TextField::Title => one(&fields.title),
        TextField::Brand => one(&fields.brand),
        TextField::Group => one(&fields.group),
        TextField::Category => many(&fields.categories),
        TextField::Tag => many(&fields.tags),
    }
}

fn price_of(view: &ItemView<'_>) -> Option<Cents> {
    view.item.price_in_force.or(view.item.fields.price)
}

fn whole_of(field: WholeField, view: &ItemView<'_>) -> Option<i64> {
    let fields = &view.item.fields;
    match field {
        WholeField::Price => price_of(view).map(|price| price.0),
        WholeField::ListPrice => fields.price.map(|price| price.0),
        WholeField::Cost => fields.cost.map(|cost| cost.0),
        WholeField::Stock => fields.stock.map(|stock| i64::try_from(stock).unwrap_or(i64::MAX)),
        WholeField::LeadTimeDays => fields.lead_time_days.map(i64::from),
        WholeField::AgeDays => Some(view.now.since_ms(view.item.first_seen_at).max(0) / DAY_MS),
    }
}

/// A part and the whole it is of, which is positive.
fn ratio_of(field: RatioField, view: &ItemView<'_>) -> Option<(i128, i128)> {
    let price = i128::from(price_of(view)?.0);
    let (part, whole) = match field {
        RatioField::Margin => (price - i128::from(view.item.fields.cost?.0), price),
        RatioField::Discount => {
            let list = i128::from(view.item.fields.price?.0);
            (list - price, list)
        }
    };
    (whole > 0).then_some((part, whole))
}

fn flag_of(field: FlagField, view: &ItemView<'_>) -> bool {
    match field {
        FlagField::Available => view.item.fields.available.unwrap_or(true),
        FlagField::Promoted => view.item.fields.promoted.unwrap_or(false),
    }
}

/// The value at a path; `null` and an empty list are missing.
fn attribute_of<'a>(path: &[Box<str>], view: &ItemView<'a>) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let mut value = view.item.fields.attributes.get(&**first)?;
    for key in rest {
        value = value.as_object()?.get(&**key)?;
    }
    match value {
        Value::Null => None,
        Value::Array(members) if members.is_empty() => None,
        there => Some(there),
    }
}

fn exists(field: &Field, view: &ItemView<'_>) -> bool {
    match field {
        Field::Text(field) => !matches!(texts_of(*field, view), Texts::Missing),
        Field::Whole(field) => whole_of(*field, view).is_some(),
        Field::Ratio(field) => ratio_of(*field, view).is_some(),
        Field::Flag(_) => true,
        Field::Attribute(path) => attribute_of(path, view).is_some(),
    }
}

/// The texts among these, sorted as they are.
fn texts(values: &[Literal]) -> Box<[Box<str>]> {
    let text = |value: &Literal| match value {
        Literal::Text(text) => Some(text.clone()),
        _ => None,
    };
    values.iter().filter_map(text).collect()
}

/// The numbers among these, sorted as they are.
fn numbers(values: &[Literal]) -> Box<[Decimal]> {
    let number = |value: &Literal| match value {
        Literal::Number(number) => Some(*number),
        _ => None,
    };
    values.iter().filter_map(number).collect()
}

fn is_one_of(texts: &[Box<str>], text: &str) -> bool {
    match texts {
        [only] => **only == *text,
        several => several.binary_search_by(|member| (**member).cmp(text)).is_ok(),
    }
}

fn is_on_side(operator: Operator, ordering: Ordering) -> bool {
    match operator {
        Operator::Less => ordering.is_lt(),
        Operator::AtMost => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::AtLeast => ordering.is_ge(),
        _ => ordering.is_eq(),
    }
}

fn ratio_holds(operator: Operator, values: &[Decimal], part: i128, whole: i128) -> bool {
    match values {
        [value] if operator.is_ordering() => is_on_side(operator, value.compare_ratio(part, whole)),
        members => {
            let found = members.binary_search_by(|m| m.compare_ratio(part, whole).reverse());
            found.is_ok() != operator.is_inverted()
        }
    }
}

impl TextTest {
    fn holds_for_one(&self, text: &str) -> bool {
        match self {
            Self::OneOf(texts) => is_one_of(texts, text),
            Self::Like(needle) => needle.is_part_of(text),
        }
    }

    fn holds_for_member(&self, text: &str) -> bool {
        match self {
            Self::OneOf(texts) => is_one_of(texts, text),
            Self::Like(needle) => needle.is_all_of(text),
        }
    }
}

impl WholeTest {
    /// Turns a comparison of whole numbers, moved by `digits`, into ranges.
    fn new(operator: Operator, values: &[Decimal], digits: u32) -> Self {
        let range = |value: &Decimal| {
            let (floor, ceiling) = value.whole_around(digits);
            match operator {
                Operator::Less => ceiling.checked_sub(1).map(|last| (i64::MIN, last)),
                Operator::AtMost => Some((i64::MIN, floor)),
                Operator::Greater => floor.checked_add(1).map(|first| (first, i64::MAX)),
                Operator::AtLeast => Some((ceiling, i64::MAX)),
                _ => (floor == ceiling).then_some((floor, floor)),
            }
        };
        Self(values.iter().filter_map(range).collect())
    }

    fn holds(&self, value: i64) -> bool {
        match &self.0[..] {
            [(first, last)] => (*first..=*last).contains(&value),
            ranges => {
                let at = ranges.partition_point(|(_, last)| *last < value);
                ranges.get(at).is_some_and(|(first, _)| *first <= value)
            }
        }
    }
}

impl AttributeTest {
    fn new(operator: Operator, values: &[Literal]) -> Self {
        match (values, operator) {
            ([Literal::Text(text)], _) if operator.is_search() => Self::Like(Needle::new(text)),
            ([Literal::Text(text)], _) if operator.is_ordering() => {
                Self::Text(operator, text.clone())
            }
            ([Literal::Number(number)], _) if operator.is_ordering() => {
                Self::Number(operator, *number, number.to_f64())
            }
            _ => Self::OneOf {
                texts: texts(values),
                numbers: numbers(values).iter().map(|number| (*number, number.to_f64())).collect(),
                flags: [false, true]
                    .into_iter()
                    .filter(|flag| values.contains(&Literal::Flag(*flag)))
                    .collect(),
            },
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Array(members)) => {
                members.iter().any(|member| self.holds_for_member(member))
            }
            (Self::Like(needle), Value::String(text)) => needle.is_part_of(text),
            (_, single) => self.holds_for_member(single),
        }
    }

    fn holds_for_member(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::OneOf { texts, .. }, Value::String(text)) => is_one_of(texts, text),
            (Self::OneOf { flags, .. }, Value::Bool(flag)) => flags.contains(flag),
            (Self::OneOf { numbers, .. }, Value::Number(number)) => numbers
                .binary_search_by(|(decimal, float)| {
                    // A JSON number is never NaN; the fallback only keeps the order total.
                    compare(number, *decimal, *float).map_or(Ordering::Less, Ordering::reverse)
                })
                .is_ok(),
            (Self::Number(operator, decimal, float), Value::Number(number)) => {
                compare(number, *decimal, *float)
                    .is_some_and(|ordering| is_on_side(*operator, ordering))
            }
            (Self::Text(operator, bound), Value::String(text)) => {
                is_on_side(*operator, text.as_str().cmp(bound))
            }
            (Self::Like(needle), Value::String(text)) => needle.is_all_of(text),
            _ => false,
        }
    }
}

/// How a JSON number compares with a decimal: exactly if it is whole, else as the nearest floats.
fn compare(number: &serde_json::Number, decimal: Decimal, float: f64) -> Option<Ordering> {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match whole {
        Some(whole) => Some(decimal.compare_ratio(whole, 1)),
        None => number.as_f64()?.partial_cmp(&float),
    }
}
