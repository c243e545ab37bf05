//! What makes items so alike that a list should not be full of them.

use crate::domain::Item;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{borrow::Cow, fmt};

/// What items of one kind have in common. Items that lack it are of no kind and never capped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CapBy {
    /// The brand.
    Brand,
    /// The first category, which is the most important one.
    Category,
    /// The group of variants.
    Group,
    /// The attribute of this name; of a list its first member.
    Attribute(String),
}

impl CapBy {
    /// The kind that an item is of.
    pub fn kind_of<'a>(&self, item: &'a Item) -> Option<Cow<'a, str>> {
        let fields = &item.fields;
        match self {
            Self::Brand => fields.brand.as_deref().map(Cow::Borrowed),
            Self::Category => fields.categories.first().map(|first| Cow::Borrowed(&**first)),
            Self::Group => fields.group.as_deref().map(Cow::Borrowed),
            Self::Attribute(name) => match fields.attributes.get(name)? {
                Value::Array(members) => members.first().and_then(text_of),
                single => text_of(single),
            },
        }
    }
}

fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl fmt::Display for CapBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brand => f.write_str("brand"),
            Self::Category => f.write_str("category"),
            Self::Group => f.write_str("group"),
            Self::Attribute(name) => write!(f, "attributes.{name}"),
        }
    }
}

impl From<CapBy> for String {
    fn from(by: CapBy) -> Self {
        by.to_string()
    }
}

impl TryFrom<String> for CapBy {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match &*text {
            "brand" => Ok(Self::Brand),
            "category" => Ok(Self::Category),
            "group" => Ok(Self::Group),
            other => match other.strip_prefix("attributes.") {
                Some(name) => Ok(Self::Attribute(name.to_owned())),
                None => Err("must be brand, category, group or attributes.NAME".into()),
            },
        }
    }
}
