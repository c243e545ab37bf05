//! Cuts the text of a filter into words, numbers, quoted texts and signs.

use std::borrow::Cow;
use winnow::{
    combinator::{alt, delimited, dispatch, opt, peek, preceded},
    error::{ErrMode, ParserError},
    prelude::*,
    stream::{AsChar, ContainsToken, LocatingSlice, Location, Stream},
    token::{any, one_of, take_till, take_while},
};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    Text,
    Open,
    Close,
    Comma,
    Dot,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    And,
    Or,
    Not,
    In,
    Contains,
    Exists,
    Is,
    Missing,
    True,
    False,
    /// Something that is not of the language; the token's text is the complaint.
    Unreadable,
    /// The end of the filter.
    End,
}

/// Words with a meaning of their own, in any case of letters.
const KEYWORDS: [(&str, Kind); 10] = [
    ("and", Kind::And),
    ("or", Kind::Or),
    ("not", Kind::Not),
    ("in", Kind::In),
    ("contains", Kind::Contains),
    ("exists", Kind::Exists),
    ("is", Kind::Is),
    ("missing", Kind::Missing),
    ("true", Kind::True),
    ("false", Kind::False),
];

/// One token of a filter.
#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    /// As written; a quoted text without its marks and escapes.
    pub(super) text: Cow<'t, str>,
    /// The byte it begins at.
    pub(super) at: usize,
    /// The byte behind it.
    end: usize,
}

impl Location for Token<'_> {
    fn previous_token_end(&self) -> usize {
        self.end
    }

    fn current_token_start(&self) -> usize {
        self.at
    }
}

impl Token<'_> {
    /// Names the token in a message.
    pub(super) fn describe(&self) -> String {
        let shown = |text: &str| match text.char_indices().nth(40) {
            Some((cut, _)) => format!("{}…", &text[..cut]),
            None => text.to_owned(),
        };
        match self.kind {
            Kind::End => "the end".into(),
            Kind::Number => format!("the number {}", shown(&self.text)),
            Kind::Text => format!("the text \"{}\"", shown(&self.text)),
            _ => format!("`{}`", shown(&self.text)),
        }
    }
}

impl ContainsToken<&'_ Token<'_>> for Kind {
    fn contains_token(&self, token: &'_ Token<'_>) -> bool {
        *self == token.kind
    }
}

/// A mistake in the text: the byte it stands at and what is wrong. The message is empty while
/// another way of reading is still to be tried.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) message: String,
}

/// What a parser here gives.
pub(super) type Parsed<Output> = Result<Output, ErrMode<Mistake>>;

/// Gives up with `message` at byte `at`.
pub(super) fn give_up<Output>(at: usize, message: impl Into<String>) -> Parsed<Output> {
    Err(ErrMode::Cut(Mistake { at, message: message.into() }))
}

impl<Input: Stream + Location> ParserError<Input> for Mistake {
    type Inner = Self;

