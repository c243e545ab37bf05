//! The id of an answer, which says by itself what events that follow from it are credited to: so that they are after a
//! restart, and by a process that did not give the answer.
//!
//! `019a….personal.home` or `019a….personal.home.spread.control`: a UUID, where the list came from, the scenario, and the
//! experiment with its variant. A name that does not fit is left out with all that would follow; then the id is the
//! UUID alone, and the answer is known while it is in memory.

use crate::{decide::recommend::Source, domain::Credit};
use uuid::Uuid;

/// As long as an event may say.
const BYTES_MAX: usize = 128;
const SEPARATOR: char = '.';

/// The id of an answer from this source, of this scenario, by this variant of an experiment.
pub(super) fn written(
    id: Uuid,
    (source, scenario): (Source, &str),
    variant: Option<&(String, String)>,
) -> String {
    let mut text = String::with_capacity(BYTES_MAX);
    text.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    let bare = text.len();
    let varied = variant.map(|(experiment, variant)| [experiment.as_str(), variant.as_str()]);
    for name in [source.name(), scenario].into_iter().chain(varied.into_iter().flatten()) {
        if !is_plain(name) || text.len() + 1 + name.len() > BYTES_MAX {
            text.truncate(bare);
            break;
        }
        text.push(SEPARATOR);
        text.push_str(name);
    }
    text
}

/// Letters, digits, `-` and `_` need no escapes anywhere.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.bytes().all(plain)
}

/// The UUID of an answer's id, and what it says of itself; `None` if it is not one of ours.
pub(super) fn read(text: &str) -> Option<(Uuid, Option<Credit>)> {
    let mut parts = text.split(SEPARATOR);
    let id = Uuid::try_parse(parts.next()?).ok()?;
    let names: Vec<&str> = parts.collect();
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
    Some((id, Some(credit)))
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
            scenario in "[a-z_-]{1,70}|.{1,20}", names in prop::option::of(("[a-z0-9]{1,40}", ".{1,10}")),
        ) {
            let names = names.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
            let (id, credit) = (Uuid::now_v7(), credit(&scenario, names));
            let names = names.map(|(a, b)| (a.to_owned(), b.to_owned()));
            let text = written(id, (Source::Personal, &scenario), names.as_ref());
            prop_assert!(text.len() <= BYTES_MAX);
            let (read_id, read_credit) = read(&text).unwrap();
            prop_assert_eq!(read_id, id);
            prop_assert!(read_credit.is_none_or(|read| read == credit));
        }

        #[test]
        fn nothing_that_is_sent_makes_it_panic(text in ".{0,200}") {
            read(&text);
        }
    }

    #[test]
    fn ids_say_what_they_are_credited_to() {
        let id = Uuid::nil();
        let plain = written(id, (Source::Personal, "home"), None);
        assert_eq!(plain, "00000000-0000-0000-0000-000000000000.personal.home");
        let varied = credit("home", Some(("spread", "control")));
        let names = ("spread".to_owned(), "control".to_owned());
        let text = written(id, (Source::Personal, "home"), Some(&names));
        assert_eq!(read(&text), Some((id, Some(varied))));
        assert_eq!(read(&id.simple().to_string()), Some((id, None)));
        for odd in ["", "x.personal.home", &format!("{id}.friend.home"), &format!("{id}.personal")]
        {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
