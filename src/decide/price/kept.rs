//! Cases as they are kept with decisions, so that a price can be decided again long after.

use super::choice::Case;

/// Rises when a case means something else than before; what was kept under another number cannot be replayed.
const FORMAT: u8 = 1;

/// The case as bytes.
pub fn encode(case: &Case) -> Vec<u8> {
    let kept = postcard::to_extend(case, vec![FORMAT]);
    // A case is plain data: writing it to memory cannot fail.
    kept.unwrap_or_default()
}

/// The case that was kept; `None` if an earlier version kept it, or it is no case.
pub fn decode(kept: &[u8]) -> Option<Case> {
    let (&format, rest) = kept.split_first()?;
    if format == FORMAT { postcard::from_bytes(rest).ok() } else { None }
}

/// Names what a price was decided by: equal cases have equal names.
pub fn replay_hash(kept: &[u8]) -> String {
    blake3::hash(kept).to_hex()[..32].to_owned()
}
