//! The people a shop knows, and what it keeps when one of them asks to be forgotten.

use super::{Sequence, Timestamp, UserId};
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

/// A guest's history that went over to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// Running number; what a follower reads by.
    pub sequence: i64,
    /// The guest: the id of a user, or of a session without one.
    pub from: String,
    /// The customer.
    pub into: UserId,
    /// When.
    pub merged_at: Timestamp,
    /// The last event that was moved: what comes from this guest later begins anew.
    pub moved_until: Sequence,
    /// How many were moved.
    pub events_moved: u64,
}

/// The hash by which a receipt names a person.
pub fn user_hash(user: &UserId) -> String {
    id_hash(user.as_str())
}

/// The same of any id.
pub fn id_hash(id: &str) -> String {
    blake3::hash(id.as_bytes()).to_hex().to_string()
}
