//! How much memory the process needed at most.
//!
//! Linux keeps the peak of the resident set and can be asked to begin anew (proc(5), `VmHWM` of `status`
//! and 5 written to `clear_refs`). Elsewhere nothing is known.

use std::fs;

/// The greatest resident set since this was made.
#[derive(Debug)]
pub(super) struct PeakMemory {
    can_begin_anew: bool,
}

impl PeakMemory {
    /// Begins to look.
    pub(super) fn begin() -> Self {
        Self { can_begin_anew: fs::write("/proc/self/clear_refs", "5").is_ok() }
    }

    /// Bytes; `None` if the system does not tell.
    pub(super) fn n_bytes(&self) -> Option<u64> {
        if !self.can_begin_anew {
            return None;
        }
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(1024 * kibibytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_needed_in_between_is_seen() {
        let peak = PeakMemory::begin();
        let Some(before) = peak.n_bytes() else { return };
        let size = 64 << 20;
        let room = vec![1_u8; size];
        assert!(room.iter().all(|&byte| byte == 1));
        drop(room);
        let after = peak.n_bytes().unwrap();
        // Other tests run in the same process and may give memory back; half is still seen.
        assert!(before + size as u64 / 2 < after, "{before} {after}");
    }
}
