//! What the market asks for an item now.

use super::CompetitionPolicy;
use crate::{
    decide::price::choice::CompetitorIndex,
    domain::{CompetitorOffer, Timestamp},
    learn::demand::competitors::{
        Believed, OwnFacts, Refusal, UsedOffer, believe, index_price, seller,
    },
};

/// The index with all that led to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Market {
    /// One price for all offers that count; `None` without any.
    pub index: Option<CompetitorIndex>,
    /// The offers that it rests on, by seller.
    pub used: Vec<UsedOffer>,
    /// Those that do not count, and why, by seller.
    pub refused: Vec<(String, Refusal)>,
}

/// What the market asks for an item at `now`: a pure function of what is handed in, the order of offers left aside.
///
/// `duellists`: sellers who merely answer our moves, as [`duels`](super::duels) finds them.
pub fn index(
    offers: &[CompetitorOffer],
    now: Timestamp,
    own: &OwnFacts,
    duellists: &[String],
    policy: &CompetitionPolicy,
) -> Market {
    let Believed { used, mut refused } = believe(offers, now, own, &policy.trust);
    let is_duellist = |offer: &UsedOffer| {
        let name = seller(&offer.competitor);
        duellists.iter().any(|duellist| seller(duellist) == name)
    };
    let (duelling, others): (Vec<UsedOffer>, Vec<UsedOffer>) =
        used.into_iter().partition(is_duellist);
    let may_follow = !others.is_empty();
    let used = if may_follow {
        let left_out = duelling.into_iter().map(|offer| (offer.competitor, Refusal::Duel));
        refused.extend(left_out);
        refused.sort();
        others
    } else {
        duelling
    };
    let age_hours = used.iter().map(|offer| offer.age_hours).fold(f64::INFINITY, f64::min);
    let index = index_price(&used, policy.trust.quantile).map(|price| CompetitorIndex {
        price,
        n_offers: used.len() as u32,
        age_hours,
        may_follow,
    });
    Market { index, used, refused }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cents, Condition, time::HOUR_MS};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn offer(competitor: &str, price: i64, hours: i64) -> CompetitorOffer {
        CompetitorOffer {
            competitor: competitor.to_owned(),
            price: Cents(price),
            shipping: None,
            in_stock: None,
            condition: Condition::New,
            match_confidence: None,
            observed_at: NOW.plus_ms(-hours * HOUR_MS),
        }
    }

    fn market(offers: &[CompetitorOffer], duellists: &[&str]) -> Market {
        let own = OwnFacts { price: Some(Cents(1_000)), ..OwnFacts::default() };
        let duellists: Vec<String> = duellists.iter().map(|&name| name.to_owned()).collect();
        index(offers, NOW, &own, &duellists, &CompetitionPolicy::default())
    }

    #[test]
    fn the_index_tells_its_offers_and_the_age_of_the_freshest() {
        let asked = [offer("a", 980, 3), offer("b", 950, 5), offer("c", 10, 1)];
        let market = market(&asked, &[]);
        let index = market.index.unwrap();
        assert_eq!((index.price.to_bits(), index.n_offers), (950.0_f64.to_bits(), 2));
        assert!((index.age_hours - 3.0).abs() < 1e-9 && index.may_follow);
        assert_eq!(market.refused, [("c".to_owned(), Refusal::UnitMixUp)]);
    }

    #[test]
    fn a_seller_in_a_duel_is_left_out_beside_others_and_not_followed_alone() {
        let asked = [offer("a", 980, 3), offer("Repricer", 900, 1)];
        let beside = market(&asked, &["repricer"]);
        assert_eq!(beside.index.map(|index| index.price), Some(980.0));
        assert_eq!(beside.refused, [("Repricer".to_owned(), Refusal::Duel)]);
        let alone = market(&asked[1..], &["repricer"]);
        let index = alone.index.unwrap();
        assert!(!index.may_follow && (index.price - 900.0).abs() < 1e-9);
        assert_eq!(alone.refused, []);
    }

    #[test]
    fn without_an_offer_that_counts_there_is_nothing_to_follow() {
        let market = market(&[offer("a", 1_000, 200)], &[]);
        assert_eq!(market.index, None);
        assert_eq!(market.refused, [("a".to_owned(), Refusal::Stale)]);
    }

    proptest! {
        #[test]
        fn the_index_lies_within_the_used_offers_whoever_is_in_a_duel(
            (asked, shuffled) in prop::collection::vec((0_u8..5, any::<i64>(), -2_i64..200), 0..9)
                .prop_map(|rows| {
                    rows.into_iter()
                        .map(|(name, price, hours)| {
                            offer(&format!("s{name}"), price % 3_000, hours)
                        })
                        .collect::<Vec<_>>()
                })
                .prop_flat_map(|asked| (Just(asked.clone()), Just(asked).prop_shuffle())),
            duellist in 0_u8..5,
        ) {
            let duellist = format!("s{duellist}");
            let told = market(&asked, &[&duellist]);
            prop_assert_eq!(&told, &market(&shuffled, &[&duellist]));
            prop_assert_eq!(told.used.len() + told.refused.len(), asked.len());
            prop_assert_eq!(told.index.is_some(), !told.used.is_empty());
            if let Some(index) = told.index {
                let prices = || told.used.iter().map(|offer| offer.delivered.0 as f64);
                prop_assert!(prices().any(|price| price <= index.price));
                prop_assert!(prices().any(|price| price >= index.price));
                prop_assert_eq!(index.n_offers as usize, told.used.len());
                let all_duel = told.used.iter().all(|offer| offer.competitor == duellist);
                prop_assert_eq!(index.may_follow, !all_duel);
            }
        }
    }
}
