use super::*;
use crate::{domain::Condition, learn::demand::competitors::index_price};
use proptest::{option, prelude::*};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn hours_ago(hours: f64) -> Timestamp {
    NOW.plus_ms((-hours * HOUR_MS as f64) as i64)
}

/// An offer about which nothing is doubtful.
fn offer(competitor: &str, price: i64, hours: f64) -> CompetitorOffer {
    CompetitorOffer {
        competitor: competitor.to_owned(),
        price: Cents(price),
        shipping: Some(Cents(0)),
        in_stock: Some(true),
        condition: Condition::New,
        match_confidence: None,
        observed_at: hours_ago(hours),
    }
}

const OWN: OwnFacts =
    OwnFacts { cost: Some(Cents(600)), price: Some(Cents(1_000)), list: Some(Cents(1_100)) };

fn refusals(offers: &[CompetitorOffer], own: &OwnFacts) -> Vec<(String, Refusal)> {
    believe(offers, NOW, own, &TrustPolicy::default()).refused
}

fn index(offers: &[CompetitorOffer], own: &OwnFacts) -> Option<f64> {
    let policy = TrustPolicy::default();
    index_price(&believe(offers, NOW, own, &policy).used, policy.quantile)
}

#[test]
fn each_kind_of_doubtful_offer_is_refused_for_its_reason() {
    let good = || offer("a", 1_000, 1.0);
    for (refusal, offer) in [
        (Refusal::Future, offer("a", 1_000, -0.1)),
        (Refusal::NotAPrice, offer("a", 0, 1.0)),
        (Refusal::NotAPrice, offer("a", -5, 1.0)),
        (Refusal::NotAPrice, CompetitorOffer { shipping: Some(Cents(-1)), ..good() }),
        (Refusal::Stale, offer("a", 1_000, 168.1)),
        (Refusal::OutOfStock, CompetitorOffer { in_stock: Some(false), ..good() }),
        (Refusal::Condition, CompetitorOffer { condition: Condition::Used, ..good() }),
        (Refusal::Condition, CompetitorOffer { condition: Condition::Refurbished, ..good() }),
        (Refusal::Match, CompetitorOffer { match_confidence: Some(0.79), ..good() }),
        (Refusal::Match, CompetitorOffer { match_confidence: Some(f64::NAN), ..good() }),
        (Refusal::Match, CompetitorOffer { match_confidence: Some(80.0), ..good() }),
        (Refusal::UnitMixUp, offer("a", 99_900, 1.0)),
        (Refusal::UnitMixUp, offer("a", 10, 1.0)),
        (Refusal::BelowCost, offer("a", 1, 1.0)),
        (Refusal::BelowCost, offer("a", 299, 1.0)),
        (Refusal::FarFromOurs, offer("a", 10_000, 1.0)),
    ] {
        assert_eq!(refusals(&[offer], &OWN), [("a".to_owned(), refusal)]);
    }
    for offer in [
        good(),
        offer("a", 1_000, 167.9),
        offer("a", 1_000, -0.05),
        offer("a", 300, 1.0),
        offer("a", 5_000, 1.0),
        CompetitorOffer { match_confidence: Some(0.8), ..good() },
        CompetitorOffer { in_stock: None, ..good() },
    ] {
        assert_eq!(refusals(&[offer], &OWN), []);
    }
}

#[test]
fn without_a_price_of_ours_the_list_price_stands_in_and_without_both_only_cost_and_the_others() {
    let tenfold = [offer("a", 11_000, 1.0)];
    let list = OwnFacts { price: None, ..OWN };
    assert_eq!(refusals(&tenfold, &list), [("a".to_owned(), Refusal::FarFromOurs)]);
    let zero = OwnFacts { price: Some(Cents(0)), ..OWN };
    assert_eq!(refusals(&tenfold, &zero), [("a".to_owned(), Refusal::FarFromOurs)]);
    let nothing = OwnFacts::default();
    assert_eq!(refusals(&tenfold, &nothing), []);
    let with_others = [tenfold[0].clone(), offer("b", 1_000, 1.0), offer("c", 1_050, 1.0)];
    assert_eq!(refusals(&with_others, &nothing), [("a".to_owned(), Refusal::Outlier)]);
}

