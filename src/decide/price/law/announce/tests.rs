use super::*;
use crate::{
    decide::price::law::LawTable,
    domain::{
        ItemId, PriceReason,
        time::{DAY_MS, HOUR_MS},
    },
};
use proptest::{option, prelude::*};

/// Nine in the morning in Helsinki, the summer long.
fn day(n: i64) -> Timestamp {
    Timestamp::parse("2026-08-31T09:00:00+03:00").unwrap().plus_ms(n * DAY_MS)
}

fn entry(price: i64, from: Timestamp, to: Option<Timestamp>) -> PriceEntry {
    let item = ItemId::new("shoe").unwrap();
    PriceEntry { item, price: Cents(price), from, to, reason: PriceReason::ListPrice }
}

/// Prices in cents with the days on which they began; each lasts until the next.
fn ledger(steps: &[(i64, i64)]) -> Vec<PriceEntry> {
    let ends = steps.iter().skip(1).map(|&(_, next)| Some(day(next))).chain([None]);
    steps.iter().zip(ends).map(|(&(price, from), to)| entry(price, day(from), to)).collect()
}

fn law(market: &str) -> MarketLaw {
    LawTable::default().of(market).clone()
}

fn ask(ledger: &[PriceEntry], new: i64, at: Timestamp, law: &MarketLaw) -> Announcement {
    announce(ledger, Cents(new), at, law, &AnnounceContext::default())
}

/// 100 until ten days ago, 80 for a week, 100 again.
fn worked_case() -> Vec<PriceEntry> {
    ledger(&[(10_000, -60), (8_000, -10), (10_000, -3)])
}

#[test]
fn seventy_after_a_week_of_eighty_is_an_eighth_off_and_not_three_tenths() {
    for market in ["eu", "fi", "de"] {
        let answer = ask(&worked_case(), 7_000, day(0), &law(market));
        assert!(answer.allowed);
        assert_eq!(answer.kind, AnnouncementKind::Reduction);
        assert_eq!(answer.reference, Some(Cents(8_000)));
        assert_eq!(answer.prior.and_then(|prior| prior.in_force_from), Some(day(-10)));
        assert_eq!(answer.percent.map(|percent| percent.to_string()).as_deref(), Some("12.5 %"));
        assert_eq!(answer.why, [LawNote::BelowReference]);
    }
}

#[test]
fn eighty_after_a_week_of_eighty_must_not_be_announced() {
    let answer = ask(&worked_case(), 8_000, day(0), &law("fi"));
    assert!(!answer.allowed);
    assert_eq!(answer.kind, AnnouncementKind::PlainChange);
    assert_eq!(answer.percent.map(Percent::tenths), Some(0));
    assert_eq!(answer.why, [LawNote::AtReference]);
}

#[test]
fn eighty_five_after_a_week_of_eighty_is_a_plain_change() {
    let answer = ask(&worked_case(), 8_500, day(0), &law("fi"));
    assert!(!answer.allowed);
    assert_eq!(answer.kind, AnnouncementKind::PlainChange);
    assert_eq!((answer.reference, answer.percent), (Some(Cents(8_000)), None));
    assert_eq!(answer.why, [LawNote::AboveReference]);
}

#[test]
fn a_coupon_for_all_counts_as_a_price() {
    let mut ledger = ledger(&[(10_000, -60)]);
    assert_eq!(ask(&ledger, 7_000, day(0), &law("de")).percent.map(Percent::tenths), Some(300));
    ledger.push(entry(9_000, day(-20), Some(day(-20).plus_ms(HOUR_MS))));
    assert_eq!(ask(&ledger, 7_000, day(0), &law("de")).percent.map(Percent::tenths), Some(222));
}

#[test]
fn prices_that_not_everybody_can_pay_are_not_judged() {
    let of = |audience| {
        let context = AnnounceContext { audience, ..AnnounceContext::default() };
        announce(&worked_case(), Cents(5_000), day(0), &law("fi"), &context)
    };
    let members = of(Audience::Members);
    assert!(!members.allowed && members.kind == AnnouncementKind::PlainChange);
    assert_eq!(members.why, [LawNote::MembersOnly]);
    let personal = of(Audience::Person);
    assert!(!personal.allowed && personal.kind == AnnouncementKind::Forbidden);
    assert_eq!(personal.why, [LawNote::Personal]);
}

