//! What holds of every choice.

use super::*;
use proptest::prelude::*;

fn cents(low: i64, high: i64) -> impl Strategy<Value = Option<Cents>> {
    prop::option::weighted(0.4, (low..high).prop_map(Cents))
}

fn limits() -> impl Strategy<Value = ItemLimits> {
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    let bounds = (cents(1, 1500), cents(500, 3000), cents(1, 1500), cents(500, 3000));
    let line = prop::option::weighted(0.2, (500_i64..1500, 0_i64..800));
    (flags, bounds, line).prop_map(|(flags, bounds, line)| ItemLimits {
        is_frozen: flags.0,
        is_clearance: flags.1,
        advertised_min: bounds.0,
        recommended_max: bounds.1,
        price_min: bounds.2,
        price_max: bounds.3,
        line: line.map(|(low, width)| (Cents(low), Cents(low + width))),
    })
}

fn policies() -> impl Strategy<Value = ChoicePolicy> {
    let goal = prop_oneof![
        3 => Just(Goal::Profit),
        1 => Just(Goal::Revenue),
        1 => Just(Goal::Units),
        1 => (0.0..1.0_f64).prop_map(Goal::Mixture),
    ];
    let endings = prop_oneof![
        Just(vec![]),
        Just(vec![99, 95]),
        Just(vec![0]),
        Just(vec![9, 4999]),
        prop::collection::vec(0_u32..2000, 1..4),
    ];
    let shares = (0.0..0.5_f64, 0.0..0.3_f64, 0.0..0.4_f64, 0.0..0.3_f64, 0.0..1.0_f64);
    let corridor =
        prop::option::of((0.5..1.0_f64, 1.0..1.5_f64).prop_map(|(low, high)| [low, high]));
    let explore = (prop::bool::ANY, 0.0..0.1_f64, 0.0..14.0_f64);
    (goal, endings, shares, corridor, explore).prop_map(
        |(goal, endings, shares, corridor, explore)| {
            let (margin_floor, step_max, step_30d, fee_share, salvage_share) = shares;
            ChoicePolicy {
                goal,
                margin_floor,
                step_max,
                step_30d_max: step_max + step_30d,
                endings,
                fee_share,
                salvage_share,
                corridor,
                explore: ExplorePolicy {
                    enabled: explore.0,
                    loss_max: explore.1,
                    share: 0.1,
                    dwell_days: explore.2,
                },
            }
        },
    )
}

fn beliefs() -> impl Strategy<Value = Option<DemandBelief>> {
    let numbers = (-2.0..4.0_f64, -6.0..0.5_f64, 0.0..1.0_f64, 600.0..1500.0_f64, 1.0..1.8_f64);
    let grade = prop_oneof![4 => Just(Some(Grade::B)), 1 => Just(Some(Grade::E)), 1 => Just(None)];
    let belief = (numbers, grade, prop::bool::ANY).prop_map(|(numbers, grade, steady)| {
        let (level, elasticity, sd, reference, ratio) = numbers;
        let seen = evidence(reference / ratio, reference * ratio);
        let price_sd = if steady { 0.001 } else { 0.1 };
        DemandBelief {
            coefficients: [level, elasticity, 0.2],
            reference_price: reference,
            evidence: grade.map(|grade| Evidence { price_sd, grade, ..seen }),
            ..doubtful(elasticity, sd)
        }
    });
    prop::option::weighted(0.95, belief)
}

fn pasts() -> impl Strategy<Value = Past> {
    let price = || prop::option::weighted(0.8, (400_i64..2000).prop_map(Cents));
    let days = || prop::option::of(0_i64..60);
    (price(), price(), price(), days(), days()).prop_map(
        |(current, day_ago, month_ago, since, sold_out)| {
            let ago = |days: i64| NOW.plus_ms(-days * DAY_MS);
            let (since, sold_out_at) = (since.map(ago), sold_out.map(ago));
            Past { current, since, day_ago, month_ago, sold_out_at }
        },
    )
}

pub(super) fn cases() -> impl Strategy<Value = Case> {
    let weeks = || prop::option::of(0.0..20.0_f64);
    let stock = prop::option::of((0_u64..200, weeks(), weeks()));
    let index = prop::option::of((500.0..2000.0_f64, prop::bool::ANY));
    let item = (0_u32..1000, 0_i64..50, prop::bool::ANY, prop::bool::weighted(0.1));
    let prices = (cents(500, 2000), prop::option::weighted(0.9, (0_i64..1200).prop_map(Cents)));
    let rest = (stock, index, item, prices);
    (limits(), policies(), beliefs(), pasts(), rest).prop_map(
        |(limits, policy, demand, past, rest)| {
            let (stock, index, (item, slot, may_explore, is_promoted), (list, cost)) = rest;
            Case {
                item: ItemId::new(format!("item-{item}")).unwrap(),
                at: NOW.plus_ms(slot * DAY_MS),
                list,
                cost,
                past,
                limits,
                demand,
                competitors: index.map(|(price, may_follow)| CompetitorIndex {
                    price,
                    n_offers: 2,
                    age_hours: 1.0,
                    may_follow,
                }),
                stock: stock.map(|(units, weeks_to_delivery, weeks_to_end)| Stock {
                    units,
                    weeks_to_delivery,
                    weeks_to_end,
                }),
                may_explore,
                policy,
                is_promoted,
                ..case()
            }
        },
    )
}

