//! The made-up shop is one that could be, and its history shows what is true of it.

use shopkeeper::domain::{
    Cents, Event, EventKind, ItemId, PriceEntry, PriceReason, Timestamp, UserId,
};
use shopkeeper::simulate::{Simulation, SimulationError, SimulationParams, showcase, simulate};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

fn params() -> SimulationParams {
    SimulationParams::new(7, Timestamp::parse("2026-05-01T10:30:00Z").unwrap())
}

static SHOP: LazyLock<Simulation> = LazyLock::new(|| simulate(&params()).unwrap());

fn small(seed: u64) -> Simulation {
    let params = SimulationParams { seed, n_items: 60, n_shoppers: 100, days: 40, ..params() };
    simulate(&params).unwrap()
}

fn places(shop: &Simulation) -> HashMap<&ItemId, usize> {
    shop.items.iter().enumerate().map(|(item_idx, (id, _))| (id, item_idx)).collect()
}

fn of_kind(shop: &Simulation, kind: EventKind) -> impl Iterator<Item = &Event> {
    shop.events.iter().filter(move |event| event.kind == kind)
}

/// Past prices by item.
struct Ledger<'a>(HashMap<&'a ItemId, Vec<&'a PriceEntry>>);

impl<'a> Ledger<'a> {
    fn of(shop: &'a Simulation) -> Self {
        let mut ledger: HashMap<_, Vec<_>> = HashMap::new();
        for entry in &shop.prices {
            ledger.entry(&entry.item).or_default().push(entry);
        }
        Self(ledger)
    }

    fn at(&self, item: &ItemId, time: Timestamp) -> Option<Cents> {
        let in_force =
            |entry: &&&PriceEntry| entry.from <= time && entry.to.is_none_or(|to| time < to);
        self.0[item].iter().find(in_force).map(|entry| entry.price)
    }
}

#[test]
fn the_same_seed_makes_the_same_shop_and_another_seed_another() {
    assert_eq!(small(1), small(1));
    let (one, other) = (small(1), small(2));
    assert_ne!(one.items, other.items);
    assert_ne!(one.prices, other.prices);
    assert_ne!(one.events, other.events);
    assert_ne!(one.truth, other.truth);
}

#[test]
fn the_default_shop_is_as_busy_as_a_small_one() {
    let count = |kind| of_kind(&SHOP, kind).count();
    let [views, carts, sold] =
        [EventKind::View, EventKind::AddToCart, EventKind::Purchase].map(count);
    assert!((60_000..=120_000).contains(&SHOP.events.len()), "{}", SHOP.events.len());
    assert!(carts * 25 > views && carts * 5 < views, "{carts} of {views}");
    assert!(sold * 2 > carts && sold < carts, "{sold} of {carts}");
    for kind in [EventKind::Rating, EventKind::Wishlist, EventKind::Return, EventKind::Click] {
        assert!(count(kind) > 50, "{kind}: {}", count(kind));
    }
    let guests = SHOP.events.iter().filter(|event| event.user.is_none()).count();
    assert!(guests * 10 > SHOP.events.len() && guests * 3 < SHOP.events.len(), "{guests}");
}

#[test]
fn every_event_could_have_been_recorded() {
    let (places, ledger) = (places(&SHOP), Ledger::of(&SHOP));
    let users: HashSet<&UserId> = SHOP.truth.shopper_ids().collect();
    let mut ids = HashSet::new();
    let mut paid = HashMap::new();
    let mut before = params().start();
    for event in &SHOP.events {
        assert!(ids.insert(event.event_id.clone().unwrap()), "{:?} twice", event.event_id);
        assert!(before <= event.occurred_at && event.occurred_at < params().end);
        before = event.occurred_at;
        assert!(event.shopper().is_some() && event.quantity >= 1);
        assert!(event.user.as_ref().is_none_or(|user| users.contains(user)));
        assert_eq!(event.item.is_some(), event.kind.needs_item());
        assert_eq!(event.value.is_some(), event.kind == EventKind::Rating);
        let stars = event.value.unwrap_or(1.0);
        assert!((1.0..=5.0).contains(&stars) && stars.fract() == 0.0, "{stars}");
        let Some(item) = &event.item else { continue };
        assert!(places.contains_key(item));
        let key = (event.order.clone(), item);
        match event.kind {
            EventKind::Rating => assert_eq!(event.price, None),
            EventKind::Return => assert_eq!(Some(&event.price), paid.get(&key)),
            _ => {
                assert_eq!(event.price, ledger.at(item, event.occurred_at));
                assert!(event.price.is_some());
            }
        }
        if event.kind == EventKind::Purchase {
            assert!(event.order.is_some());
            paid.insert(key, event.price);
        }
    }
}