#[test]
fn what_is_no_price_is_forbidden() {
    for price in [0, -1, i64::MIN] {
        let answer = ask(&worked_case(), price, day(0), &law("fi"));
        assert_eq!(answer.kind, AnnouncementKind::Forbidden);
        assert_eq!(answer.why, [LawNote::NotAPrice]);
    }
}

#[test]
fn a_growing_reduction_compares_with_the_price_before_its_first_cut_where_the_market_lets_it() {
    let steps = ledger(&[(10_000, -90), (8_000, -20), (7_000, -10)]);
    let context = AnnounceContext { announced_since: Some(day(-20)), ..AnnounceContext::default() };
    let further = |steps: &[PriceEntry], price, at, market| {
        announce(steps, Cents(price), at, &law(market), &context)
    };
    let finland = further(&steps, 6_000, day(0), "fi");
    assert_eq!(finland.percent.map(Percent::tenths), Some(400));
    assert_eq!(finland.why, [LawNote::BelowReference, LawNote::Progressive]);
    let germany = further(&steps, 6_000, day(0), "de");
    assert_eq!(germany.percent.map(Percent::tenths), Some(142));
    assert_eq!(germany.why, [LawNote::BelowReference, LawNote::NoProgressiveRule]);
    // 60 local days after the first cut it is over.
    let last = further(&steps, 6_000, day(40).plus_ms(-1), "fi");
    assert_eq!(last.reference, Some(Cents(10_000)));
    let over = further(&steps, 6_000, day(40), "fi");
    assert_eq!(over.reference, Some(Cents(7_000)));
    assert_eq!(over.why, [LawNote::BelowReference, LawNote::CampaignTooLong]);
    let risen = ledger(&[(10_000, -90), (8_000, -20), (9_000, -15), (7_000, -10)]);
    let risen = further(&risen, 6_000, day(0), "fi");
    assert_eq!(risen.reference, Some(Cents(7_000)));
    assert_eq!(risen.why, [LawNote::BelowReference, LawNote::CampaignRose]);
    // A campaign that began with a rise is none.
    let raised = ledger(&[(7_500, -90), (8_000, -20), (7_000, -10)]);
    let raised = further(&raised, 6_000, day(0), "fi");
    assert_eq!(raised.why, [LawNote::BelowReference, LawNote::CampaignUnknown]);
}

#[test]
fn a_reduction_that_goes_on_is_as_at_its_start_but_one_made_in_silence_is_not() {
    let steps = ledger(&[(10_000, -90), (7_000, -20)]);
    let announced =
        AnnounceContext { announced_since: Some(day(-20)), ..AnnounceContext::default() };
    for market in ["fi", "de"] {
        let goes_on = announce(&steps, Cents(7_000), day(0), &law(market), &announced);
        assert_eq!(goes_on.percent.map(Percent::tenths), Some(300));
        assert_eq!(goes_on.why, [LawNote::BelowReference, LawNote::Continued]);
        let silent = ask(&steps, 7_000, day(0), &law(market));
        assert!(!silent.allowed);
        assert_eq!(silent.why, [LawNote::AtReference]);
    }
}

#[test]
fn a_campaign_of_the_future_or_unknown_to_the_ledger_changes_nothing() {
    let plain = ask(&worked_case(), 7_000, day(0), &law("fi"));
    let since = |since| AnnounceContext { announced_since: Some(since), ..Default::default() };
    let future = announce(&worked_case(), Cents(7_000), day(0), &law("fi"), &since(day(3)));
    assert_eq!(future, plain);
    let unknown = announce(&worked_case(), Cents(7_000), day(0), &law("fi"), &since(day(-7)));
    assert_eq!(unknown.reference, plain.reference);
    assert_eq!(unknown.why, [LawNote::BelowReference, LawNote::CampaignUnknown]);
}

#[test]
fn new_goods_wait_or_compare_with_a_shorter_time_as_the_market_says() {
    let steps = ledger(&[(9_000, -20), (10_000, -12)]);
    let context = AnnounceContext { on_sale_since: Some(day(-20)), ..AnnounceContext::default() };
    let under = |new_goods| {
        let law = MarketLaw { new_goods, ..law("de") };
        announce(&steps, Cents(6_000), day(0), &law, &context)
    };
    let waits = under(NewGoods::Wait);
    assert_eq!((waits.allowed, &waits.why[..]), (false, &[LawNote::TooNew][..]));
    let since = under(NewGoods::TimeOnSale);
    assert_eq!(since.reference, Some(Cents(9_000)));
    assert_eq!(since.why, [LawNote::BelowReference, LawNote::NewGood]);
    assert_eq!(under(NewGoods::Days(10)).reference, Some(Cents(10_000)));
    assert_eq!(under(NewGoods::Days(15)).reference, Some(Cents(9_000)));
    assert_eq!(under(NewGoods::Days(21)).why, [LawNote::TooNew]);
    // Put on sale this very moment, there is nothing to reduce.
    let law = MarketLaw { new_goods: NewGoods::TimeOnSale, ..law("de") };
    let today = AnnounceContext { on_sale_since: Some(day(0)), ..context };
    assert_eq!(announce(&[], Cents(6_000), day(0), &law, &today).why, [LawNote::TooNew]);
}