#[test]
fn an_outlier_among_three_or_more_is_refused_and_among_two_nobody_is() {
    let nothing = OwnFacts::default();
    let cents = [offer("a", 1, 1.0), offer("b", 1_000, 1.0), offer("c", 990, 1.0)];
    assert_eq!(refusals(&cents, &nothing), [("a".to_owned(), Refusal::Outlier)]);
    assert_eq!(index(&cents, &nothing), Some(990.0));
    assert_eq!(refusals(&cents[..2], &nothing), []);
    // Held against the other two alone, whose logarithms lie 0.2 on either side of 1,000, 0.8 is too far; were it
    // counted among them, it would excuse itself.
    let wide = [offer("a", 819, 1.0), offer("b", 1_221, 1.0), offer("c", 2_226, 1.0)];
    assert_eq!(refusals(&wide, &nothing), [("c".to_owned(), Refusal::Outlier)]);
    // A quarter below two equal prices is a competitor, not an error.
    let honest = [offer("a", 760, 1.0), offer("b", 1_000, 1.0), offer("c", 1_000, 1.0)];
    assert_eq!(refusals(&honest, &nothing), []);
}

#[test]
fn only_the_newest_offer_of_a_seller_counts_even_if_it_is_then_refused() {
    let old = offer("Shop A", 700, 5.0);
    let gone = CompetitorOffer { in_stock: Some(false), ..offer(" shop a ", 700, 1.0) };
    let believed = believe(&[old.clone(), gone], NOW, &OWN, &TrustPolicy::default());
    assert_eq!(believed.used, []);
    let mut refused: Vec<Refusal> = believed.refused.into_iter().map(|(_, why)| why).collect();
    refused.sort();
    assert_eq!(refused, [Refusal::Superseded, Refusal::OutOfStock]);
    // What was seen in the future does not take the place of what was seen before.
    assert_eq!(index(&[old, offer("Shop A", 900, -2.0)], &OWN), Some(700.0));
    // Twice at one time: the dearer.
    assert_eq!(index(&[offer("a", 700, 1.0), offer("a", 800, 1.0)], &OWN), Some(800.0));
}

#[test]
fn the_index_is_the_lowest_delivered_price_of_a_few_fresh_offers() {
    let shipped = |name, price, shipping| CompetitorOffer {
        shipping: Some(Cents(shipping)),
        ..offer(name, price, 1.0)
    };
    let offers = [shipped("a", 900, 150), shipped("b", 1_000, 0), shipped("c", 990, 20)];
    assert_eq!(index(&offers, &OWN), Some(1_000.0));
    let unknown = [CompetitorOffer { shipping: None, ..offer("a", 950, 1.0) }];
    assert_eq!(index(&unknown, &OWN), Some(950.0));
    let policy = TrustPolicy { shipping_assumed: Cents(490), ..TrustPolicy::default() };
    let believed = believe(&unknown, NOW, &OWN, &policy);
    assert_eq!(index_price(&believed.used, policy.quantile), Some(1_440.0));
    assert_eq!(believed.used[0].flags, [OfferFlag::ShippingAssumed]);
}

#[test]
fn an_offer_loses_half_its_weight_in_a_day_and_a_doubtful_match_weighs_less() {
    let offers = [
        offer("a", 900, 2.0),
        offer("b", 950, 26.0),
        CompetitorOffer { match_confidence: Some(0.9), ..offer("c", 1_000, 50.0) },
    ];
    let believed = believe(&offers, NOW, &OWN, &TrustPolicy::default());
    let weights: Vec<f64> = believed.used.iter().map(|offer| offer.weight).collect();
    for (weight, expected) in weights.iter().zip([1.0, 0.5, 0.225]) {
        assert!((weight - expected).abs() < 1e-12);
    }
    assert!((believed.used[1].age_hours - 26.0).abs() < 1e-9);
    // Six days old, the lowest price weighs 1/64 beside two of now: less than a quarter.
    let old = [offer("a", 800, 144.0), offer("b", 1_000, 0.0), offer("c", 1_050, 0.0)];
    assert_eq!(index(&old, &OWN), Some(1_000.0));
}

#[test]
fn a_price_that_differs_by_a_rate_of_tax_is_flagged_and_used() {
    let policy = TrustPolicy { vat_rates: vec![0.255], ..TrustPolicy::default() };
    let flagged = |price| {
        let believed = believe(&[offer("a", price, 1.0)], NOW, &OWN, &policy);
        believed.used[0].flags.clone()
    };
    assert_eq!(flagged(1_255), [OfferFlag::VatMixUp]);
    assert_eq!(flagged(797), [OfferFlag::VatMixUp]);
    assert_eq!(flagged(1_200), []);
}

