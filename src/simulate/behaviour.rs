//! What shoppers do: they come, look, put into the cart, pay, and some tell afterwards how they liked it.

use super::assortment::{CATEGORIES, is_weekend};
use super::checkout::{PAYS, SECOND_THOUGHTS};
use super::shop::{Draw, Shop};
use super::{SimulationParams, shoppers::Shopper};
use crate::domain::time::{DAY_MS, SECOND_MS};
use crate::domain::{Event, EventContext, EventKind, SessionId, Timestamp, UserId};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Poisson, StandardNormal};

/// Sets the numbers of what happens apart from those of who is there.
const STREAM: u64 = 0xBE4A_0000_0000;

/// Part of the visits in which nobody signs in.
const GUEST_SHARE: f64 = 0.2;
/// Mean number of looks after the first.
const LOOKS_MEAN: f64 = 3.2;
/// Goods that a shopper notices before looking at one.
const N_NOTICED: usize = 9;
/// How strongly a utility moves the choice of what to look at.
const CHOICE_WEIGHT: f64 = 0.8;
/// Chance that a look at something indifferent, at the list price, leads into the cart.
const CART_BASE: f64 = 0.045;
/// How strongly a utility moves the chance of the cart.
const CART_WEIGHT: f64 = 0.5;
/// Greatest chance of the cart at the list price. `(1 − 0.25)^−3 · 0.4 < 1`: see `DISCOUNT_MAX`.
const CART_MAX: f64 = 0.4;
/// What a companion in the cart does to the chance of the cart.
const COMPANION_LIFT: f64 = 5.0;
/// Chance that a shopper looks at the companion of what is in the cart.
const COMPANION_LOOK: f64 = 0.6;
/// What happened, in time order, and what was to be expected.
#[derive(Debug)]
pub(super) struct History {
    pub(super) events: Vec<Event>,
    pub(super) units_per_day: Vec<f64>,
}

/// Plays every visit of every day.
pub(super) fn play(params: &SimulationParams, shop: &Shop, shoppers: &[Shopper]) -> History {
    let mut play = Play {
        params,
        shop,
        rng: ChaCha8Rng::seed_from_u64(params.seed ^ STREAM),
        events: vec![],
        units: vec![0.0; shop.goods.len()],
        owned: vec![vec![]; shoppers.len()],
        n_visits: 0,
        n_orders: 0,
    };
    let first_day = params.start().0.div_euclid(DAY_MS);
    for day in first_day..=params.end.0.div_euclid(DAY_MS) {
        let week = if is_weekend(day) { 1.25 } else { 0.9 };
        for (shopper_idx, shopper) in shoppers.iter().enumerate() {
            if play.rng.random::<f64>() >= 1.0 - (-shopper.visit_rate * week).exp() {
                continue;
            }
            let now = Timestamp(day * DAY_MS + play.time_of_day_ms());
            if now >= params.start() && now < params.end {
                play.visit(shopper_idx, shopper, now);
            }
        }
    }
    let mut events = play.events;
    events.retain(|event| event.occurred_at < params.end);
    events.sort_by_key(|event| event.occurred_at);
    for (number, event) in events.iter_mut().enumerate() {
        event.event_id = Some(format!("sim-{}-{number}", params.seed));
    }
    let days = f64::from(params.days);
    History { events, units_per_day: play.units.iter().map(|units| units / days).collect() }
}

/// The state of the play.
pub(super) struct Play<'a> {
    pub(super) params: &'a SimulationParams,
    pub(super) shop: &'a Shop,
    pub(super) rng: ChaCha8Rng,
    events: Vec<Event>,
    /// Units expected to be sold at the list price, per item.
    units: Vec<f64>,
    /// What each shopper has and does not need twice.
    pub(super) owned: Vec<Vec<usize>>,
    n_visits: usize,
    pub(super) n_orders: usize,
}

/// One visit as it goes on.
pub(super) struct Visit<'a> {
    pub(super) shopper_idx: usize,
    pub(super) shopper: &'a Shopper,
    pub(super) user: Option<UserId>,
    session: SessionId,
    channel: &'static str,
    pub(super) now: Timestamp,
    pub(super) cart: Vec<(usize, u32)>,
}