    fn from_input(input: &Input) -> Self {
        Self { at: input.current_token_start(), message: String::new() }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// Whether a name may begin so.
pub(super) fn is_word_start(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

/// Whether a name may go on so.
pub(super) fn is_word_part(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-')
}

/// The tokens of `text`, the last of which is [`Kind::End`], or [`Kind::Unreadable`] where the rest
/// cannot be cut: an earlier mistake of grammar is then still found first.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut source = LocatingSlice::new(text);
    let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
    loop {
        match preceded(blanks, token).parse_next(&mut source) {
            Ok(token) => {
                let is_last = token.kind == Kind::End;
                tokens.push(token);
                if is_last {
                    return tokens;
                }
            }
            Err(error) => {
                let mistake = error.into_inner().unwrap_or_else(|_| Mistake {
                    at: source.current_token_start(),
                    message: String::new(),
                });
                let (at, complaint) = (mistake.at, Cow::Owned(mistake.message));
                tokens.push(Token { kind: Kind::Unreadable, text: complaint, at, end: text.len() });
                return tokens;
            }
        }
    }
}

type Source<'t> = LocatingSlice<&'t str>;

fn blanks(source: &mut Source<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(source)
}

fn token<'t>(source: &mut Source<'t>) -> Parsed<Token<'t>> {
    let at = source.current_token_start();
    if source.is_empty() {
        return Ok(Token { kind: Kind::End, text: Cow::Borrowed(""), at, end: at });
    }
    let (kind, text) = dispatch! { peek(any);
        '"' | '\'' => quoted.map(|text| (Kind::Text, text)),
        '-' | '0'..='9' => number.map(|text| (Kind::Number, Cow::Borrowed(text))),
        letter if is_word_start(letter) => word.map(|(kind, text)| (kind, Cow::Borrowed(text))),
        _ => sign.map(|(kind, text)| (kind, Cow::Borrowed(text))),
    }
    .parse_next(source)?;
    Ok(Token { kind, text, at, end: source.current_token_start() })
}

fn word<'t>(source: &mut Source<'t>) -> Parsed<(Kind, &'t str)> {
    let word: &str = take_while(1.., is_word_part).parse_next(source)?;
    let keyword = KEYWORDS.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(word));
    Ok((keyword.map_or(Kind::Word, |(_, kind)| *kind), word))
}

fn number<'t>(source: &mut Source<'t>) -> Parsed<&'t str> {
    let at = source.current_token_start();
    // Everything that looks like one number, so that a wrong one is shown whole.
    let written: &str =
        take_while(1.., |letter| is_word_part(letter) || letter == '.').parse_next(source)?;
    let unsigned = written.strip_prefix('-').unwrap_or(written);
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_number = match unsigned.split_once('.') {
        Some((whole, fraction)) => are_digits(whole) && are_digits(fraction),
        None => are_digits(unsigned),
    };
    if is_number {
        return Ok(written);
    }
    let shown: String = written.chars().take(40).collect();
    give_up(at, format!("expected a number such as 12 or 12.50, found `{shown}`"))
}

fn sign<'t>(source: &mut Source<'t>) -> Parsed<(Kind, &'t str)> {
    let at = source.current_token_start();
    if let Some((_, advice)) = STRAY.iter().find(|(stray, _)| source.starts_with(stray)) {
        return give_up(at, *advice);
    }
    if let Some(sign) = opt(known_sign.with_taken()).parse_next(source)? {
        return Ok(sign);
    }
    let letter = any.parse_next(source)?;
    let unless_control = if letter.is_control() { ' ' } else { letter };
    match letter {
        '!' => give_up(at, "found `!`; write `not` or `!=`"),
        _ => give_up(at, format!("found `{unless_control}`, which has no meaning here")),
    }
}

fn known_sign(source: &mut Source<'_>) -> Parsed<Kind> {
    // The longer sign first.
    let comparing = alt((
        "<=".value(Kind::AtMost),
        ">=".value(Kind::AtLeast),
        "!=".value(Kind::NotEqual),
        "<".value(Kind::Less),
        ">".value(Kind::Greater),
        "=".value(Kind::Equal),
    ));
    let joining = alt((
        "(".value(Kind::Open),
        ")".value(Kind::Close),
        ",".value(Kind::Comma),
        ".".value(Kind::Dot),
    ));
    alt((comparing, joining)).parse_next(source)
}

/// Signs of other languages, and what to write instead.
const STRAY: [(&str, &str); 14] = [
    ("==", "found `==`; equality is written `=`"),
    ("=<", "found `=<`; write `<=`"),
    ("=>", "found `=>`; write `>=`"),
    ("<>", "found `<>`; inequality is written `!=`"),
    ("&", "found `&`; write `and`"),
    ("|", "found `|`; write `or`"),
    ("[", "found `[`; a list is written in parentheses"),
    ("“", "found `“`; quote text with \" or '"),
    ("”", "found `”`; quote text with \" or '"),
    ("„", "found `„`; quote text with \" or '"),
    ("‘", "found `‘`; quote text with \" or '"),
    ("’", "found `’`; quote text with \" or '"),
    ("«", "found `«`; quote text with \" or '"),
    ("`", "found a back-quote; quote text with \" or '"),
];