prop_compose! {
    fn any_offer()(
        name in 0_u8..6,
        price in prop_oneof![1_i64..3_000, 900_i64..1_100, any::<i64>()],
        shipping in option::of(prop_oneof![0_i64..500, any::<i64>()]),
        in_stock in any::<Option<bool>>(),
        used in prop::bool::weighted(0.1),
        match_confidence in option::of(prop_oneof![0.7_f64..1.0, any::<f64>()]),
        observed_ms in prop_oneof![-700_000_000_i64..1_000_000, any::<i64>()],
    ) -> CompetitorOffer {
        CompetitorOffer {
            competitor: format!("seller {name}"),
            price: Cents(price),
            shipping: shipping.map(Cents),
            in_stock,
            condition: if used { Condition::Used } else { Condition::New },
            match_confidence,
            observed_at: NOW.plus_ms(observed_ms),
        }
    }
}

prop_compose! {
    fn any_own()(
        cost in option::of(prop_oneof![1_i64..2_000, any::<i64>()]),
        price in option::of(prop_oneof![1_i64..2_000, any::<i64>()]),
        list in any::<Option<i64>>(),
    ) -> OwnFacts {
        OwnFacts { cost: cost.map(Cents), price: price.map(Cents), list: list.map(Cents) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_index_lies_within_the_used_offers_and_no_offer_is_lost(
        offers in prop::collection::vec(any_offer(), 0..12),
        own in any_own(),
    ) {
        let policy = TrustPolicy::default();
        let believed = believe(&offers, NOW, &own, &policy);
        prop_assert_eq!(believed.used.len() + believed.refused.len(), offers.len());
        let prices = || believed.used.iter().map(|offer| offer.delivered.0 as f64);
        match index_price(&believed.used, policy.quantile) {
            Some(index) => {
                prop_assert!(prices().any(|price| price.to_bits() == index.to_bits()));
                // So it cannot leave what is believed beside our own facts either.
                let reference = own.reference().map_or(index, |reference| reference.0 as f64);
                prop_assert!(index >= reference / policy.ratio_max * (1.0 - 1e-12));
                prop_assert!(index <= reference * policy.ratio_max);
                let cost = own.cost.map_or(0.0, |cost| cost.0 as f64);
                prop_assert!(index >= policy.cost_share_min * cost);
            }
            None => prop_assert!(believed.used.is_empty()),
        }
        for used in &believed.used {
            prop_assert!(0.0 <= used.weight && used.weight <= 1.0);
            prop_assert!(used.age_hours <= policy.max_age_hours);
        }
    }

    #[test]
    fn the_order_of_offers_does_not_matter(
        (offers, shuffled) in prop::collection::vec(any_offer(), 0..12)
            .prop_flat_map(|offers| (Just(offers.clone()), Just(offers).prop_shuffle())),
        own in any_own(),
    ) {
        let policy = TrustPolicy::default();
        prop_assert_eq!(
            believe(&offers, NOW, &own, &policy),
            believe(&shuffled, NOW, &own, &policy),
        );
    }

    /// Three or more offers within 3 · 0.1 of each other, as logarithms, are always believed, and what lies 9 · 0.1
    /// from all of them never is: the others' deviation is at most their spread.
    #[test]
    fn an_outlier_beside_three_offers_that_agree_moves_nothing(
        places in prop::collection::vec((0.0_f64..0.29, 0.0_f64..100.0), 3..9),
        distance in 0.92_f64..6.0,
        is_low in any::<bool>(),
        hours in 0.0_f64..100.0,
    ) {
        let price = |log: f64| (100_000.0 * log.exp()).round() as i64;
        let mut offers: Vec<CompetitorOffer> = places
            .iter()
            .enumerate()
            .map(|(at, &(log, hours))| offer(&format!("s{at}"), price(log), hours))
            .collect();
        let before = index(&offers, &OwnFacts::default());
        prop_assert!(before.is_some());
        let log = if is_low { -distance } else { 0.29 + distance };
        offers.push(offer("odd", price(log), hours));
        prop_assert_eq!(index(&offers, &OwnFacts::default()), before);
        prop_assert_eq!(
            refusals(&offers, &OwnFacts::default()),
            [("odd".to_owned(), Refusal::Outlier)],
        );
    }

    /// However few and unlike the offers are: beside a price of ours an index moves at most from one end of what is
    /// believed to the other.
    #[test]
    fn one_more_offer_moves_the_index_at_most_across_what_is_believed_beside_our_price(
        offers in prop::collection::vec(any_offer(), 0..6),
        more in any_offer(),
        price in 500_i64..2_000,
    ) {
        let own = OwnFacts { price: Some(Cents(price)), ..OwnFacts::default() };
        let mut all = offers.clone();
        all.push(more);
        if let (Some(before), Some(after)) = (index(&offers, &own), index(&all, &own)) {
            let ratio_max = TrustPolicy::default().ratio_max;
            prop_assert!((after / before).ln().abs() <= 2.0 * ratio_max.ln() + 1e-12);
        }
    }
}
