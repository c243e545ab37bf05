//! Finds text without regard to case, and without allocating.

/// A text to look for. Case is folded character by character with Unicode's lower case, so a
/// character whose lower case depends on its neighbours (the Greek final sigma) is taken alone.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    lowered: Box<str>,
}

fn lowered(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

impl Needle {
    /// Prepares `text` to be looked for.
    pub(super) fn new(text: &str) -> Self {
        Self { lowered: lowered(text).collect::<String>().into() }
    }

    /// Whether `text` is the same but for case.
    pub(super) fn is_all_of(&self, text: &str) -> bool {
        if text.is_ascii() {
            return text.eq_ignore_ascii_case(&self.lowered);
        }
        lowered(text).eq(self.lowered.chars())
    }

    /// Whether it stands somewhere in `text`; nothing stands everywhere.
    pub(super) fn is_part_of(&self, text: &str) -> bool {
        let Some(&first) = self.lowered.as_bytes().first() else {
            return true;
        };
        if text.is_ascii() {
            let (text, sought) = (text.as_bytes(), self.lowered.as_bytes());
            return text.windows(sought.len()).any(|window| {
                window[0].to_ascii_lowercase() == first && window.eq_ignore_ascii_case(sought)
            });
        }
        text.char_indices().any(|(at, _)| {
            let mut rest = lowered(&text[at..]);
            self.lowered.chars().all(|sought| rest.next() == Some(sought))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter_in_any_script() {
        assert!(Needle::new("GRÖSSE").is_part_of("Schuhgrösse 42"));
        assert!(Needle::new("мир").is_part_of("ВОЙНА И МИР"));
        assert!(Needle::new("mug").is_part_of("Blue MUG, 300 ml"));
        assert!(Needle::new("k").is_part_of("300 \u{212a}"), "the Kelvin sign is a k");
        assert!(!Needle::new("mugs").is_part_of("Blue mug"));
        assert!(!Needle::new("öl").is_part_of("oel"));
        assert!(Needle::new("").is_part_of(""));
    }

    #[test]
    fn the_whole_text_is_compared_where_the_whole_is_meant() {
        assert!(Needle::new("Mugs").is_all_of("mUGS"));
        assert!(Needle::new("ÖL").is_all_of("öl"));
        assert!(!Needle::new("mug").is_all_of("mugs"));
        assert!(!Needle::new("öl").is_all_of("ölig"));
    }
}
