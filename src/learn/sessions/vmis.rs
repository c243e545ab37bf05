//! Session neighbours: "who looked at this, looked at that next".
//!
//! Sources: Kersbergen, Sprangers, Schelter, "Serenade: low-latency session-based recommendation in e-commerce
//! at scale", SIGMOD 2022 (VMIS-kNN: the candidates, the early stop, the decays of
//! [`SessionParams::as_published`], idf); Garg, Gupta, Malhotra, Vig, Shroff, "Sequence and time aware
//! neighborhood for session-based recommendations: STAN", SIGIR 2019 (exponential decays by position, by age of
//! the neighbour, by distance from the shared item).
//!
//! For a running session with items `s_d`, `d` steps before its end, a neighbour `n` with items `n_p` at places
//! `p`:
//!
//! `similarity(n) = age(n) · |n|^(−length_exponent) · Σ_d position(d) · idf(s_d)^shared_idf_exponent`, `s_d ∈ n`
//!
//! `score(i) = own(i) · idf(i)^idf_exponent · Σ_n similarity(n) · match(d*) · distance(p − p*)`, `n_p = i`
//!
//! where `d*` is the last event of the running session that the neighbour shares, `p*` its place in the
//! neighbour. `own` is `last_item_weight` for the running session's last item, `repeat_weight` for its others,
//! 1 otherwise.
//!
//! Departures: the age of a session is the number of later ones, so no clock is asked; items before `p*` have a
//! weight of their own, since what comes next is what came after it; the running session's own items are damped
//! (Serenade leaves out the last one alone).

use super::{
    index::SessionIndex,
    neighbours::{Neighbour, find_candidates, keep_most_similar},
    params::{SESSION_ITEMS_LIMIT, SessionParams},
};
use crate::learn::recommenders::{FitError, check};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Last events of the running session whose items are taken for its own; bounds what one call costs.
const OWN_ITEMS_MAX: usize = 128;

/// Past sessions and what is made of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmisKnn {
    index: Arc<SessionIndex>,
    params: SessionParams,
    /// `(n_sessions)`: age and length.
    session_weights: Vec<f32>,
    /// `(n_items)`: `idf^idf_exponent`.
    item_weights: Vec<f32>,
    /// `(n_items)`: `idf^shared_idf_exponent`.
    shared_weights: Vec<f32>,
    /// By steps from the shared item.
    distance_weights: Vec<f32>,
}

/// Makes a model of an index; several models may share one.
pub fn fit(index: Arc<SessionIndex>, params: &SessionParams) -> Result<VmisKnn, FitError> {
    params.check()?;
    let fits = params.m <= index.limits().postings_max;
    check(fits, "m", "at most the index's postings_max", params.m)?;
    let n_sessions = index.n_sessions();
    if n_sessions == 0 {
        return Err(FitError::NoData { model: "vmis_knn" });
    }
    let session_weight = |session: u32| {
        let age = f64::from(session) / n_sessions as f64;
        let length = index.session(session).len() as f64;
        let age = (-f64::from(params.recency_decay) * age).exp();
        (age * length.powf(-f64::from(params.length_exponent))) as f32
    };
    let idf_powers = |exponent: f32| -> Vec<f32> {
        let items = 0..index.n_items() as u32;
        items.map(|item| index.inverse_frequency(item).powf(exponent)).collect()
    };
    let distances = 0..index.limits().items_per_session_max;
    let model = VmisKnn {
        params: *params,
        session_weights: (0..n_sessions as u32).map(session_weight).collect(),
        item_weights: idf_powers(params.idf_exponent),
        shared_weights: idf_powers(params.shared_idf_exponent),
        distance_weights: distances.map(|s| (-params.distance_decay * s as f32).exp()).collect(),
        index,
    };
    let weights = [&model.session_weights, &model.item_weights, &model.shared_weights];
    if !weights.into_iter().flatten().all(|weight| weight.is_finite()) {
        return Err(FitError::NotFinite { model: "vmis_knn" });
    }
    Ok(model)
}

/// An item's score so far, and the call that it belongs to.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    value: f32,
    call: u32,
}