/// A quoted text, without its marks and escapes.
fn quoted<'t>(source: &mut Source<'t>) -> Parsed<Cow<'t, str>> {
    let at = source.current_token_start();
    let mark = one_of(['"', '\'']).parse_next(source)?;
    let mut text = Cow::Borrowed(take_till(0.., (mark, '\\')).parse_next(source)?);
    loop {
        let stop_at = source.current_token_start();
        match opt(any).parse_next(source)? {
            None => return give_up(at, format!("this text has no closing {mark}")),
            Some('\\') => text.to_mut().push(escaped(source, stop_at)?),
            Some(_) => return Ok(text),
        }
        let plain: &str = take_till(0.., (mark, '\\')).parse_next(source)?;
        text.to_mut().push_str(plain);
    }
}

/// The character that an escape stands for; its backslash, at byte `at`, is already read.
fn escaped(source: &mut Source<'_>, at: usize) -> Parsed<char> {
    let digits = take_while(1..=6, AsChar::is_hex_digit);
    let code_point = delimited("u{", digits, '}')
        .verify_map(|digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
    let letter = alt((
        'n'.value('\n'),
        'r'.value('\r'),
        't'.value('\t'),
        one_of(['"', '\'', '\\']),
        code_point,
    ));
    match opt(letter).parse_next(source)? {
        Some(letter) => Ok(letter),
        None => give_up(at, r#"expected one of \" \' \\ \n \r \t \u{20ac}, found another escape"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).iter().map(|token| token.kind).collect()
    }

    #[test]
    fn a_filter_is_cut_into_tokens() {
        use Kind::{AtLeast, Close, Dot, End, Equal, In, Not, Number, Open, Text, Word};
        assert_eq!(
            kinds("attributes.best-before NOT In('x')a>=-1.5 = \t"),
            [Word, Dot, Word, Not, In, Open, Text, Close, Word, AtLeast, Number, Equal, End],
        );
        let tokens = tokens("größe = 4");
        assert_eq!((&*tokens[0].text, tokens[1].at), ("größe", 8));
    }

    #[test]
    fn escapes_are_resolved() {
        let tokens = tokens(r#""a\"b\\\n\u{20AC}'" 'it\'s "x"'"#);
        assert_eq!(tokens[0].text, "a\"b\\\n€'");
        assert_eq!(tokens[1].text, "it's \"x\"");
        assert_eq!(tokens.len(), 3);
    }

    #[test]
    fn what_cannot_be_cut_ends_the_tokens_with_a_complaint() {
        for (text, at, part) in [
            ("a = \"x", 4, "closing \""),
            ("a = 'x\\q'", 6, "escape"),
            ("a = '\\u{d800}'", 5, "escape"),
            ("a = 12x", 4, "`12x`"),
            ("a = 1.2.3", 4, "`1.2.3`"),
            ("a = 1.", 4, "`1.`"),
            ("a = -", 4, "`-`"),
            ("a == 1", 2, "`=`"),
            ("a && b", 2, "`and`"),
            ("a = “x”", 4, "quote"),
            ("a ; b", 2, "`;`"),
            ("a \u{1} b", 2, "` `"),
            ("a ! b", 2, "`not`"),
        ] {
            let tokens = tokens(text);
            let last = tokens.last().unwrap();
            assert_eq!((last.kind, last.at), (Kind::Unreadable, at), "{text}");
            assert!(last.text.contains(part), "{text}: {}", last.text);
        }
    }
}
