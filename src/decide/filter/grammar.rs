//! Reads tokens by the grammar in the room's description, and checks types where they are known.
//!
//! The first token of a part says what the part is, so nothing is ever read twice: time is linear in
//! the text, and every mistake is final.

use super::{
    COMPARISONS_MAX, FILTER_BYTES_MAX, FilterError, NESTING_MAX,
    expression::{Expression, Operator},
    field::{ATTRIBUTES, Field, FieldType, unknown_field},
    literal::{DIGITS_MAX, Decimal, Literal},
    token::{Kind, Parsed, Token, give_up, tokens},
};
use winnow::{
    combinator::{cut_err, dispatch, opt, peek, preceded, separated},
    prelude::*,
    stream::{Location, Stateful, Stream, TokenSlice},
    token::{any, one_of},
};

/// What is counted while reading.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Decimals of the shop's currency.
    minor_digits: u32,
    /// Parentheses and `not` that are open.
    nesting: usize,
    /// Comparisons and members of lists so far.
    comparisons: usize,
}

type Tokens<'t> = Stateful<TokenSlice<'t, Token<'t>>, Progress>;

/// Reads a whole filter.
pub(super) fn parse(text: &str, minor_digits: u32) -> Result<Expression, FilterError> {
    if text.len() > FILTER_BYTES_MAX {
        let message = format!("the filter is longer than {FILTER_BYTES_MAX} bytes");
        return Err(FilterError::at_byte(text, FILTER_BYTES_MAX, message));
    }
    let tokens = tokens(text);
    let state = Progress { minor_digits, nesting: 0, comparisons: 0 };
    let mut input = Tokens { input: TokenSlice::new(&tokens), state };
    let whole = |input: &mut Tokens<'_>| {
        let expression = disjunction.parse_next(input)?;
        match next_token(input) {
            Some(token) if token.kind == Kind::End => Ok(expression),
            Some(token) if token.kind == Kind::Close => {
                give_up(token.at, "this `)` closes nothing")
            }
            _ => refuse(input, "`and`, `or` or the end"),
        }
    };
    whole(&mut input).map_err(|error| match error.into_inner() {
        Ok(mistake) => FilterError::at_byte(text, mistake.at, mistake.message),
        // Only partial input can be incomplete, and this input is whole.
        Err(_) => FilterError::at_byte(text, text.len(), "the filter ends too early".into()),
    })
}

/// The token that is to be read next.
fn next_token<'t>(input: &Tokens<'t>) -> Option<&'t Token<'t>> {
    input.input.peek_token()
}

/// Gives up at the next token because something else was `expected`.
fn refuse<Output>(input: &Tokens<'_>, expected: &str) -> Parsed<Output> {
    match next_token(input) {
        Some(token) if token.kind == Kind::Unreadable => {
            give_up(token.at, token.text.clone().into_owned())
        }
        Some(token) => {
            give_up(token.at, format!("expected {expected}, found {}", token.describe()))
        }
        // Reading stops at the last token, so there always is one.
        None => give_up(usize::MAX, format!("expected {expected}, found the end")),
    }
}

/// Takes a token of this kind, or gives up because it was `expected`.
fn expect<'t>(
    kind: Kind,
    expected: &'static str,
) -> impl FnMut(&mut Tokens<'t>) -> Parsed<&'t Token<'t>> {
    move |input| match opt(one_of(kind)).parse_next(input)? {
        Some(token) => Ok(token),
        None => refuse(input, expected),
    }
}

fn disjunction(input: &mut Tokens<'_>) -> Parsed<Expression> {
    separated(1.., conjunction, one_of(Kind::Or)).map(Expression::any).parse_next(input)
}

fn conjunction(input: &mut Tokens<'_>) -> Parsed<Expression> {
    separated(1.., condition, one_of(Kind::And)).map(Expression::every).parse_next(input)
}