fn is_inside(low: Option<Cents>, high: Option<Cents>, price: Cents) -> bool {
    low.is_none_or(|low| low <= price) && high.is_none_or(|high| price <= high)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_price_never_leaves_its_bounds(case in cases()) {
        let choice = choose_without_curve(&case);
        let base = case.past.current.or(case.list);
        prop_assert_eq!(choice.price.is_none(), base.is_none());
        let (Some(price), Some(base)) = (choice.price, base) else { return Ok(()) };
        let limits = &case.limits;
        let floor = case.cost.filter(|_| !limits.is_clearance);
        let floor = floor.map(|cost| Cents((cost.0 as f64 * (1.0 + case.policy.margin_floor) - 1e-6).ceil() as i64));
        // The hard bounds hold always, but where they contradict each other.
        let torn = matches!(choice.status, ChoiceStatus::Infeasible(clash) if clash.second <= Rail::Merchant);
        if torn {
            prop_assert_eq!(price, base);
        } else {
            prop_assert!(is_inside(limits.price_min, limits.price_max, price), "{:?}", choice);
            prop_assert!(is_inside(limits.advertised_min, limits.recommended_max, price), "{:?}", choice);
            prop_assert!(is_inside(floor, None, price), "{:?}", choice);
            prop_assert!(!limits.is_frozen || case.past.current.is_none_or(|current| current == price));
        }
        // The rest holds but in the stated cases: to stay, to widen a step, to come in without an ending.
        if let Some(bounds) = choice.bounds {
            prop_assert!(bounds.low <= bounds.high);
            let says = |kind| choice.notes.iter().any(|note: &ChoiceNote| note.kind() == kind);
            let stated = price == base || says("step_widened") || says("brought_inside");
            prop_assert!(stated || bounds.low <= price && price <= bounds.high, "{:?}", choice);
            let endings = &case.policy.endings;
            let has_ending = endings.is_empty()
                || endings.iter().any(|ending| price.0.to_string().ends_with(&ending.to_string()));
            prop_assert!(price == base || has_ending || says("no_ending"), "{:?}", choice);
        }
    }

    #[test]
    fn nothing_is_tried_while_an_item_is_sold_out_just_back_or_promoted(case in cases()) {
        let dwell_ms = case.policy.explore.dwell_days * DAY_MS as f64;
        let just_back = |at: Timestamp| (case.at.since_ms(at) as f64) < dwell_ms || at >= case.at;
        let is_out = case.stock.is_some_and(|stock| stock.units == 0);
        if is_out || case.is_promoted || case.past.sold_out_at.is_some_and(just_back) {
            prop_assert!(!choose_without_curve(&case).exploration.is_exploring());
        }
        // But for that, what is tried is the same.
        let usual = Case {
            past: Past { sold_out_at: None, ..case.past },
            is_promoted: false,
            ..case.clone()
        };
        if choose_without_curve(&case).exploration.is_exploring() {
            prop_assert_eq!(choose_without_curve(&usual), choose_without_curve(&case));
        }
    }

    #[test]
    fn equal_cases_have_equal_choices(case in cases()) {
        let choice = choose(&case);
        prop_assert_eq!(&choice, &choose(&case.clone()));
        let plain = choose_without_curve(&case);
        prop_assert_eq!(&Choice { curve: vec![], ..choice }, &plain);
    }

    #[test]
    fn a_kept_case_replays_to_the_same_price(case in cases()) {
        let choice = choose_without_curve(&case);
        let json: Case = serde_json::from_str(&serde_json::to_string(&case).unwrap()).unwrap();
        prop_assert_eq!(&json, &case);
        let bytes: Case = postcard::from_bytes(&postcard::to_stdvec(&case).unwrap()).unwrap();
        prop_assert_eq!(&bytes, &case);
        prop_assert_eq!(&choose_without_curve(&json), &choice);
        prop_assert_eq!(&choose_without_curve(&bytes), &choice);
    }

    #[test]
    fn numbers_are_finite_and_chances_are_chances(case in cases()) {
        let choice = choose(&case);
        prop_assert!(choice.curve.len() <= 60 && choice.curve.is_sorted_by(|a, b| a.price < b.price));
        for point in &choice.curve {
            prop_assert!(point.units.is_finite() && point.revenue.is_finite() && point.objective.is_finite());
        }
        prop_assert!(choice.rails.iter().all(|effect| effect.cost_per_week.is_none_or(|cost| cost >= 0.0)));
        prop_assert!(choice.rails.is_sorted_by_key(|effect| effect.rail));
        let trial = choice.exploration;
        prop_assert!(0.0 < trial.propensity && trial.propensity <= 1.0);
        prop_assert_eq!(trial.expected_price.is_some(), trial.is_exploring());
        if trial.is_exploring() {
            prop_assert!(case.may_explore && case.policy.explore.enabled);
            prop_assert!(trial.loss_share <= case.policy.explore.loss_max, "{:?}", trial);
        } else {
            prop_assert_eq!(trial.exploit, choice.price);
        }
        if let Some(change) = choice.change {
            prop_assert!(change.q10 <= change.q90 && (0.0..=1.0).contains(&change.probability_better));
        }
        for note in &choice.notes {
            prop_assert!(note.to_string().ends_with('.') && !note.kind().is_empty());
        }
    }
}
