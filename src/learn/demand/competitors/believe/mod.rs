//! Which offers count, and what each weighs.

use super::{OfferFlag, Refusal, TrustPolicy};
use crate::domain::{
    Cents, CompetitorOffer, Timestamp,
    doubt::{HUNDRED, is_far, mixes_tax, mixes_units},
    money::CENTS_MAX,
    time::{HOUR_MS, MINUTE_MS},
};
use std::collections::BTreeMap;

/// What we know of our own item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnFacts {
    /// What one unit costs us.
    pub cost: Option<Cents>,
    /// Our price.
    pub price: Option<Cents>,
    /// Our list price; stands in where there is no price.
    pub list: Option<Cents>,
}

impl OwnFacts {
    /// The price to hold others' against.
    fn reference(&self) -> Option<Cents> {
        let is_price = |price: &Cents| price.0 > 0;
        self.price.filter(is_price).or(self.list.filter(is_price))
    }
}

/// An offer that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct UsedOffer {
    /// Who.
    pub competitor: String,
    /// How much, with shipping.
    pub delivered: Cents,
    /// What it weighs beside the freshest, which weighs at most 1.
    pub weight: f64,
    /// How old it is, in hours; 0 if the feed's clock runs ahead.
    pub age_hours: f64,
    /// What is doubtful about it.
    pub flags: Vec<OfferFlag>,
}

/// Offers with what became of each, by seller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Believed {
    /// Those that count.
    pub used: Vec<UsedOffer>,
    /// The others.
    pub refused: Vec<(String, Refusal)>,
}

/// The name by which sellers are told apart: case and spaces around it make no difference.
pub fn seller(competitor: &str) -> String {
    competitor.trim().to_lowercase()
}

/// Sorts out which offers of one item count at `now`; each is either used or refused. Their order makes no difference.
/// O(n log n) in offers and O(m²) in sellers.
pub fn believe<'a>(
    offers: impl IntoIterator<Item = &'a CompetitorOffer>,
    now: Timestamp,
    own: &OwnFacts,
    policy: &TrustPolicy,
) -> Believed {
    let mut believed = Believed::default();
    let ahead = now.plus_ms((policy.future_minutes * MINUTE_MS as f64) as i64);
    let mut newest: BTreeMap<String, &CompetitorOffer> = BTreeMap::new();
    for offer in offers {
        if ahead < offer.observed_at {
            believed.refused.push((offer.competitor.clone(), Refusal::Future));
            continue;
        }
        let older = match newest.get_mut(&seller(&offer.competitor)) {
            Some(known) if supersedes(offer, known) => std::mem::replace(known, offer),
            Some(_) => offer,
            None => {
                newest.insert(seller(&offer.competitor), offer);
                continue;
            }
        };
        believed.refused.push((older.competitor.clone(), Refusal::Superseded));
    }
    let mut candidates = vec![];
    for offer in newest.into_values() {
        match refusal(offer, now, own, policy) {
            Some(refusal) => believed.refused.push((offer.competitor.clone(), refusal)),
            None => candidates.push(offer),
        }
    }
    let logs: Vec<f64> =
        candidates.iter().map(|offer| (delivered(offer, policy).0 as f64).ln()).collect();
    let mut kept = vec![];
    for (offer, is_outlier) in candidates.into_iter().zip(outliers(&logs, policy)) {
        if is_outlier {
            believed.refused.push((offer.competitor.clone(), Refusal::Outlier));
        } else {
            kept.push(offer);
        }
    }
    believed.used = weighed(&kept, now, own, policy);
    believed.refused.sort();
    believed
}

/// Whether the first of two offers of one seller takes the place of the second: the newer does; of the same time the
/// dearer, because doubtful evidence must not pull a price down.
pub(super) fn supersedes(offer: &CompetitorOffer, known: &CompetitorOffer) -> bool {
    let rank = |offer: &CompetitorOffer| {
        (offer.observed_at, offer.price, offer.shipping, offer.in_stock, offer.condition)
    };
    let confidence = |offer: &CompetitorOffer| offer.match_confidence.unwrap_or(1.0);
    let names = || offer.competitor.cmp(&known.competitor);
    rank(offer)
        .cmp(&rank(known))
        .then_with(|| confidence(offer).total_cmp(&confidence(known)))
        .then_with(names)
        .is_gt()
}