fn condition(input: &mut Tokens<'_>) -> Parsed<Expression> {
    dispatch! { peek(any).map(|token: &Token<'_>| token.kind);
        Kind::Not => nested(preceded(any, condition)).map(Expression::negated),
        Kind::Open => nested(parenthesised),
        Kind::True => constant,
        Kind::False => constant,
        Kind::Exists => preceded(any, counted(field)).map(Expression::Exists),
        Kind::Word => comparison,
        _ => |input: &mut Tokens<'_>| refuse(input, "a condition such as `price < 30`"),
    }
    .parse_next(input)
}

/// One level deeper. Reading, matching and dropping a filter recurse, so the depth has a bound.
fn nested<'t>(
    mut inner: impl Parser<Tokens<'t>, Expression, winnow::error::ErrMode<super::token::Mistake>>,
) -> impl FnMut(&mut Tokens<'t>) -> Parsed<Expression> {
    move |input| {
        if input.state.nesting == NESTING_MAX {
            let at = input.current_token_start();
            return give_up(at, format!("more than {NESTING_MAX} levels of `(` and `not`"));
        }
        input.state.nesting += 1;
        let expression = inner.parse_next(input)?;
        input.state.nesting -= 1;
        Ok(expression)
    }
}

/// Counts what `inner` reads as one comparison or member.
fn counted<'t, Output>(
    mut inner: impl FnMut(&mut Tokens<'t>) -> Parsed<Output>,
) -> impl FnMut(&mut Tokens<'t>) -> Parsed<Output> {
    move |input| {
        input.state.comparisons += 1;
        if input.state.comparisons > COMPARISONS_MAX {
            let at = input.current_token_start();
            let message = format!("more than {COMPARISONS_MAX} comparisons and members of lists");
            return give_up(at, message);
        }
        inner(input)
    }
}

fn parenthesised(input: &mut Tokens<'_>) -> Parsed<Expression> {
    let open = expect(Kind::Open, "`(`").parse_next(input)?;
    let expression = disjunction.parse_next(input)?;
    if next_token(input).is_some_and(|token| token.kind == Kind::End) {
        return give_up(open.at, "this `(` is never closed");
    }
    expect(Kind::Close, "`and`, `or` or `)`").parse_next(input)?;
    Ok(expression)
}

fn constant(input: &mut Tokens<'_>) -> Parsed<Expression> {
    let is_true = counted(|input| any.parse_next(input))(input)?.kind == Kind::True;
    Ok(Expression::Constant(is_true))
}

fn field(input: &mut Tokens<'_>) -> Parsed<Field> {
    let token = expect(Kind::Word, "the name of a field").parse_next(input)?;
    if token.text == ATTRIBUTES {
        expect(Kind::Dot, "`.` and the name of an attribute").parse_next(input)?;
        let path: Vec<Box<str>> =
            separated(1.., cut_err(key), one_of(Kind::Dot)).parse_next(input)?;
        return Ok(Field::Attribute(path.into()));
    }
    match Field::named(&token.text) {
        Some(field) => Ok(field),
        None => give_up(token.at, unknown_field(&token.text)),
    }
}

/// One step of an attribute's path: a word, even one with a meaning elsewhere, or a quoted text.
fn key(input: &mut Tokens<'_>) -> Parsed<Box<str>> {
    let is_word = |token: &&Token<'_>| {
        let starts_so = token.text.starts_with(super::token::is_word_start);
        token.kind == Kind::Text || (token.kind != Kind::Unreadable && starts_so)
    };
    match opt(any.verify(is_word)).parse_next(input)? {
        Some(token) => Ok(token.text.as_ref().into()),
        None => refuse(input, "the name of an attribute (in quotes if it is not a plain word)"),
    }
}

fn comparison(input: &mut Tokens<'_>) -> Parsed<Expression> {
    let field = field(input)?;
    let at = input.current_token_start();
    if opt(one_of(Kind::Is)).parse_next(input)?.is_some() {
        let is_there = opt(one_of(Kind::Not)).parse_next(input)?.is_some();
        counted(expect(Kind::Missing, "`missing` or `not missing`"))(input)?;
        let exists = Expression::Exists(field);
        return Ok(if is_there { exists } else { exists.negated() });
    }
    let operator = operator(input, &field)?;
    suits(&field, operator).or_else(|message| give_up(at, message))?;
    let values = if matches!(operator, Operator::In | Operator::NotIn) {
        let open = expect(Kind::Open, "`(` and a list of values").parse_next(input)?;
        let member = counted(|input| value(input, &field));
        let values = separated(1.., member, one_of(Kind::Comma)).parse_next(input)?;
        if next_token(input).is_some_and(|token| token.kind == Kind::End) {
            return give_up(open.at, "this `(` is never closed");
        }
        expect(Kind::Close, "`,` or `)`").parse_next(input)?;
        values
    } else {
        let found = input.current_token_start();
        let value = counted(|input| value(input, &field))(input)?;
        if operator.is_ordering() && matches!(value, Literal::Flag(_)) {
            let operator = operator.name();
            return give_up(
                found,
                format!("`{operator}` compares numbers or text, not true or false"),
            );
        }
        vec![value]
    };
    Ok(Expression::compare(field, operator, values))
}