#[test]
fn costs_and_bounds_make_sense() {
    let mut ids = HashSet::new();
    for (id, item) in &SHOP.items {
        let [price, cost, min, max] =
            [item.price, item.cost, item.price_min, item.price_max].map(Option::unwrap);
        assert!(ids.insert(id) && item.title.is_some());
        assert!(Cents(0) < cost && cost < min && min <= price && price <= max, "{id}");
    }
    let some = |test: fn(&(ItemId, _)) -> bool| SHOP.items.iter().any(test);
    assert!(some(|(_, item)| item.stock == Some(0)));
    assert!(some(|(_, item)| item.available == Some(false)));
}

#[test]
fn past_prices_follow_each_other_and_end_at_the_list_price() {
    let ledger = Ledger::of(&SHOP);
    let mut n_discounts = 0;
    for (id, item) in &SHOP.items {
        let (list, entries) = (item.price.unwrap(), &ledger.0[id]);
        for pair in entries.windows(2) {
            assert!(pair[0].to == Some(pair[1].from) && pair[0].from < pair[1].from, "{id}");
        }
        let last = entries.last().unwrap();
        assert_eq!((last.to, last.price), (None, list), "{id}");
        let (min, max) = (item.price_min.unwrap(), item.price_max.unwrap());
        assert!(entries.iter().all(|entry| min <= entry.price && entry.price <= max), "{id}");
        n_discounts += entries.iter().filter(|entry| entry.price.0 * 10 < list.0 * 91).count();
    }
    assert!(n_discounts > SHOP.items.len());
    let open = SHOP.prices.iter().filter(|entry| entry.to.is_none());
    assert!(open.clone().all(|entry| entry.reason == PriceReason::ListPrice));
    assert_eq!(open.count(), SHOP.items.len());
}

#[test]
fn shoppers_buy_what_the_truth_says_they_like() {
    let (places, n_items) = (places(&SHOP), SHOP.items.len());
    let mut bought: HashMap<&UserId, Vec<usize>> = HashMap::new();
    for event in of_kind(&SHOP, EventKind::Purchase) {
        if let Some(user) = &event.user {
            bought.entry(user).or_default().push(places[event.item.as_ref().unwrap()]);
        }
    }
    let (mut in_top, mut total) = (0, 0);
    for (shopper_idx, user) in SHOP.truth.shopper_ids().enumerate() {
        let Some(items) = bought.get(user) else { continue };
        let utility = |item_idx| SHOP.truth.utility(shopper_idx, item_idx);
        let mut all: Vec<f64> = (0..n_items).map(utility).collect();
        all.sort_by(f64::total_cmp);
        let decile = all[n_items * 9 / 10];
        total += items.len();
        in_top += items.iter().filter(|&&item_idx| utility(item_idx) >= decile).count();
    }
    let share = in_top as f64 / total as f64;
    assert!(share > 0.2, "the best tenth makes {share:.2} of the purchases");
}

/// Over all views, the sales made are those that the true elasticities lead to expect.
#[test]
fn discounts_raise_sales_as_much_as_elasticity_says() {
    let places = places(&SHOP);
    let relative = |event: &Event| {
        let item_idx = places[event.item.as_ref().unwrap()];
        let list = SHOP.items[item_idx].1.price.unwrap();
        (event.price.unwrap().0 as f64 / list.0 as f64, SHOP.truth.items()[item_idx].elasticity)
    };
    let tally = |kind: EventKind, range: std::ops::Range<f64>| {
        of_kind(&SHOP, kind)
            .map(relative)
            .filter(|(price, _)| range.contains(price))
            .fold((0.0, 0.0), |(count, lift), (price, elasticity)| {
                (count + 1.0, lift + price.powf(elasticity))
            })
    };
    let (list_views, _) = tally(EventKind::View, 0.999..1.001);
    let (list_carts, _) = tally(EventKind::AddToCart, 0.999..1.001);
    let (cheap_views, lifts) = tally(EventKind::View, 0.5..0.9);
    let (cheap_carts, _) = tally(EventKind::AddToCart, 0.5..0.9);
    let lift: f64 = (cheap_carts / cheap_views) / (list_carts / list_views);
    assert!(lift > 1.2, "{lift:.2}");
    // Some 1,000 carts at a discount: a standard error near 3 %.
    let expected = lifts / cheap_views;
    assert!((lift / expected - 1.0).abs() < 0.12, "{lift:.2}, expected {expected:.2}");
}

