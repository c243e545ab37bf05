//! The id of an answer, which says by itself what events that follow from it are credited to: so that they are after a
//! restart, and by a process that did not give the answer.
//!
//! `019a….personal.home` or `019a….personal.home.spread.control`: a UUID, where the list came from, the scenario, and the
//! experiment with its variant. Where chance put an item into the list, `.drawn-250000-9f3c01ab` follows: the chance
//! that the item had in parts per million, and a digest that is of this item and this answer alone. If something does not
//! fit, the id is the UUID alone, and the answer is known while it is in memory.

use crate::{
    decide::recommend::Source,
    domain::{Credit, ItemId},
};
use std::fmt::Write as _;
use uuid::Uuid;

/// As long as an event may say.
const BYTES_MAX: usize = 128;
const SEPARATOR: char = '.';
const DRAWN: &str = "drawn-";

/// What an id says of its answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    id: Uuid,
    /// What its events are credited to, but for the chance.
    pub(super) credit: Credit,
    /// The chance of the item that was drawn, in parts per million, and the item's digest.
    drawn: Option<(u32, u32)>,
}

impl Written {
    /// The chance that this item had, in parts per million, if chance put it into the list.
    pub(super) fn chance_ppm(&self, item: &ItemId) -> Option<u32> {
        self.drawn.filter(|drawn| drawn.1 == digest(self.id, item, drawn.0)).map(|drawn| drawn.0)
    }
}

/// Tells the drawn item from the others of its list: one of four billion is taken for it by mistake.
fn digest(id: Uuid, item: &ItemId, chance_ppm: u32) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(id.as_bytes()).update(&chance_ppm.to_le_bytes()).update(item.as_str().as_bytes());
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The id of an answer from this source, of this scenario, by this variant of an experiment, with the item that chance
/// put into it and the chance that it had, in parts per million.
pub(super) fn written(
    id: Uuid,
    (source, scenario): (Source, &str),
    variant: Option<&(String, String)>,
    drawn: Option<&(ItemId, u32)>,
) -> String {
    let mut text = String::with_capacity(BYTES_MAX);
    text.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    let bare = text.len();
    let varied = variant.map(|(experiment, variant)| [experiment.as_str(), variant.as_str()]);
    for name in [source.name(), scenario].into_iter().chain(varied.into_iter().flatten()) {
        if !is_plain(name) || text.len() + 1 + name.len() > BYTES_MAX {
            text.truncate(bare);
            return text;
        }
        text.push(SEPARATOR);
        text.push_str(name);
    }
    if let Some((item, chance_ppm)) = drawn {
        let digest = digest(id, item, *chance_ppm);
        let _ = write!(text, "{SEPARATOR}{DRAWN}{chance_ppm}-{digest:08x}");
        if text.len() > BYTES_MAX {
            text.truncate(bare);
        }
    }
    text
}

/// Letters, digits, `-` and `_` need no escapes anywhere.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.bytes().all(plain)
}

/// The UUID of an answer's id, and what it says of itself; `None` if it is not one of ours.
pub(super) fn read(text: &str) -> Option<(Uuid, Option<Written>)> {
    let mut parts = text.split(SEPARATOR);
    let id = Uuid::try_parse(parts.next()?).ok()?;
    let mut names: Vec<&str> = parts.collect();
    let drawn = match names.last().and_then(|last| last.strip_prefix(DRAWN)) {
        // A scenario or variant may be called so; then there are as many names as without a draw.
        Some(drawn) if names.len() % 2 == 1 => {
            names.pop();
            let (chance, digest) = drawn.split_once('-')?;
            let chance: u32 = chance.parse().ok().filter(|chance| *chance <= 1_000_000)?;
            Some((chance, u32::from_str_radix(digest, 16).ok()?))
        }
        _ => None,
    };
    let owned = |name: &str| is_plain(name).then(|| name.to_owned());
    let source = |name: &str| Source::ALL.iter().any(|source| source.name() == name);
    let credit = match names[..] {
        [] => return Some((id, None)),
        [from, scenario] if source(from) => Credit {
            scenario: owned(scenario)?,
            source: Some(from.to_owned()),
            experiment: None,
            variant: None,
            chance_ppm: None,
        },
        [from, scenario, experiment, variant] if source(from) => Credit {
            scenario: owned(scenario)?,
            source: Some(from.to_owned()),
            experiment: Some(owned(experiment)?),
            variant: Some(owned(variant)?),
            chance_ppm: None,
        },
        _ => return None,
    };
    Some((id, Some(Written { id, credit, drawn })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credit(scenario: &str, names: Option<(&str, &str)>) -> Credit {
        let (experiment, variant) =
            names.map(|(experiment, variant)| (experiment.to_owned(), variant.to_owned())).unzip();
        let source = Some("personal".into());
        Credit { scenario: scenario.into(), source, experiment, variant, chance_ppm: None }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_or_only_the_uuid_is(
            scenario in "[a-z_-]{1,70}|drawn-1-00|.{1,20}",
            names in prop::option::of(("[a-z0-9]{1,40}", "drawn-1-00|.{1,10}")),
            chance in prop::option::of(0..=1_000_000_u32),
        ) {
            let names = names.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
            let (id, credit) = (Uuid::now_v7(), credit(&scenario, names));
            let names = names.map(|(a, b)| (a.to_owned(), b.to_owned()));
            let [mug, pen] = ["mug", "pen"].map(|item| ItemId::new(item).unwrap());
            let drawn = chance.map(|chance| (mug.clone(), chance));
            let text = written(id, (Source::Personal, &scenario), names.as_ref(), drawn.as_ref());
            prop_assert!(text.len() <= BYTES_MAX);
            let (read_id, read) = read(&text).unwrap();
            prop_assert_eq!(read_id, id);
            if let Some(read) = read {
                prop_assert_eq!(&read.credit, &credit);
                prop_assert_eq!((read.chance_ppm(&mug), read.chance_ppm(&pen)), (chance, None));
            }
        }

        #[test]
        fn nothing_that_is_sent_makes_it_panic(text in ".{0,200}") {
            read(&text);
        }
    }

    #[test]
    fn ids_say_what_they_are_credited_to() {
        let id = Uuid::nil();
        let plain = written(id, (Source::Personal, "home"), None, None);
        assert_eq!(plain, "00000000-0000-0000-0000-000000000000.personal.home");
        let varied = credit("home", Some(("spread", "control")));
        let names = ("spread".to_owned(), "control".to_owned());
        let text = written(id, (Source::Personal, "home"), Some(&names), None);
        assert_eq!(read(&text), Some((id, Some(Written { id, credit: varied, drawn: None }))));
        assert_eq!(read(&id.simple().to_string()), Some((id, None)));
        for odd in [
            "",
            "x.personal.home",
            &format!("{id}.friend.home"),
            &format!("{id}.personal"),
            &format!("{id}.personal.home.drawn-2000000-00"),
        ] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