#[test]
fn a_ledger_that_does_not_reach_back_announces_nothing() {
    let short = ledger(&[(10_000, -29)]);
    let answer = ask(&short, 7_000, day(0), &law("fi"));
    assert_eq!((answer.allowed, answer.kind), (false, AnnouncementKind::PlainChange));
    assert_eq!(answer.why, [LawNote::LedgerTooShort]);
    assert_eq!(answer.prior.and_then(|prior| prior.price), Some(Cents(10_000)));
    assert!(ask(&ledger(&[(10_000, -30)]), 7_000, day(0), &law("fi")).allowed);
    assert_eq!(ask(&[], 7_000, day(0), &law("fi")).why, [LawNote::LedgerTooShort]);
}

#[test]
fn a_good_that_was_off_sale_has_a_gap_or_nothing_to_compare_with() {
    let gone = [entry(10_000, day(-90), Some(day(-40)))];
    assert_eq!(ask(&gone, 7_000, day(0), &law("fi")).why, [LawNote::NothingBefore]);
    let back = [gone[0].clone(), entry(10_000, day(-3), None)];
    let answer = ask(&back, 7_000, day(0), &law("fi"));
    assert_eq!(answer.why, [LawNote::BelowReference, LawNote::Unpriced]);
}

#[test]
fn exempt_perishables_and_markets_without_the_rule_compare_with_the_price_before() {
    let perishable = AnnounceContext { is_perishable: true, ..AnnounceContext::default() };
    let strict = announce(&worked_case(), Cents(7_000), day(0), &law("de"), &perishable);
    assert_eq!(strict.reference, Some(Cents(8_000)));
    let exempting = MarketLaw { perishables_exempt: true, ..law("de") };
    let exempt = announce(&worked_case(), Cents(7_000), day(0), &exempting, &perishable);
    assert_eq!(exempt.percent.map(Percent::tenths), Some(300));
    assert_eq!(exempt.why, [LawNote::BelowReference, LawNote::Perishable]);
    assert_eq!(ask(&worked_case(), 7_000, day(0), &exempting).reference, Some(Cents(8_000)));
    let free = MarketLaw { prior_days: 0, ..law("us") };
    let answer = ask(&worked_case(), 7_000, day(0), &free);
    assert_eq!((answer.reference, answer.prior), (Some(Cents(10_000)), None));
    assert_eq!(answer.why, [LawNote::BelowReference, LawNote::NoRule]);
    assert_eq!(ask(&[], 7_000, day(0), &free).why, [LawNote::NothingBefore, LawNote::NoRule]);
}

#[test]
fn a_reduction_that_rounds_to_nothing_is_not_announced() {
    let steps = ledger(&[(100_000, -60)]);
    let answer = ask(&steps, 99_950, day(0), &law("fi"));
    assert_eq!((answer.allowed, &answer.why[..]), (false, &[LawNote::TooSmall][..]));
    assert_eq!(ask(&steps, 99_900, day(0), &law("fi")).percent.map(Percent::tenths), Some(1));
    // A free good makes every later price the higher one.
    let free = ledger(&[(100, -60), (0, -9), (100, -8)]);
    assert_eq!(ask(&free, 50, day(0), &law("fi")).why, [LawNote::AboveReference]);
}

#[test]
fn the_next_announcement_is_possible_when_the_low_price_leaves_the_window() {
    let first = |new, from, market: &str| {
        let context = AnnounceContext::default();
        announceable_from(&worked_case(), Cents(new), from, &law(market), &context)
    };
    assert_eq!(first(7_000, day(0), "fi"), Some(day(0)));
    // The week of 80 ended three days ago; clocks do not change in these 30 days.
    assert_eq!(first(8_500, day(0), "fi"), Some(day(27)));
    assert_eq!(first(10_000, day(0), "fi"), None);
    let late = first(8_500, day(50), "fi");
    assert_eq!(late, Some(day(50)));
}