fn operator(input: &mut Tokens<'_>, field: &Field) -> Parsed<Operator> {
    let simple = |token: &Token<'_>| match token.kind {
        Kind::Equal => Some(Operator::Equal),
        Kind::NotEqual => Some(Operator::NotEqual),
        Kind::Less => Some(Operator::Less),
        Kind::AtMost => Some(Operator::AtMost),
        Kind::Greater => Some(Operator::Greater),
        Kind::AtLeast => Some(Operator::AtLeast),
        Kind::In => Some(Operator::In),
        Kind::Contains => Some(Operator::Contains),
        _ => None,
    };
    if let Some(operator) = opt(any.verify_map(simple)).parse_next(input)? {
        return Ok(operator);
    }
    if opt(one_of(Kind::Not)).parse_next(input)?.is_none() {
        let expected =
            format!("an operator after `{field}` (=, !=, <, <=, >, >=, in, contains, is missing)");
        return refuse(input, &expected);
    }
    let inverted = |token: &Token<'_>| match token.kind {
        Kind::In => Some(Operator::NotIn),
        Kind::Contains => Some(Operator::NotContains),
        _ => None,
    };
    match opt(any.verify_map(inverted)).parse_next(input)? {
        Some(operator) => Ok(operator),
        None => refuse(input, "`in` or `contains`"),
    }
}

/// Whether fields of this type can be compared so; if not, what to do instead.
fn suits(field: &Field, operator: Operator) -> Result<(), String> {
    let field_type = field.field_type();
    let instead = match field_type {
        FieldType::Text if operator.is_ordering() => "=, !=, in or contains",
        FieldType::Money | FieldType::Number if operator.is_search() => "=, !=, <, <=, >, >= or in",
        FieldType::Flag if operator.is_ordering() || operator.is_search() => "= or !=",
        _ => return Ok(()),
    };
    let (name, operator) = (field_type.name(), operator.name());
    Err(format!("`{field}` is {name}: expected {instead}, found `{operator}`"))
}

/// A value that the field can be compared with.
fn value(input: &mut Tokens<'_>, field: &Field) -> Parsed<Literal> {
    let field_type = field.field_type();
    let Some(token) = next_token(input) else {
        return refuse(input, "a value");
    };
    let is_suitable = match token.kind {
        Kind::Text => matches!(field_type, FieldType::Text | FieldType::Any),
        Kind::Number => matches!(field_type, FieldType::Money | FieldType::Number | FieldType::Any),
        Kind::True | Kind::False => matches!(field_type, FieldType::Flag | FieldType::Any),
        _ => false,
    };
    if !is_suitable {
        let wanted = match field_type {
            FieldType::Text => "text in quotes",
            FieldType::Money | FieldType::Number => "a number",
            FieldType::Flag => "true or false",
            FieldType::Any => "a number, text in quotes, true or false",
        };
        // Text without quotes is the usual slip.
        let advice = match (token.kind, field_type) {
            (Kind::Word, FieldType::Text | FieldType::Any) => {
                format!(" (write \"{}\")", token.text)
            }
            _ => String::new(),
        };
        let because = match (token.kind, field_type) {
            (Kind::Unreadable | Kind::End, _) | (_, FieldType::Any) => String::new(),
            (_, known) => format!(" because `{field}` is {}", known.name()),
        };
        return refuse(input, &format!("{wanted}{because}{advice}"));
    }
    any.void().parse_next(input)?;
    Ok(match token.kind {
        Kind::Text => Literal::Text(token.text.as_ref().into()),
        Kind::Number => Literal::Number(number(token, field_type, input.state.minor_digits)?),
        kind => Literal::Flag(kind == Kind::True),
    })
}

fn number(token: &Token<'_>, field_type: FieldType, minor_digits: u32) -> Parsed<Decimal> {
    let Some(number) = Decimal::parse(&token.text) else {
        return give_up(token.at, format!("a number has at most {DIGITS_MAX} digits"));
    };
    if field_type == FieldType::Money && number.minor_units(minor_digits).is_none() {
        let message = if number.scale() > minor_digits {
            format!("the shop's currency has {minor_digits} decimals, found {number}")
        } else {
            format!("{number} is more money than there is")
        };
        return give_up(token.at, message);
    }
    Ok(number)
}
