//! The service's own choice of prices, entered in the made-up shop of
//! [`arena`](crate::learn::evaluation::pricing::arena): nothing is simplified for it, every price is
//! [`choose_without_curve`] of a [`Case`] as a run would make it.

use super::choice::{
    Case, ChoicePolicy, CompetitorIndex, ExplorePolicy, Goal, ItemLimits, Past,
    choose_without_curve, may_explore, slot_of,
};
use crate::{
    domain::{Cents, ItemId, Timestamp, time::DAY_MS},
    learn::{
        demand::response::ResponseParams,
        evaluation::pricing::arena::{Learner, Ledger, Policy, Shop},
        recommenders::FitError,
    },
};

const WEEK_MS: i64 = 7 * DAY_MS;
/// Start of the first week; any will do.
const START: Timestamp = Timestamp(2_800 * WEEK_MS);
/// Weeks back to the price of 30 days ago, which was that of the fifth week before this one.
const MONTH_WEEKS: usize = 5;
const MARKET: &str = "arena";

/// Prices by the service's own choice, on what its own model believes.
#[derive(Clone, Debug)]
pub struct Chooser {
    learner: Learner,
    policy: ChoicePolicy,
    items: Vec<ItemId>,
}

/// The rules of the made-up shop: profit counts, a price may change by its step from week to week and is held back by
/// no other rule, so that nobody has less room than the oracle.
pub fn arena_policy(step_max: f64, explore: ExplorePolicy) -> ChoicePolicy {
    ChoicePolicy {
        goal: Goal::Profit,
        margin_floor: 0.0,
        step_max,
        // A price may double in 30 days, which steps of a tenth never do.
        step_30d_max: 1.0,
        endings: Vec::new(),
        fee_share: 0.0,
        salvage_share: 0.0,
        corridor: None,
        explore,
    }
}

/// How prices are tried in the made-up shop: by a tenth of the items for a week, at a loss of 2 % at most.
pub const ARENA_TRIALS: ExplorePolicy =
    ExplorePolicy { enabled: true, loss_max: 0.02, share: 0.1, dwell_days: 7.0 };

impl Chooser {
    /// Opens the shop. Trials of shops of different seeds have nothing to do with each other.
    pub fn new(shop: &Shop, params: ResponseParams, policy: ChoicePolicy) -> Self {
        let items = (0..shop.items().len()).map(|item| id(shop.seed(), item)).collect();
        Self { learner: Learner::new(params), policy, items }
    }
}

impl Policy for Chooser {
    fn prices(&mut self, ledger: &Ledger, competitors: &[f64]) -> Result<Vec<f64>, FitError> {
        let response = self.learner.beliefs(ledger)?;
        let week = ledger.weeks().len();
        let at = START.plus_ms(week as i64 * WEEK_MS);
        let slot = slot_of(at, &self.policy.explore);
        let case = |(position, item): (usize, &ItemId)| Case {
            item: item.clone(),
            market: MARKET.to_owned(),
            at,
            list: None,
            cost: Some(cents(ledger.costs()[position])),
            past: past(ledger, position),
            limits: ItemLimits::default(),
            demand: response.belief(position),
            competitors: Some(CompetitorIndex {
                price: competitors[position],
                n_offers: 3,
                age_hours: 1.0,
                may_follow: true,
            }),
            stock: None,
            may_explore: may_explore(item, &[], MARKET, slot, self.policy.explore.share),
            policy: self.policy.clone(),
            is_promoted: false,
        };
        let price = |case: Case| {
            let kept = case.past.current;
            choose_without_curve(&case).price.or(kept).map_or(f64::NAN, |price| price.0 as f64)
        };
        Ok(self.items.iter().enumerate().map(|item| price(case(item))).collect())
    }
}

/// What the service's ledger would say of the item.
fn past(ledger: &Ledger, item: usize) -> Past {
    let weeks = ledger.weeks();
    let price = |week: usize| cents(weeks[week].prices[item]);
    let Some(last) = weeks.len().checked_sub(1) else { return Past::default() };
    let current = price(last);
    let since = (0..=last).rev().take_while(|&week| price(week) == current).last().unwrap_or(last);
    Past {
        current: Some(current),
        since: Some(START.plus_ms(since as i64 * WEEK_MS)),
        day_ago: Some(current),
        month_ago: weeks.len().checked_sub(MONTH_WEEKS).map(price),
        sold_out_at: None,
    }
}

fn id(seed: u64, item: usize) -> ItemId {
    ItemId::new(format!("{seed}-{item}")).expect("two numbers are a short id without blanks")
}

fn cents(amount: f64) -> Cents {
    Cents(amount.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::evaluation::pricing::arena::{
        ArenaParams, Contender, Standing, standings, textbook_contenders,
    };

    fn small() -> Vec<Standing> {
        let params = ArenaParams {
            n_items: 60,
            n_categories: 4,
            decision_weeks: 20,
            ..ArenaParams::default()
        };
        let response = ResponseParams::default();
        let mut contenders = textbook_contenders(response);
        contenders.truncate(1);
        contenders.push(Contender::new("ours", move |shop: &Shop| {
            Chooser::new(shop, response, arena_policy(params.step_max, ARENA_TRIALS))
        }));
        standings(&params, &[5.0], &[1, 2], &contenders).unwrap()
    }

    #[test]
    fn choosing_beats_keeping_in_every_week_and_nobody_beats_the_truth() {
        let [keep, ours] = &small()[..] else { panic!("two contenders have two standings") };
        assert!(ours.share.mean > keep.share.mean + 0.04, "{ours:?} against {keep:?}");
        assert!(ours.worst_week > 1.0, "{ours:?}");
        assert!(ours.by_seed.iter().all(|&share| share < 1.0), "{ours:?}");
    }

    #[test]
    fn equal_seeds_choose_equal_prices() {
        assert_eq!(small(), small());
    }

    #[test]
    fn the_past_is_what_the_ledger_says() {
        use crate::learn::evaluation::pricing::arena::play;
        /// Steps up in the second of its weeks and stays.
        struct Up(std::rc::Rc<std::cell::RefCell<Vec<Past>>>);
        impl Policy for Up {
            fn prices(&mut self, ledger: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
                self.0.borrow_mut().push(past(ledger, 0));
                let up = if ledger.weeks().len() == 1 { 1.05 } else { 1.0 };
                Ok(ledger.current().iter().map(|price| up * price).collect())
            }
        }
        let params = ArenaParams {
            n_items: 3,
            n_categories: 1,
            history_weeks: 1,
            decision_weeks: 7,
            ..ArenaParams::default()
        };
        let seen = std::rc::Rc::default();
        let shop = Shop::new(&params, 5.0, 1);
        play(&shop, &mut Up(std::rc::Rc::clone(&seen))).unwrap();
        let (seen, first) = (seen.borrow(), cents(shop.history(0)[0]));
        assert_eq!((seen[0].current, seen[0].month_ago), (Some(first), None));
        let since = |past: &Past| past.since.unwrap().since_ms(START) / WEEK_MS;
        assert_eq!(seen.iter().map(since).collect::<Vec<_>>(), [0, 1, 1, 1, 1, 1, 1]);
        // At the start of the sixth week, 30 days ago was in the first.
        assert_eq!(seen[4].month_ago, Some(first));
        assert!(seen[5].month_ago > Some(first));
    }
}
