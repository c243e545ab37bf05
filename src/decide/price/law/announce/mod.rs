//! Whether a price may be announced as a reduction, and of how much.

mod note;

pub use note::{LawNote, Percent};

use super::{
    MarketLaw, NewGoods, PriorPrice,
    history::{Asked, asked, just_before},
    prior::lowest_in,
};
use crate::domain::{Cents, PriceEntry, Timestamp};
use std::cmp::Ordering;

/// Who can pay a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everybody, were it with a coupon that everybody can have.
    #[default]
    Everybody,
    /// Members of a loyalty scheme.
    Members,
    /// One person.
    Person,
}

/// What else the answer depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnnounceContext {
    /// When the good was first offered at a price; `None` = not known, so only the ledger can tell that it is not new.
    pub on_sale_since: Option<Timestamp>,
    /// Whether it soon perishes.
    pub is_perishable: bool,
    /// Who can pay the price.
    pub audience: Audience,
    /// Since when a reduction of it has been announced without a break. A price that fell in silence and is announced
    /// later is no such reduction: it compares with the days before its announcement, itself among them.
    pub announced_since: Option<Timestamp>,
}

/// What may be done with a new price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnouncementKind {
    /// It may be announced as a reduction, with the prior price and the percentage.
    Reduction,
    /// It may be asked, but not announced as a reduction.
    PlainChange,
    /// It may not be asked.
    Forbidden,
}

/// The answer, with what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whether a reduction may be announced.
    pub allowed: bool,
    /// The price to show with it: the prior price, or where the market asks for none, the one before.
    pub reference: Option<Cents>,
    /// The prior price, if one was looked for.
    pub prior: Option<PriorPrice>,
    /// By how much the new price is below the reference, rounded down; `None` if it is above.
    pub percent: Option<Percent>,
    /// What may be done.
    pub kind: AnnouncementKind,
    /// Why, most important first.
    pub why: Vec<LawNote>,
}

/// Says whether `new_price`, asked from `at` on, may be announced as a reduction.
///
/// `ledger`: the item's prices for everybody, in any order, from before the prior price's window on. For a reduction
/// that runs already (`announced_since`) the answer is as at its start: while the price stays the same always, while
/// it falls further for as long as the market allows.
pub fn announce(
    ledger: &[PriceEntry],
    new_price: Cents,
    at: Timestamp,
    law: &MarketLaw,
    context: &AnnounceContext,
) -> Announcement {
    Asking { asked: &asked(ledger), new_price, at, law, context }.answer()
}

/// The first time from `from` on at which `new_price` may be announced as a reduction, if the price of then stays
/// until then; `None` if never.
///
/// Looks only where something leaves the window or the window is first full: O(n²) in entries.
/// Campaigns that run are left aside: this is about the next one.
pub fn announceable_from(
    ledger: &[PriceEntry],
    new_price: Cents,
    from: Timestamp,
    law: &MarketLaw,
    context: &AnnounceContext,
) -> Option<Timestamp> {
    let asked = asked(ledger);
    let context = AnnounceContext { announced_since: None, ..*context };
    let starts = asked.first().map(|first| Timestamp(first.from));
    let ends = asked.iter().map(|span| Timestamp(span.to)).filter(|end| end.0 < i64::MAX);
    let edges = ends.chain(starts).chain(context.on_sale_since);
    let windows = [law.prior_days, law.shortest_window()];
    let left = edges.flat_map(|edge| windows.map(|days| law.time_zone.left_behind(edge, days)));
    let begins = asked.iter().map(|span| Timestamp(span.from));
    // What begins at a time is in force just before the next millisecond, not before.
    let times = left.chain(begins).flat_map(|time| [time, time.plus_ms(1)]);
    let mut times: Vec<Timestamp> = times.filter(|&time| from < time).chain([from]).collect();
    times.sort_unstable();
    times.dedup();
    times.into_iter().find(|&at| {
        Asking { asked: &asked, new_price, at, law, context: &context }.answer().allowed
    })
}

/// One question.
struct Asking<'a> {
    asked: &'a [Asked],
    new_price: Cents,
    at: Timestamp,
    law: &'a MarketLaw,
    context: &'a AnnounceContext,
}