#[test]
fn units_sold_are_near_the_true_rates() {
    let sold: u32 = of_kind(&SHOP, EventKind::Purchase).map(|event| event.quantity).sum();
    let expected: f64 = SHOP.truth.items().iter().map(|item| item.units_per_day * 120.0).sum();
    // Discounts sell more than the list price would, sold-out goods less.
    let ratio = f64::from(sold) / expected;
    assert!((0.95..1.3).contains(&ratio), "{ratio:.3}");
}

#[test]
fn companions_are_bought_together() {
    let places = places(&SHOP);
    let mut orders: HashMap<&str, Vec<usize>> = HashMap::new();
    for event in of_kind(&SHOP, EventKind::Purchase) {
        let order = orders.entry(event.order.as_deref().unwrap()).or_default();
        order.push(places[event.item.as_ref().unwrap()]);
    }
    let companion = |item_idx: usize| SHOP.truth.items()[item_idx].companion_idx;
    let paired = |order: &&Vec<usize>| order.iter().any(|&item| order.contains(&companion(item)));
    let n_paired = orders.values().filter(paired).count();
    assert!(n_paired * 20 > orders.len(), "{n_paired} of {}", orders.len());
}

#[test]
fn few_items_make_much_of_the_sales() {
    let places = places(&SHOP);
    let mut sold = vec![0_usize; SHOP.items.len()];
    for event in of_kind(&SHOP, EventKind::Purchase) {
        sold[places[event.item.as_ref().unwrap()]] += 1;
    }
    sold.sort_unstable_by(|left, right| right.cmp(left));
    let best: usize = sold[..sold.len() / 5].iter().sum();
    let share = best as f64 / sold.iter().sum::<usize>() as f64;
    assert!((0.4..0.9).contains(&share), "the best fifth sells {share:.2}");
}

#[test]
fn the_showcase_shows_what_exists() {
    let shown = showcase(&SHOP);
    let bought = of_kind(&SHOP, EventKind::Purchase)
        .filter(|event| event.user.as_ref() == Some(&shown.active_user));
    assert!(bought.count() >= 10);
    assert!(shown.guest_session.is_some());
    assert!(SHOP.items.iter().any(|(_, item)| item.categories[0] == shown.category));
    let places = places(&SHOP);
    for id in [
        shown.popular_item,
        shown.bundle_item,
        shown.price_item,
        shown.reorder_item,
        shown.unknown_item,
    ] {
        let item = &SHOP.items[places[&id]].1;
        assert!(item.stock != Some(0) && item.available == Some(true), "{id}");
    }
}

#[test]
fn the_smallest_shop_is_a_shop() {
    let params = SimulationParams { n_items: 12, n_shoppers: 1, days: 1, ..params() };
    let shop = simulate(&params).unwrap();
    assert_eq!(shop.items.len(), 12);
    assert_eq!(showcase(&shop).active_user.as_str(), "shopper-0001");
}

#[test]
fn parameters_out_of_range_are_refused() {
    let refused = |change: fn(&mut SimulationParams)| {
        let mut params = params();
        change(&mut params);
        simulate(&params).unwrap_err()
    };
    let error = refused(|params| params.n_items = 11);
    assert_eq!(error.to_string(), "`n_items` must be between 12 and 1000000, not 11");
    refused(|params| params.n_shoppers = 0);
    refused(|params| params.days = 0);
    let error = refused(|params| (params.n_shoppers, params.days) = (1_000_000, 3_650));
    assert!(matches!(error, SimulationError::OutOfRange { name: "n_shoppers * days", .. }));
    let error = refused(|params| params.end = Timestamp(i64::MAX));
    assert!(matches!(error, SimulationError::BadEnd(_)));
}