/// Room to work in, for one thread; grows to the size of the catalogue once, and is never swept.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    neighbours: Vec<Neighbour>,
    keys: Vec<u64>,
    sums: Vec<Sum>,
    call: u32,
    touched: Vec<u32>,
    own: Vec<u32>,
    scores: Vec<(u32, f32)>,
}

/// An event of the running session that is asked with.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    item: u32,
    /// Steps before the end.
    distance: usize,
}

/// What is asked with: the last occurrence of each item, last first.
#[derive(Clone, Copy, Debug)]
struct Running {
    asked: [Asked; SESSION_ITEMS_LIMIT],
    n: usize,
    /// Events that were looked at.
    n_events: usize,
}

impl Running {
    fn asked(&self) -> &[Asked] {
        &self.asked[..self.n]
    }
}

impl VmisKnn {
    /// What it was made from.
    pub fn index(&self) -> &Arc<SessionIndex> {
        &self.index
    }

    /// What it was made with.
    pub fn params(&self) -> &SessionParams {
        &self.params
    }

    /// Number of items of the catalogue.
    pub fn n_items(&self) -> usize {
        self.index.n_items()
    }

    /// Bytes held on the heap, the index included.
    pub fn n_bytes(&self) -> usize {
        let own = [
            &self.session_weights,
            &self.item_weights,
            &self.shared_weights,
            &self.distance_weights,
        ];
        let own: usize = own.iter().map(|weights| size_of::<f32>() * weights.capacity()).sum();
        own + self.index.n_bytes()
    }