impl Asking<'_> {
    fn answer(&self) -> Announcement {
        if self.new_price.0 <= 0 {
            return refused(AnnouncementKind::Forbidden, None, vec![LawNote::NotAPrice]);
        }
        match self.context.audience {
            Audience::Everybody => {}
            Audience::Members => {
                return refused(AnnouncementKind::PlainChange, None, vec![LawNote::MembersOnly]);
            }
            Audience::Person => {
                return refused(AnnouncementKind::Forbidden, None, vec![LawNote::Personal]);
            }
        }
        let exempt = self.context.is_perishable && self.law.perishables_exempt;
        let lifted = if self.law.prior_days == 0 { Some(LawNote::NoRule) } else { None };
        match lifted.or(exempt.then_some(LawNote::Perishable)) {
            Some(note) => self.against_the_price_before(note),
            None => self.against_the_prior_price(),
        }
    }

    /// Without the rule the percentage is still of a price that was asked.
    fn against_the_price_before(&self, note: LawNote) -> Announcement {
        let (start, campaign) = self.start(|since| just_before(self.asked, since));
        let mut why: Vec<LawNote> = campaign.into_iter().chain([note]).collect();
        if let Some(before) = just_before(self.asked, start) {
            return judged(self.new_price, before, None, why);
        }
        why.insert(0, LawNote::NothingBefore);
        refused(AnnouncementKind::PlainChange, None, why)
    }

    fn against_the_prior_price(&self) -> Announcement {
        let lowest = |since| lowest_in(self.asked, self.window(since).0, since);
        let (start, campaign) = self.start(|since| lowest(since).price);
        let (_, newness) = self.window(start);
        let prior = lowest(start);
        let obstacle = if newness == Some(LawNote::TooNew) {
            newness
        } else if !prior.covers_window {
            Some(LawNote::LedgerTooShort)
        } else if prior.price.is_none() {
            Some(LawNote::NothingBefore)
        } else {
            None
        };
        let mut why: Vec<LawNote> = campaign.into_iter().collect();
        match (obstacle, prior.price) {
            (None, Some(reference)) => {
                let unpriced = (prior.unpriced_ms > 0).then_some(LawNote::Unpriced);
                why.extend(newness.into_iter().chain(unpriced));
                judged(self.new_price, reference, Some(prior), why)
            }
            (obstacle, _) => {
                why.splice(0..0, obstacle);
                refused(AnnouncementKind::PlainChange, Some(prior), why)
            }
        }
    }

    /// Where the window begins, and a note if the good is newer than it reaches back.
    fn window(&self, start: Timestamp) -> (Timestamp, Option<LawNote>) {
        let back = |days| self.law.time_zone.days_before(start, days);
        let whole = back(self.law.prior_days);
        match (self.context.on_sale_since, self.law.new_goods) {
            (Some(since), rule) if whole < since => match rule {
                NewGoods::Wait => (whole, Some(LawNote::TooNew)),
                NewGoods::TimeOnSale if since < start => (since, Some(LawNote::NewGood)),
                NewGoods::TimeOnSale => (start, Some(LawNote::TooNew)),
                NewGoods::Days(days) if since <= back(days) => (back(days), Some(LawNote::NewGood)),
                NewGoods::Days(days) => (back(days), Some(LawNote::TooNew)),
            },
            _ => (whole, None),
        }
    }

    /// When the reduction began that the new price belongs to, and why then; `reference` says what a price from some
    /// time on compares with.
    ///
    /// A campaign that did not begin with a cut, or whose price rose meanwhile, is none: then the reduction begins now,
    /// which the law allows in any case.
    fn start(
        &self,
        reference: impl Fn(Timestamp) -> Option<Cents>,
    ) -> (Timestamp, Option<LawNote>) {
        let Some(since) = self.context.announced_since.filter(|&since| since < self.at) else {
            return (self.at, None);
        };
        let is_meanwhile = |span: &&Asked| since.0 < span.to && span.from < self.at.0;
        let meanwhile: Vec<&Asked> = self.asked.iter().filter(is_meanwhile).collect();
        let prices = || meanwhile.iter().map(|span| span.price);
        let begins_with_cut = meanwhile.first().is_some_and(|first| {
            first.from == since.0 && reference(since).is_some_and(|before| first.price < before)
        });
        if !begins_with_cut {
            return (self.at, Some(LawNote::CampaignUnknown));
        }
        let mut steps = prices().zip(prices().skip(1).chain([self.new_price]));
        if !steps.all(|(before, after)| before >= after) {
            return (self.at, Some(LawNote::CampaignRose));
        }
        if prices().all(|price| price == self.new_price) {
            return (since, Some(LawNote::Continued));
        }
        let days = self.law.progressive_days;
        if days == 0 {
            (self.at, Some(LawNote::NoProgressiveRule))
        } else if self.at < self.law.time_zone.days_after(since, days) {
            (since, Some(LawNote::Progressive))
        } else {
            (self.at, Some(LawNote::CampaignTooLong))
        }
    }
}

impl MarketLaw {
    /// The fewest days that a prior price may rest on.
    fn shortest_window(&self) -> u16 {
        match self.new_goods {
            NewGoods::Wait => self.prior_days,
            NewGoods::TimeOnSale => 0,
            NewGoods::Days(days) => days,
        }
    }
}

fn refused(kind: AnnouncementKind, prior: Option<PriorPrice>, why: Vec<LawNote>) -> Announcement {
    Announcement { allowed: false, reference: None, prior, percent: None, kind, why }
}

fn judged(
    new_price: Cents,
    reference: Cents,
    prior: Option<PriorPrice>,
    mut why: Vec<LawNote>,
) -> Announcement {
    let percent = Percent::below(new_price, reference);
    let note = match (new_price.cmp(&reference), percent) {
        (Ordering::Less, Some(percent)) if percent.tenths() > 0 => LawNote::BelowReference,
        (Ordering::Less, _) => LawNote::TooSmall,
        (Ordering::Equal, _) => LawNote::AtReference,
        (Ordering::Greater, _) => LawNote::AboveReference,
    };
    why.insert(0, note);
    let allowed = note == LawNote::BelowReference;
    let kind = if allowed { AnnouncementKind::Reduction } else { AnnouncementKind::PlainChange };
    Announcement { allowed, reference: Some(reference), prior, percent, kind, why }
}

#[cfg(test)]
mod tests;
