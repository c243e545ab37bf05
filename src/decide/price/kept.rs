//! Cases as they are kept with decisions, so that a price can be decided again long after.

use super::choice::Case;

/// Rises when a case means something else than before.
const FORMAT: u8 = 2;

/// The one before it, whose cases end before [`Case::is_promoted`]: nobody could say so then.
const WITHOUT_PROMOTION: u8 = 1;

/// The case as bytes.
pub fn encode(case: &Case) -> Vec<u8> {
    let kept = postcard::to_extend(case, vec![FORMAT]);
    // A case is plain data: writing it to memory cannot fail.
    kept.unwrap_or_default()
}

/// The case that was kept; `None` if it is no case, or of a version that is not known.
pub fn decode(kept: &[u8]) -> Option<Case> {
    let (&format, rest) = kept.split_first()?;
    match format {
        FORMAT => postcard::from_bytes(rest).ok(),
        // A byte of 0 is `false`.
        WITHOUT_PROMOTION => postcard::from_bytes(&[rest, &[0]].concat()).ok(),
        _ => None,
    }
}

/// Names what a price was decided by: equal cases have equal names.
pub fn replay_hash(kept: &[u8]) -> String {
    blake3::hash(kept).to_hex()[..32].to_owned()
}
