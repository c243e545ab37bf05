//! The people a shop knows, and what it keeps when one of them asks to be forgotten.

use super::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A customer as the store keeps them.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The shop's id.
    pub user_id: UserId,
    /// What the shop says about them.
    pub attributes: Map<String, Value>,
    /// When the service first heard of them.
    pub first_seen_at: Timestamp,
    /// When their attributes last changed.
    pub updated_at: Timestamp,
}

/// Proof that a person's data was erased. It names the person only by a hash, so that it can be
/// kept: whoever knows the id can check the receipt, nobody can read the id from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureReceipt {
    /// Running number; what a follower reads by.
    pub sequence: i64,
    /// BLAKE3 of the user id, in hexadecimal.
    pub user_hash: String,
    /// When the rows were deleted.
    pub erased_at: Timestamp,
    /// How many events went.
    pub events_erased: u64,
}

/// The hash by which a receipt names a person.
pub fn user_hash(user: &UserId) -> String {
    blake3::hash(user.as_str().as_bytes()).to_hex().to_string()
}