/// The price with shipping.
fn delivered(offer: &CompetitorOffer, policy: &TrustPolicy) -> Cents {
    let shipping = offer.shipping.unwrap_or(policy.shipping_assumed);
    Cents(offer.price.0.saturating_add(shipping.0))
}

/// Why an offer does not count, whatever others ask.
fn refusal(
    offer: &CompetitorOffer,
    now: Timestamp,
    own: &OwnFacts,
    policy: &TrustPolicy,
) -> Option<Refusal> {
    let is_amount = (1..=CENTS_MAX).contains(&offer.price.0)
        && offer.shipping.is_none_or(|shipping| (0..=CENTS_MAX).contains(&shipping.0));
    let is_match = |confidence: f64| (policy.match_confidence_min..=1.0).contains(&confidence);
    let delivered = delivered(offer, policy);
    let reference = own.reference();
    let is_far = |reference: Cents| is_far(delivered, reference, policy.ratio_max);
    let is_below = |cost: Cents| (delivered.0 as f64) < policy.cost_share_min * cost.0 as f64;
    if !is_amount {
        Some(Refusal::NotAPrice)
    } else if policy.max_age_ms() < now.since_ms(offer.observed_at) {
        Some(Refusal::Stale)
    } else if offer.in_stock == Some(false) {
        Some(Refusal::OutOfStock)
    } else if offer.condition != policy.condition {
        Some(Refusal::Condition)
    } else if !offer.match_confidence.is_none_or(is_match) {
        Some(Refusal::Match)
    } else if reference.is_some_and(|reference| mixes_units(offer.price, reference, HUNDRED)) {
        Some(Refusal::UnitMixUp)
    } else if own.cost.is_some_and(is_below) {
        Some(Refusal::BelowCost)
    } else if reference.is_some_and(is_far) {
        Some(Refusal::FarFromOurs)
    } else {
        None
    }
}

/// Which of the logarithms lie too far from the median of the others, in their median absolute deviations; none if
/// there are fewer than two others, which cannot outvote it.
fn outliers(logs: &[f64], policy: &TrustPolicy) -> Vec<bool> {
    if logs.len() < 3 {
        return vec![false; logs.len()];
    }
    let mut sorted = logs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let is_outlier = |&log: &f64| {
        let own_at = sorted.partition_point(|other| other.total_cmp(&log).is_lt());
        let mut others = sorted.clone();
        others.remove(own_at);
        let center = median(&others);
        let mut deviations: Vec<f64> = others.iter().map(|other| (other - center).abs()).collect();
        deviations.sort_by(f64::total_cmp);
        let deviation = median(&deviations).max(policy.mad_floor);
        policy.mad_max * deviation < (log - center).abs()
    };
    logs.iter().map(is_outlier).collect()
}

/// The median of sorted values, of which there are some.
fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

/// The offers with their weights. Ages count from the freshest, so that shares of weight do not change with time.
fn weighed(
    offers: &[&CompetitorOffer],
    now: Timestamp,
    own: &OwnFacts,
    policy: &TrustPolicy,
) -> Vec<UsedOffer> {
    let freshest = offers.iter().map(|offer| offer.observed_at).max().unwrap_or(now);
    let hours = |from: Timestamp, to: Timestamp| to.since_ms(from).max(0) as f64 / HOUR_MS as f64;
    let weighed = offers.iter().map(|offer| {
        let halvings = hours(offer.observed_at, freshest) / policy.half_life_hours;
        UsedOffer {
            competitor: offer.competitor.clone(),
            delivered: delivered(offer, policy),
            weight: (-halvings).exp2() * offer.match_confidence.unwrap_or(1.0),
            age_hours: hours(offer.observed_at, now),
            flags: flags(offer, own, policy),
        }
    });
    weighed.collect()
}

fn flags(offer: &CompetitorOffer, own: &OwnFacts, policy: &TrustPolicy) -> Vec<OfferFlag> {
    let is_vat = |reference: Cents| mixes_tax(offer.price, reference, &policy.vat_rates).is_some();
    let flags = [
        (own.reference().is_some_and(is_vat), OfferFlag::VatMixUp),
        (offer.shipping.is_none(), OfferFlag::ShippingAssumed),
        (offer.in_stock.is_none(), OfferFlag::StockUnknown),
    ];
    flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)).collect()
}

#[cfg(test)]
mod tests;
