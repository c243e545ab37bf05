//! Why a text is not a filter.

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {message}")]
pub struct FilterError {
    /// The first character that is wrong, counted from 1; one past the last if something is missing
    /// at the end.
    pub position: usize,
    /// What was expected there and what was found.
    pub message: String,
}

impl FilterError {
    /// The mistake at byte `at` of `text`.
    pub(super) fn at_byte(text: &str, at: usize, message: String) -> Self {
        let before = text.char_indices().take_while(|(start, _)| *start < at).count();
        Self { position: before + 1, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_not_bytes() {
        let error = FilterError::at_byte("\"☕\" x", 6, "expected a field".into());
        assert_eq!(error.position, 5);
        assert_eq!(error.to_string(), "at character 5: expected a field");
    }
}
