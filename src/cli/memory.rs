//! How much memory the process needed at most.
//!
//! Linux keeps the peak of the resident set and can be asked to begin anew (proc(5), `VmHWM` of `status`
//! and 5 written to `clear_refs`). Elsewhere nothing is known.

use std::{
    fs,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

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

/// How often is looked at what is resident.
const LOOK: Duration = Duration::from_millis(10);
/// Looks that are kept; with more, each stands for twice as long.
const LOOKS_MAX: usize = 20_000;

/// What is resident, looked at by a thread of its own from when this is made until it is asked.
#[derive(Debug)]
pub(super) struct ResidentMemory {
    stop: Sender<()>,
    looks: JoinHandle<Looks>,
}

impl ResidentMemory {
    /// Begins to look; `None` if the system does not tell, or has no thread to spare.
    pub(super) fn begin() -> Option<Self> {
        resident()?;
        let (stop, is_over) = mpsc::channel();
        let begun = Instant::now();
        let look = move || {
            let mut looks = Looks { width: LOOK, peaks: Vec::new() };
            while is_over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                looks.add(begun.elapsed(), resident().unwrap_or(0));
            }
            looks
        };
        let looks = thread::Builder::new().name("resident".into()).spawn(look).ok()?;
        Some(Self { stop, looks })
    }

    /// The most that was resident in each of the parts that followed on one another since the beginning and took so
    /// many seconds.
    pub(super) fn peaks_of(self, seconds: &[f64]) -> Vec<u64> {
        drop(self.stop);
        let looks = self.looks.join().ok();
        let mut from = 0.0;
        let of_part = |&seconds: &f64| {
            let part = from..from + seconds;
            from = part.end;
            looks.as_ref().map_or(0, |looks| looks.most_in(part))
        };
        seconds.iter().map(of_part).collect()
    }
}

fn resident() -> Option<u64> {
    memory_stats::memory_stats().map(|stats| stats.physical_mem as u64)
}

/// The most that was seen in spans of one length.
#[derive(Debug)]
struct Looks {
    width: Duration,
    peaks: Vec<u64>,
}

impl Looks {
    fn add(&mut self, at: Duration, bytes: u64) {
        let mut span = self.span_of(at.as_secs_f64());
        while span >= LOOKS_MAX {
            self.peaks =
                self.peaks.chunks(2).map(|pair| pair.iter().copied().fold(0, u64::max)).collect();
            self.width *= 2;
            span = self.span_of(at.as_secs_f64());
        }
        // Between two looks nothing is known but what was seen before.
        let last = self.peaks.last().copied().unwrap_or(bytes);
        self.peaks.resize(self.peaks.len().max(span), last);
        match self.peaks.get_mut(span) {
            Some(peak) => *peak = bytes.max(*peak),
            None => self.peaks.push(bytes),
        }
    }

    fn span_of(&self, seconds: f64) -> usize {
        (seconds / self.width.as_secs_f64()) as usize
    }

    fn most_in(&self, seconds: std::ops::Range<f64>) -> u64 {
        let last = self.peaks.len().saturating_sub(1);
        let spans = self.span_of(seconds.start).min(last)..=self.span_of(seconds.end).min(last);
        self.peaks.get(spans).unwrap_or_default().iter().copied().fold(0, u64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_bounded_and_lose_no_peak() {
        let mut looks = Looks { width: LOOK, peaks: Vec::new() };
        // A peak a second, for as long as takes four times the room.
        let n = 4 * LOOKS_MAX as u64;
        for at in 0..n {
            looks.add(at as u32 * LOOK, if at % 100 == 50 { 1_000 + at / 100 } else { at / 100 });
        }
        assert!(looks.peaks.len() <= LOOKS_MAX);
        for second in [0, 7, n / 100 - 1] {
            let part = second as f64 + 0.1..second as f64 + 0.9;
            assert_eq!(looks.most_in(part), 1_000 + second, "second {second}");
        }
        assert_eq!(looks.most_in(1e9..2e9), (n - 1) / 100, "what was seen last");
        assert_eq!(Looks { width: LOOK, peaks: Vec::new() }.most_in(0.0..1.0), 0);
    }

    #[test]
    fn each_part_has_its_own_peak() {
        let Some(memory) = ResidentMemory::begin() else { return };
        let begun = Instant::now();
        thread::sleep(10 * LOOK);
        let before = begun.elapsed().as_secs_f64();
        let room = vec![1_u8; 256 << 20];
        thread::sleep(10 * LOOK);
        assert!(room.iter().all(|&byte| byte == 1));
        let peaks = memory.peaks_of(&[before, begun.elapsed().as_secs_f64() - before]);
        // Other tests run in the same process and may give memory back; half is still seen.
        assert!(peaks[0] > 0 && peaks[0] + (128 << 20) < peaks[1], "{peaks:?}");
    }

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