impl Play<'_> {
    /// Around noon or in the evening.
    fn time_of_day_ms(&mut self) -> i64 {
        let (mean, spread) = if self.rng.random_bool(0.35) { (12.5, 2.0) } else { (19.5, 2.2) };
        let noise: f64 = StandardNormal.sample(&mut self.rng);
        let hour = (mean + spread * noise).clamp(0.0, 23.5);
        (hour * 3_600.0) as i64 * SECOND_MS + self.rng.random_range(0..SECOND_MS)
    }

    fn visit(&mut self, shopper_idx: usize, shopper: &Shopper, now: Timestamp) {
        self.n_visits += 1;
        let session = format!("visit-{}-{}", self.params.seed, self.n_visits);
        let mut visit = Visit {
            shopper_idx,
            shopper,
            user: (!self.rng.random_bool(GUEST_SHARE)).then(|| shopper.id.clone()),
            session: SessionId::new(session).expect("a word and two numbers are an id"),
            channel: if self.rng.random_bool(0.3) { "app" } else { "web" },
            now,
            cart: vec![],
        };
        let mut wanted = Draw::default();
        for (category_idx, category) in CATEGORIES.iter().enumerate() {
            wanted.push(shopper.interests[category_idx] * category.season(now), category_idx);
        }
        let more = Poisson::new(LOOKS_MEAN).expect("a positive mean is a Poisson's");
        let n_looks = 1 + more.sample(&mut self.rng) as usize;
        let mut category_idx = wanted.pick(&mut self.rng);
        for _ in 0..n_looks {
            if self.rng.random_bool(0.2) {
                category_idx = wanted.pick(&mut self.rng);
            }
            if let Some(item_idx) = self.choose(&visit, category_idx) {
                let clicked = self.rng.random_bool(0.45).then_some("category");
                self.look(&mut visit, item_idx, clicked, 1.0);
            }
        }
        for (item_idx, _) in visit.cart.clone() {
            let companion_idx = self.shop.goods[item_idx].companion_idx;
            if self.is_open_to(&visit, companion_idx) && self.rng.random_bool(COMPANION_LOOK) {
                self.look(&mut visit, companion_idx, Some("cart"), COMPANION_LIFT);
            }
        }
        self.settle(&mut visit);
    }

    /// Whether the item is on sale, and the shopper neither has it nor is about to.
    fn is_open_to(&self, visit: &Visit<'_>, item_idx: usize) -> bool {
        self.shop.goods[item_idx].on_sale.contains(&visit.now)
            && !self.owned[visit.shopper_idx].contains(&item_idx)
            && !visit.cart.iter().any(|&(in_cart, _)| in_cart == item_idx)
    }

    /// One of the goods noticed, in proportion to the exponential of its utility.
    fn choose(&mut self, visit: &Visit<'_>, category_idx: usize) -> Option<usize> {
        let (mut chosen, mut total) = (None, 0.0);
        for _ in 0..N_NOTICED {
            let from_shelf = self.rng.random_bool(0.8);
            let draw =
                if from_shelf { &self.shop.shelves[category_idx] } else { &self.shop.window };
            let item_idx = draw.pick(&mut self.rng);
            if !self.is_open_to(visit, item_idx) {
                continue;
            }
            let utility = visit.shopper.utility(&self.shop.goods[item_idx]);
            let weight = (CHOICE_WEIGHT * utility).exp();
            total += weight;
            if self.rng.random::<f64>() * total < weight {
                chosen = Some(item_idx);
            }
        }
        chosen
    }

    /// A look at an item, and what comes of it.
    fn look(
        &mut self,
        visit: &mut Visit<'_>,
        item_idx: usize,
        clicked_in: Option<&str>,
        lift: f64,
    ) {
        let good = &self.shop.goods[item_idx];
        let utility = visit.shopper.utility(good);
        if let Some(place) = clicked_in {
            self.note(visit, EventKind::Click, item_idx).context.scenario = Some(place.to_owned());
        }
        self.note(visit, EventKind::View, item_idx);
        let at_list = (lift * CART_BASE * (CART_WEIGHT * utility).exp()).min(CART_MAX);
        let quantity_mean = if good.category().used_up { 1.6 } else { 1.08 };
        self.units[item_idx] += at_list * (1.0 - SECOND_THOUGHTS) * PAYS * quantity_mean;

        let list = self.shop.items[item_idx].1.price.unwrap_or_default();
        let paid = self.shop.price_at(item_idx, visit.now);
        let chance = at_list * (paid.0 as f64 / list.0 as f64).powf(good.elasticity);
        let in_stock = visit.now < good.sold_out_from;
        if self.rng.random::<f64>() < chance && in_stock && self.is_open_to(visit, item_idx) {
            let quantity = self.quantity(good.category().used_up);
            self.note(visit, EventKind::AddToCart, item_idx).quantity = quantity;
            visit.cart.push((item_idx, quantity));
        } else if visit.user.is_some()
            && self.rng.random::<f64>() < (0.015 * (0.5 * utility).exp()).min(0.15)
        {
            self.note(visit, EventKind::Wishlist, item_idx);
        }
    }

    fn quantity(&mut self, used_up: bool) -> u32 {
        if !used_up {
            return 1 + u32::from(self.rng.random_bool(0.08));
        }
        let more = Poisson::new(0.6).expect("a positive mean is a Poisson's");
        1 + more.sample(&mut self.rng) as u32
    }

    /// Writes an event down; a few seconds pass.
    pub(super) fn note(
        &mut self,
        visit: &mut Visit<'_>,
        kind: EventKind,
        item_idx: usize,
    ) -> &mut Event {
        visit.now = visit.now.plus_ms(self.rng.random_range(2 * SECOND_MS..45 * SECOND_MS));
        self.events.push(Event {
            event_id: None,
            kind,
            user: visit.user.clone(),
            session: Some(visit.session.clone()),
            item: Some(self.shop.items[item_idx].0.clone()),
            occurred_at: visit.now,
            quantity: 1,
            price: Some(self.shop.price_at(item_idx, visit.now)),
            order: None,
            value: None,
            context: EventContext {
                channel: Some(visit.channel.to_owned()),
                ..EventContext::default()
            },
        });
        self.events.last_mut().expect("an event was just pushed")
    }
}
