//! The shop's own names for its people and goods, checked once where they enter.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Longest id the service takes, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 128;

/// Why a string cannot be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The string has no bytes.
    #[error("must not be empty")]
    Empty,
    /// The string is longer than [`ID_BYTES_MAX`].
    #[error("is {0} bytes long, at most {ID_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// The string holds a control character (Unicode category Cc), at this byte.
    #[error("contains a control character at byte {0}")]
    ControlCharacter(usize),
}

/// Checks the rule that every id obeys: 1 to 128 bytes of UTF-8 without control characters.
pub fn check_id(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong(text.len()));
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(IdError::ControlCharacter(at)),
        None => Ok(()),
    }
}

macro_rules! shop_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` as an id if it keeps the rule of [`check_id`].
            pub fn new(text: impl AsRef<str> + Into<Arc<str>>) -> Result<Self, IdError> {
                check_id(text.as_ref())?;
                Ok(Self(text.into()))
            }

            /// The id as the shop wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;
            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

shop_id! {
    /// A customer, as the shop names them.
    UserId
}
shop_id! {
    /// Something the shop sells, as the shop names it.
    ItemId
}
shop_id! {
    /// One visit, as the storefront names it; stands in for the user while nobody is signed in.
    SessionId
}
shop_id! {
    /// A rule of the merchandisers', as they name it.
    RuleId
}

/// Whose behaviour an event tells of: a known customer, or a visit by somebody unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ShopperId {
    /// A customer with an id.
    User(UserId),
    /// A visit without a customer.
    Session(SessionId),
}

impl ShopperId {
    /// The customer's id, if there is one.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Session(_) => None,
        }
    }

    /// Whom an id may name: a customer, and a visit.
    pub fn named(id: &str) -> impl Iterator<Item = Self> {
        let user = UserId::new(id).ok().map(Self::User);
        user.into_iter().chain(SessionId::new(id).ok().map(Self::Session))
    }

    /// The id, of either kind.
    pub fn as_str(&self) -> &str {
        match self {
            Self::User(user) => user.as_str(),
            Self::Session(session) => session.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_128_bytes_without_control_characters() {
        assert!(ItemId::new("a/b ☕").is_ok());
        assert!(ItemId::new("x".repeat(128)).is_ok());
        assert_eq!(ItemId::new(""), Err(IdError::Empty));
        assert_eq!(ItemId::new("x".repeat(129)), Err(IdError::TooLong(129)));
        assert_eq!(ItemId::new("ab\n"), Err(IdError::ControlCharacter(2)));
        assert_eq!(ItemId::new("a\u{85}"), Err(IdError::ControlCharacter(1)));
    }
}