    /// Scores, all above 0, of the items that the neighbours of a running session hold, in an order that
    /// means nothing; none if nothing of it is known.
    ///
    /// `session`: items oldest first, as many as there are. Costs at most `m · session_items_max` steps to find
    /// neighbours, and one for each of their items.
    pub fn score<'a>(&self, session: &[u32], scratch: &'a mut Scratch) -> &'a [(u32, f32)] {
        let running = self.running(session);
        self.find_neighbours(&running, scratch);
        self.add_up(&running, scratch);
        self.weigh(session, scratch);
        &scratch.scores
    }

    /// The `n` best items, best first, of equals the lower position; fewer if the neighbours hold fewer.
    pub fn recommend<'a>(
        &self,
        session: &[u32],
        n: usize,
        scratch: &'a mut Scratch,
    ) -> &'a [(u32, f32)] {
        self.score(session, scratch);
        let scores = &mut scratch.scores;
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if n == 0 {
            scores.clear();
        } else if n < scores.len() {
            scores.select_nth_unstable_by(n - 1, order);
            scores.truncate(n);
        }
        scores.sort_unstable_by(order);
        scores
    }

    /// How much each event of a running session adds to the score of `item`: as many numbers as events, which add
    /// up to the score; of an item that is in it several times, the last event counts.
    ///
    /// What a neighbour adds is shared out over the items that it has in common with the session, by their weights.
    pub fn contributions(&self, session: &[u32], item: u32, scratch: &mut Scratch) -> Vec<f32> {
        let mut parts = vec![0.0; session.len()];
        if item as usize >= self.n_items() {
            return parts;
        }
        let running = self.running(session);
        self.find_neighbours(&running, scratch);
        let factor = self.item_weights[item as usize] * self.own_weight(session, item);
        let weights = self.position_weights(&running);
        for neighbour in &scratch.neighbours {
            let mut added = 0.0;
            self.each_item(&running, neighbour, |of, value| {
                if of == item {
                    added = value;
                }
            });
            let shared = |at: &usize| neighbour.shared >> at & 1 == 1;
            let whole: f32 = (0..running.n).filter(shared).map(|at| weights[at]).sum();
            if added > 0.0 && whole > 0.0 {
                for at in (0..running.n).filter(shared) {
                    let event = session.len() - 1 - running.asked[at].distance;
                    parts[event] += factor * added * (weights[at] / whole);
                }
            }
        }
        parts
    }

    /// The items that the last events of a session ask with.
    fn running(&self, session: &[u32]) -> Running {
        let mut running = Running {
            asked: [Asked::default(); SESSION_ITEMS_LIMIT],
            n: 0,
            n_events: session.len().min(self.params.session_items_max),
        };
        for (distance, &item) in session.iter().rev().take(running.n_events).enumerate() {
            let is_new = running.asked().iter().all(|asked| asked.item != item);
            if is_new && !self.index.sessions_with(item).is_empty() {
                running.asked[running.n] = Asked { item, distance };
                running.n += 1;
            }
        }
        running
    }

    /// What sharing each of the items asked with is worth; 0 for the places behind them.
    fn position_weights(&self, running: &Running) -> [f32; SESSION_ITEMS_LIMIT] {
        let mut weights = [0.0; SESSION_ITEMS_LIMIT];
        for (weight, asked) in weights.iter_mut().zip(running.asked()) {
            *weight = self.params.position_decay.weight(asked.distance, running.n_events)
                * self.shared_weights[asked.item as usize];
        }
        weights
    }

    /// Overwrites the scratch's neighbours.
    fn find_neighbours(&self, running: &Running, scratch: &mut Scratch) {
        let mut lists = [&[][..]; SESSION_ITEMS_LIMIT];
        for (list, asked) in lists.iter_mut().zip(running.asked()) {
            *list = self.index.sessions_with(asked.item);
        }
        let weights = self.position_weights(running);
        let neighbours = &mut scratch.neighbours;
        let (lists, weights) = (&lists[..running.n], &weights[..running.n]);
        find_candidates(lists, weights, &self.session_weights, self.params.m, neighbours);
        keep_most_similar(neighbours, self.params.k, &mut scratch.keys);
    }

    /// Hands out what a neighbour adds to each of its items.
    fn each_item(&self, running: &Running, neighbour: &Neighbour, mut add: impl FnMut(u32, f32)) {
        let last = running.asked[neighbour.shared.trailing_zeros() as usize];
        let match_weight = self.params.match_decay.weight(last.distance, running.n_events);
        let weight = neighbour.similarity * match_weight;
        if weight <= 0.0 {
            return;
        }
        let items = self.index.session(neighbour.session);
        let place = items.iter().position(|&item| item == last.item).unwrap_or_default();
        let (before, after) = items.split_at(place);
        for (&item, distance) in before.iter().rev().zip(&self.distance_weights[1..]) {
            add(item, weight * self.params.before_weight * distance);
        }
        for (&item, distance) in after.iter().zip(&self.distance_weights) {
            add(item, weight * distance);
        }
    }

    /// Adds up what all neighbours add.
    fn add_up(&self, running: &Running, scratch: &mut Scratch) {
        let Scratch { neighbours, sums, call, touched, .. } = scratch;
        if sums.len() < self.n_items() {
            sums.resize(self.n_items(), Sum::default());
        }
        // After 2³² calls, what older ones left could be taken for this one's.
        if *call == u32::MAX {
            sums.fill(Sum::default());
            *call = 0;
        }
        *call += 1;
        touched.clear();
        for neighbour in &*neighbours {
            self.each_item(running, neighbour, |item, value| {
                let sum = &mut sums[item as usize];
                if sum.call == *call {
                    sum.value += value;
                } else {
                    *sum = Sum { value, call: *call };
                    touched.push(item);
                }
            });
        }
    }

    /// Makes scores of sums.
    fn weigh(&self, session: &[u32], scratch: &mut Scratch) {
        let Scratch { sums, call, touched, own, scores, .. } = scratch;
        own.clear();
        own.extend(session.iter().rev().take(OWN_ITEMS_MAX));
        own.sort_unstable();
        own.dedup();
        for &item in &*own {
            if let Some(sum) = sums.get_mut(item as usize).filter(|sum| sum.call == *call) {
                sum.value *= self.own_weight(session, item);
            }
        }
        scores.clear();
        let score =
            |&item: &u32| (item, sums[item as usize].value * self.item_weights[item as usize]);
        scores.extend(touched.iter().map(score).filter(|&(_, score)| score > 0.0));
    }

    /// What is left of an item's score for its being in the running session.
    fn own_weight(&self, session: &[u32], item: u32) -> f32 {
        match session.iter().rev().take(OWN_ITEMS_MAX).position(|&own| own == item) {
            Some(0) => self.params.last_item_weight,
            Some(_) => self.params.repeat_weight,
            None => 1.0,
        }
    }
}

#[cfg(test)]
mod tests;
