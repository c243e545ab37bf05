//! Visits: what one shopper dealt with, one after the other, without a long pause.

use crate::domain::{EventKind, Timestamp};
use crate::learn::dataset::{UserIdx, log::Act};

/// One shopper's items between two pauses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visit<'a> {
    /// Who.
    pub user: UserIdx,
    /// Places of its acts among those it was made from, rising; as many as `items`.
    pub acts: &'a [u32],
    /// Items in the order they were dealt with; an item is not its own successor.
    pub items: &'a [u32],
    /// When it ended.
    pub ended_at: Timestamp,
}

/// All visits of a log; 8 bytes an act, 12 a visit.
#[derive(Clone, Debug, Default)]
pub struct Visits {
    users: Vec<UserIdx>,
    ends: Vec<u32>,
    ended_at: Vec<Timestamp>,
    acts: Vec<u32>,
    items: Vec<u32>,
}

/// Whether somebody who does this is interested in the item at this moment.
pub fn is_interest(kind: EventKind, weight: f32) -> bool {
    weight > 0.0 && !matches!(kind, EventKind::Impression | EventKind::Return)
}

impl Visits {
    /// Cuts every shopper's acts, which are in order of time, where they pause for more than `gap_ms`.
    ///
    /// A click that leads to a view, and a view to the cart, is one step: of neighbouring acts about one item
    /// the first counts. What says nothing or speaks against an item is no step.
    pub fn of(acts: &[Act], gap_ms: i64) -> Self {
        let n_users = acts.iter().map(|act| act.user.0 as usize + 1).max().unwrap_or(0);
        let mut starts = vec![0_u32; n_users + 1];
        let is_step = |act: &&Act| is_interest(act.kind, act.weight);
        for act in acts.iter().filter(is_step) {
            starts[act.user.0 as usize + 1] += 1;
        }
        for user in 0..n_users {
            starts[user + 1] += starts[user];
        }
        let mut next = starts.clone();
        let mut ordered = vec![0_u32; starts.last().copied().unwrap_or(0) as usize];
        for (at, act) in (0..).zip(acts).filter(|(_, act)| is_step(act)) {
            let place = &mut next[act.user.0 as usize];
            ordered[*place as usize] = at;
            *place += 1;
        }
        let mut visits = Self::default();
        for user in 0..n_users {
            let own = &ordered[starts[user] as usize..starts[user + 1] as usize];
            let goes_on =
                |a: &u32, b: &u32| acts[*b as usize].at.since_ms(acts[*a as usize].at) <= gap_ms;
            for visit in own.chunk_by(goes_on) {
                let first = visits.items.len();
                for &at in visit {
                    let item = acts[at as usize].item.0;
                    if visits.items.len() == first || visits.items.last() != Some(&item) {
                        visits.items.push(item);
                        visits.acts.push(at);
                    }
                }
                visits.users.push(UserIdx(user as u32));
                visits.ends.push(visits.items.len() as u32);
                let last = visit.last().map_or(Timestamp::default(), |&at| acts[at as usize].at);
                visits.ended_at.push(last);
            }
        }
        visits
    }

    /// Number of visits.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Every visit, by shopper, each shopper's by time.
    pub fn iter(&self) -> impl Iterator<Item = Visit<'_>> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).enumerate().map(|(at, (begin, &end))| Visit {
            user: self.users[at],
            acts: &self.acts[begin as usize..end as usize],
            items: &self.items[begin as usize..end as usize],
            ended_at: self.ended_at[at],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sequence;
    use crate::learn::dataset::ItemIdx;

    fn act(user: u32, item: u32, minute: i64, kind: EventKind) -> Act {
        Act {
            at: Timestamp(minute * 60_000),
            sequence: Sequence(minute),
            user: UserIdx(user),
            item: ItemIdx(item),
            quantity: 1.0,
            weight: if kind == EventKind::Dislike { -1.0 } else { 1.0 },
            visit: 0,
            kind,
        }
    }

    #[test]
    fn a_pause_ends_a_visit_and_an_item_does_not_follow_itself() {
        use EventKind::{AddToCart, Click, Dislike, Impression, View};
        let acts = [
            act(1, 4, 0, View),
            act(0, 7, 1, View),
            act(1, 4, 2, AddToCart),
            act(1, 9, 3, Impression),
            act(1, 8, 3, Dislike),
            act(1, 5, 30, Click),
            act(1, 4, 60, View),
            act(1, 6, 91, View),
        ];
        let visits = Visits::of(&acts, 30 * 60_000);
        let items: Vec<&[u32]> = visits.iter().map(|visit| visit.items).collect();
        assert_eq!(items, [&[7][..], &[4, 5, 4], &[6]]);
        let second = visits.iter().nth(1).unwrap();
        assert_eq!((second.user, second.acts), (UserIdx(1), &[0, 5, 6][..]));
        assert_eq!(second.ended_at, Timestamp(60 * 60_000));
        assert_eq!((visits.len(), Visits::of(&[], 1).is_empty()), (3, true));
    }
}