#[test]
fn an_end_in_the_hour_that_comes_twice_leaves_the_window_once_it_is_surely_over() {
    let time = |text: &str| Timestamp::parse(text).unwrap();
    // 02:30 in Berlin, for the second time.
    let end = time("2026-10-25T02:30:00+01:00");
    let steps = [entry(50, day(-90), Some(end)), entry(100, end, None)];
    let context = AnnounceContext::default();
    let found = announceable_from(&steps, Cents(60), end, &law("de"), &context);
    assert_eq!(found, Some(time("2026-11-24T03:00:00+01:00")));
}

prop_compose! {
    fn any_steps()(lengths in prop::collection::vec((1_i64..200, 1_i64..900), 1..8))
        -> Vec<PriceEntry>
    {
        let mut from = day(-60);
        let mut steps = vec![];
        for (price, hours) in lengths {
            let to = from.plus_ms(hours * HOUR_MS);
            steps.push(entry(price, from, Some(to)));
            from = to;
        }
        if let Some(last) = steps.last_mut() {
            last.to = None;
        }
        steps
    }
}

proptest! {
    #[test]
    fn no_percentage_promises_more_than_the_prior_price_allows(
        steps in any_steps(),
        new in 1_i64..200,
        after in 0_i64..100,
        since in option::of(-60_i64..40),
        market in prop::sample::select(vec!["eu", "de", "fi", "gb", "us"]),
    ) {
        let law = law(market);
        let context = AnnounceContext {
            announced_since: since.map(day),
            ..AnnounceContext::default()
        };
        let answer = announce(&steps, Cents(new), day(after), &law, &context);
        prop_assert_eq!(answer.allowed, answer.kind == AnnouncementKind::Reduction);
        if answer.allowed {
            let prior = answer.prior.and_then(|prior| prior.price).unwrap();
            let tenths = i64::from(answer.percent.unwrap().tenths());
            // percent · prior is at most what is taken off, and a tenth more would be too much.
            prop_assert!(tenths * prior.0 <= 1000 * (prior.0 - new));
            prop_assert!((tenths + 1) * prior.0 > 1000 * (prior.0 - new));
            prop_assert!(prior.0 > new && tenths > 0);
            // Without a campaign that counts, the plain rule says the same.
            if !answer.why.contains(&LawNote::Progressive)
                && !answer.why.contains(&LawNote::Continued)
            {
                let plain = super::super::prior_price(&steps, day(after), &law);
                prop_assert_eq!(Some(prior), plain.price);
            }
        }
    }

    #[test]
    fn no_earlier_hour_would_do_than_the_first_that_is_told(
        steps in any_steps(),
        new in 1_i64..200,
        from in -40_i64..20,
    ) {
        let (law, context) = (law("fi"), AnnounceContext::default());
        let first = announceable_from(&steps, Cents(new), day(from), &law, &context);
        let allowed = |at| announce(&steps, Cents(new), at, &law, &context).allowed;
        if let Some(first) = first {
            prop_assert!(allowed(first) && first >= day(from));
        }
        for hour in 0..24 * 120 {
            let at = day(from).plus_ms(hour * HOUR_MS);
            if first.is_none_or(|first| at < first) {
                prop_assert!(!allowed(at), "{}", at);
            }
        }
    }

    #[test]
    fn nothing_that_is_asked_panics(
        rows in prop::collection::vec((any::<i64>(), any::<i64>(), any::<Option<i64>>()), 0..6),
        (new, at) in any::<(i64, i64)>(),
        (since, campaign) in any::<(Option<i64>, Option<i64>)>(),
        new_goods in prop::sample::select(vec![
            NewGoods::Wait, NewGoods::TimeOnSale, NewGoods::Days(7),
        ]),
    ) {
        let entries = rows.into_iter().map(|(price, from, to)| {
            entry(price, Timestamp(from), to.map(Timestamp))
        });
        let ledger: Vec<PriceEntry> = entries.collect();
        let context = AnnounceContext {
            on_sale_since: since.map(Timestamp),
            announced_since: campaign.map(Timestamp),
            ..AnnounceContext::default()
        };
        let law = MarketLaw { new_goods, ..law("fi") };
        let answer = announce(&ledger, Cents(new), Timestamp(at), &law, &context);
        prop_assert!(!answer.why.is_empty());
        let first = announceable_from(&ledger, Cents(new), Timestamp(at), &law, &context);
        prop_assert!(first.is_none_or(|first| first.0 >= at));
    }
}
