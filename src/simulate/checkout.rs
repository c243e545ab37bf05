//! The end of a visit: what leaves the cart, what is paid, and what its buyer says days later.

use super::behaviour::{Play, Visit};
use crate::domain::time::DAY_MS;
use crate::domain::{Cents, EventKind};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// Chance that something leaves the cart again.
pub(super) const SECOND_THOUGHTS: f64 = 0.08;
/// Chance that a cart is paid for.
pub(super) const PAYS: f64 = 0.65;

/// Chance that a buyer who is known rates a purchase.
const RATES: f64 = 0.3;
/// Chance that a purchase of three stars or more, and one of fewer, goes back.
const GOES_BACK: [f64; 2] = [0.025, 0.3];

impl Play<'_> {
    /// The end of a visit: second thoughts, then paying or leaving.
    pub(super) fn settle(&mut self, visit: &mut Visit<'_>) {
        for (item_idx, quantity) in std::mem::take(&mut visit.cart) {
            if self.rng.random_bool(SECOND_THOUGHTS) {
                self.note(visit, EventKind::RemoveFromCart, item_idx).quantity = quantity;
            } else {
                visit.cart.push((item_idx, quantity));
            }
        }
        if visit.cart.is_empty() || !self.rng.random_bool(PAYS) {
            return;
        }
        self.n_orders += 1;
        let order = format!("order-{}-{}", self.params.seed, self.n_orders);
        let checkout = self.note(visit, EventKind::Checkout, visit.cart[0].0);
        (checkout.item, checkout.price) = (None, None);
        checkout.order = Some(order.clone());
        for (item_idx, quantity) in visit.cart.clone() {
            let purchase = self.note(visit, EventKind::Purchase, item_idx);
            (purchase.quantity, purchase.order) = (quantity, Some(order.clone()));
            let price = purchase.price;
            if !self.shop.goods[item_idx].category().used_up {
                self.owned[visit.shopper_idx].push(item_idx);
            }
            self.look_back(visit, item_idx, &order, price);
        }
    }

    /// What a buyer says and does days later; only those who signed in rate.
    fn look_back(
        &mut self,
        visit: &mut Visit<'_>,
        item_idx: usize,
        order: &str,
        price: Option<Cents>,
    ) {
        let paid_at = visit.now;
        let noise: f64 = StandardNormal.sample(&mut self.rng);
        let utility = visit.shopper.utility(&self.shop.goods[item_idx]);
        let stars = (3.2 + 0.4 * utility + 0.7 * noise).round().clamp(1.0, 5.0);
        let returned = self.rng.random_bool(GOES_BACK[usize::from(stars < 3.0)]);
        if visit.user.is_some() && self.rng.random_bool(RATES) {
            visit.now = paid_at.plus_ms(self.rng.random_range(3 * DAY_MS..15 * DAY_MS));
            let rating = self.note(visit, EventKind::Rating, item_idx);
            (rating.value, rating.price) = (Some(stars), None);
        }
        if returned {
            visit.now = paid_at.plus_ms(self.rng.random_range(4 * DAY_MS..20 * DAY_MS));
            let back = self.note(visit, EventKind::Return, item_idx);
            (back.order, back.price) = (Some(order.to_owned()), price);
        }
        visit.now = paid_at;
    }
}
