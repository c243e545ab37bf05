//! What a filter says, and the one way to write it.

use super::{
    FILTER_BYTES_MAX,
    field::{Field, WholeField},
    literal::Literal,
    token::{is_word_part, is_word_start},
};
use std::fmt::Write;

/// A filter in canonical form. Built only by the functions here, which keep it so: no list inside a
/// list of its kind, no list of one, no double negation, members of `in` sorted and without repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Constant(bool),
    Every(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Exists(Field),
    Compare(Comparison),
}

/// One field against one value, or against several for `in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) field: Field,
    pub(super) operator: Operator,
    pub(super) values: Vec<Literal>,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    NotIn,
    Contains,
    NotContains,
}

impl Operator {
    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Contains => "contains",
            Self::NotContains => "not contains",
        }
    }

    /// Whether it asks for more or less, not for the same.
    pub(super) fn is_ordering(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::Greater | Self::AtLeast)
    }

    /// Whether it looks for a part.
    pub(super) fn is_search(self) -> bool {
        matches!(self, Self::Contains | Self::NotContains)
    }

    /// Whether it holds where its opposite does not, given that the field is there.
    pub(super) fn is_inverted(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotIn | Self::NotContains)
    }
}

impl Expression {
    /// Whether what holds now may not hold later of an item that stays as it is.
    pub(super) fn depends_on_time(&self) -> bool {
        let is_age = |field: &Field| *field == Field::Whole(WholeField::AgeDays);
        match self {
            Self::Constant(_) => false,
            Self::Every(parts) | Self::Any(parts) => parts.iter().any(Self::depends_on_time),
            Self::Not(inner) => inner.depends_on_time(),
            Self::Exists(field) => is_age(field),
            Self::Compare(comparison) => is_age(&comparison.field),
        }
    }

    /// All of these.
    pub(super) fn every(operands: Vec<Self>) -> Self {
        let is_flat = !operands.iter().any(|operand| matches!(operand, Self::Every(_)));
        let mut flat = if is_flat {
            operands
        } else {
            let parts = |operand| match operand {
                Self::Every(parts) => parts,
                other => vec![other],
            };
            operands.into_iter().flat_map(parts).collect()
        };
        if flat.len() == 1 { flat.swap_remove(0) } else { Self::Every(flat) }
    }

    /// At least one of these.
    pub(super) fn any(operands: Vec<Self>) -> Self {
        let is_flat = !operands.iter().any(|operand| matches!(operand, Self::Any(_)));
        let mut flat = if is_flat {
            operands
        } else {
            let parts = |operand| match operand {
                Self::Any(parts) => parts,
                other => vec![other],
            };
            operands.into_iter().flat_map(parts).collect()
        };
        if flat.len() == 1 { flat.swap_remove(0) } else { Self::Any(flat) }
    }

    /// The opposite of this.
    pub(super) fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// A comparison; `values` is not empty.
    pub(super) fn compare(field: Field, operator: Operator, mut values: Vec<Literal>) -> Self {
        values.sort_unstable();
        values.dedup();
        let operator = match (operator, values.len()) {
            (Operator::In, 1) => Operator::Equal,
            (Operator::NotIn, 1) => Operator::NotEqual,
            _ => operator,
        };
        Self::Compare(Comparison { field, operator, values })
    }

    /// The canonical text: easy to read, or without spaces that can be spared where it would be
    /// longer than a filter may be. So it is itself a filter always.
    ///
    /// The tight form is never longer than what it was read from: each rule of the canonical form
    /// takes characters away or keeps their number.
    pub(super) fn text(&self) -> String {
        let mut airy = Writer { text: String::new(), is_tight: false };
        airy.expression(self);
        if airy.text.len() <= FILTER_BYTES_MAX {
            return airy.text;
        }
        self.tight_text()
    }

    /// The canonical text without spaces that can be spared.
    pub(super) fn tight_text(&self) -> String {
        let mut tight = Writer { text: String::new(), is_tight: true };
        tight.expression(self);
        tight.text
    }
}

/// Writes tokens with the spaces between them.
struct Writer {
    text: String,
    is_tight: bool,
}

impl Writer {
    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Constant(value) => self.word(if *value { "true" } else { "false" }),
            Expression::Every(parts) => self.list(parts, "and"),
            Expression::Any(parts) => self.list(parts, "or"),
            // As short as `not exists`, and one level of nesting less.
            Expression::Not(inner) if matches!(**inner, Expression::Exists(_)) => {
                if let Expression::Exists(field) = &**inner {
                    self.field(field);
                }
                self.word("is");
                self.word("missing");
            }
            Expression::Not(inner) => {
                self.word("not");
                self.operand(inner);
            }
            Expression::Exists(field) => {
                self.word("exists");
                self.field(field);
            }
            Expression::Compare(comparison) => self.comparison(comparison),
        }
    }

    fn list(&mut self, parts: &[Expression], joint: &str) {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                self.word(joint);
            }
            match part {
                // `and` binds tighter than `or`.
                Expression::Every(_) if joint == "or" => self.expression(part),
                _ => self.operand(part),
            }
        }
    }

    /// Writes in parentheses what would otherwise fall apart.
    fn operand(&mut self, expression: &Expression) {
        if matches!(expression, Expression::Every(_) | Expression::Any(_)) {
            self.open();
            self.expression(expression);
            self.text.push(')');
        } else {
            self.expression(expression);
        }
    }

    fn comparison(&mut self, Comparison { field, operator, values }: &Comparison) {
        self.field(field);
        self.word(operator.name());
        if !matches!(operator, Operator::In | Operator::NotIn) {
            return values.iter().for_each(|value| self.literal(value));
        }
        self.open();
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            // `literal` puts a space before all but the first.
            self.literal(value);
        }
        self.text.push(')');
    }

    fn field(&mut self, field: &Field) {
        self.word(field.name());
        if let Field::Attribute(path) = field {
            for key in path {
                self.text.push('.');
                let is_word = key.starts_with(is_word_start) && key.chars().all(is_word_part);
                if is_word { self.text.push_str(key) } else { self.quoted(key) }
            }
        }
    }

    fn literal(&mut self, value: &Literal) {
        match value {
            Literal::Flag(value) => self.word(if *value { "true" } else { "false" }),
            Literal::Number(number) => {
                self.gap(true);
                // Writing to a string cannot fail.
                let _ = write!(self.text, "{number}");
            }
            Literal::Text(text) => {
                self.gap(false);
                self.quoted(text);
            }
        }
    }

    /// Quotes with the mark that needs fewer escapes.
    fn quoted(&mut self, text: &str) {
        let (double, single) = (text.matches('"').count(), text.matches('\'').count());
        let mark = if double <= single { '"' } else { '\'' };
        self.text.push(mark);
        for letter in text.chars() {
            if letter == mark || letter == '\\' {
                self.text.push('\\');
            }
            self.text.push(letter);
        }
        self.text.push(mark);
    }

    fn open(&mut self) {
        self.gap(false);
        self.text.push('(');
    }

    fn word(&mut self, word: &str) {
        self.gap(word.starts_with(is_word_part));
        self.text.push_str(word);
    }

    /// Puts a space before the next token if one is due; words and numbers would run together.
    fn gap(&mut self, is_word: bool) {
        let is_apart = self.text.is_empty() || self.text.ends_with('(');
        let runs_together = is_word && self.text.ends_with(is_word_part);
        if !is_apart && (runs_together || !self.is_tight) {
            self.text.push(' ');
        }
    }
}
