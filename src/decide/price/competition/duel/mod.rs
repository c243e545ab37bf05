//! Whether a seller merely answers our own moves.
//!
//! Two machines that undercut each other end where neither earns anything, and neither learns from it what the good is
//! worth. So a seller who answers is no longer followed.
//!
//! A move of ours is *answered* if the seller's price moves in the same direction within the answer window (48 hours).
//! The seller answers if more than 60 % of our moves are answered, there are enough of them, and chance does not
//! explain it. What chance does depends on how often the seller moves anyway, so each of our moves is its own control:
//! had the two nothing to do with each other, the seller's next move of that direction would be as likely to come
//! sooner after ours as the last one was before it, and which it is would be a fair coin. The number of moves that are
//! followed sooner than they were preceded is held against it by an exact binomial test, one-sided (a sign test). No
//! model of how often the seller moves is needed, and one who moves every day is not taken for one who answers.
//!
//! To keep the trials apart, our moves within the answer window of one that counts do not count themselves. Moves
//! whose window is not over, or not watched, do not count either. Where the nearer of the two moves was not seen
//! because nobody watched for long enough, the pair is left out of the test.
//!
//! What it cannot see: two sellers who each change prices at a fixed hour of the day look like one who answers; not to
//! follow is then the careful mistake. A seller whom we ourselves answer within minutes is not found, since theirs is
//! as near before our moves as after; a dwell time of ours prevents that. That the control lies in time, and the
//! direction must be the same, is our choice.

use super::{CompetitionPolicy, DuelPolicy};
use crate::{
    domain::{
        Cents, CompetitorOffer, PriceEntry, Timestamp,
        time::{DAY_MS, HOUR_MS},
    },
    learn::demand::competitors::seller,
};
use statrs::distribution::{Binomial, DiscreteCDF};
use std::collections::BTreeMap;

/// What is known of a seller's answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Duel {
    /// Our moves that count.
    pub n_our_moves: u32,
    /// Those of them that the seller answered.
    pub n_answered: u32,
    /// Those where it is known which was nearer, the seller's move before or after.
    pub n_compared: u32,
    /// Those of them where the one after was.
    pub n_followed_sooner: u32,
    /// How often chance alone leads to as many of these or more.
    pub p_value: f64,
    /// Whether the seller answers: do not follow.
    pub answers: bool,
}

/// A change of price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    at: Timestamp,
    is_up: bool,
}

/// Says whether a seller answers our moves; both histories in any order, what lies after `now` left aside.
pub fn duel(
    ours: &[PriceEntry],
    theirs: &[(Timestamp, Cents)],
    now: Timestamp,
    policy: &DuelPolicy,
) -> Duel {
    let answer_ms = (policy.answer_hours * HOUR_MS as f64) as i64;
    let since = now.plus_ms(-((policy.lookback_days * DAY_MS as f64) as i64));
    let seen: Vec<Timestamp> =
        theirs.iter().map(|&(at, _)| at).filter(|at| (since..=now).contains(at)).collect();
    let watched = seen.iter().min().copied().zip(seen.iter().max().copied());
    let ours = moves(ours.iter().map(|entry| (entry.from, entry.price)), since, now);
    let theirs = moves(theirs.iter().copied(), since, now);
    let mut counts = Counts::default();
    let mut last_counted: Option<Timestamp> = None;
    for own in ours {
        let is_apart = last_counted.is_none_or(|last| answer_ms < own.at.since_ms(last));
        let is_watched =
            |(from, to): (Timestamp, Timestamp)| from <= own.at && own.at.plus_ms(answer_ms) <= to;
        if let Some(watched) = watched.filter(|&watched| is_apart && is_watched(watched)) {
            last_counted = Some(own.at);
            counts.add(own, &theirs, watched, answer_ms);
        }
    }
    counts.judged(policy)
}

/// Holds every seller's history against our moves, by their names.
pub fn duels(
    ours: &[PriceEntry],
    offers: &[CompetitorOffer],
    now: Timestamp,
    policy: &CompetitionPolicy,
) -> BTreeMap<String, Duel> {
    let mut theirs: BTreeMap<String, Vec<(Timestamp, Cents)>> = BTreeMap::new();
    for offer in offers {
        let history = theirs.entry(seller(&offer.competitor)).or_default();
        history.push((offer.observed_at, offer.price));
    }
    let judge = |theirs: Vec<(Timestamp, Cents)>| duel(ours, &theirs, now, &policy.duel);
    theirs.into_iter().map(|(name, theirs)| (name, judge(theirs))).collect()
}

/// The changes of price between two times, oldest first. Of two prices of one time the higher counts.
fn moves(
    prices: impl Iterator<Item = (Timestamp, Cents)>,
    since: Timestamp,
    now: Timestamp,
) -> Vec<Move> {
    let mut prices: Vec<(Timestamp, Cents)> =
        prices.filter(|&(at, price)| at <= now && price.0 > 0).collect();
    prices.sort_unstable();
    let mut by_time: Vec<(Timestamp, Cents)> = Vec::with_capacity(prices.len());
    for (at, price) in prices {
        match by_time.last_mut() {
            Some(last) if last.0 == at => last.1 = price,
            _ => by_time.push((at, price)),
        }
    }
    let steps = by_time.iter().zip(by_time.iter().skip(1));
    steps
        .filter(|(before, after)| before.1 != after.1 && since <= after.0)
        .map(|(before, after)| Move { at: after.0, is_up: before.1 < after.1 })
        .collect()
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    moves: u32,
    answered: u32,
    compared: u32,
    followed_sooner: u32,
}

impl Counts {
    fn add(&mut self, own: Move, theirs: &[Move], watched: (Timestamp, Timestamp), answer_ms: i64) {
        let same = || theirs.iter().filter(|other| other.is_up == own.is_up);
        let after = same().find(|other| own.at < other.at).map(|other| other.at.since_ms(own.at));
        let before = same().rfind(|other| other.at <= own.at);
        let before = before.map(|other| own.at.since_ms(other.at));
        self.moves += 1;
        self.answered += u32::from(after.is_some_and(|after| after <= answer_ms));
        // What was not seen is farther away than what was watched.
        let unseen_after = watched.1.since_ms(own.at);
        let unseen_before = own.at.since_ms(watched.0);
        let followed_sooner = match (before, after) {
            (Some(before), Some(after)) if before != after => Some(after < before),
            (None, Some(after)) if after <= unseen_before => Some(true),
            (Some(before), None) if before <= unseen_after => Some(false),
            _ => None,
        };
        self.compared += u32::from(followed_sooner.is_some());
        self.followed_sooner += u32::from(followed_sooner == Some(true));
    }

    fn judged(self, policy: &DuelPolicy) -> Duel {
        let chance = Binomial::new(0.5, u64::from(self.compared)).ok();
        let p_value = match (self.followed_sooner.checked_sub(1), chance) {
            (Some(fewer), Some(chance)) => chance.sf(u64::from(fewer)),
            _ => 1.0,
        };
        let answers = self.moves >= policy.moves_min.max(1)
            && f64::from(self.answered) > policy.share_min * f64::from(self.moves)
            && p_value <= policy.p_max;
        Duel {
            n_our_moves: self.moves,
            n_answered: self.answered,
            n_compared: self.compared,
            n_followed_sooner: self.followed_sooner,
            p_value,
            answers,
        }
    }
}

#[cfg(test)]
mod tests;
