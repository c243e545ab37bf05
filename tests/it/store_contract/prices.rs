//! Prices: the ledger, what competitors ask, and pricing runs.

use super::{T0, append, item, on_both, priced, view};
use shopkeeper::{
    domain::{
        Cents, CompetitorOffer, CompetitorPrice, Condition, ItemChange, Lottery, Patch,
        PriceDecision, PriceEntry, PriceReason, PriceRun, RunState, Timestamp, item::ItemPatch,
    },
    record::store::{ChangeTerms, NewPrice, Store},
};
use std::sync::Arc;

on_both!(
    a_price_change_is_in_the_ledger,
    pricing_moves_the_price_in_force_alone,
    past_prices_are_written_once,
    prices_are_paged_by_whole_items,
    competitor_prices_are_stored_once,
    a_drawn_price_begins_anew_even_if_it_is_in_force,
    pricing_runs_are_kept_with_their_decisions,
    a_request_key_gives_one_run_and_old_runs_are_dropped,
    requests_of_one_key_at_one_time_give_one_run,
    costs_are_noted_and_come_from_runs_that_came_into_force,
    runs_that_wait_for_nothing_are_superseded,
    the_last_run_that_a_person_approved_is_never_dropped,
    pricing_is_stopped_until_it_goes_on,
);

async fn history(store: &dyn Store, of: &str) -> Vec<(i64, i64, Option<i64>, PriceReason)> {
    let all = (Timestamp(i64::MIN / 2), Timestamp(i64::MAX / 2));
    let entries = store.price_history(&item(of), all.0, all.1, 100).await.unwrap();
    let plain =
        |e: PriceEntry| (e.price.0, e.from.since_ms(T0), e.to.map(|t| t.since_ms(T0)), e.reason);
    entries.into_iter().map(plain).collect()
}

async fn a_price_change_is_in_the_ledger(store: Arc<dyn Store>) {
    let change = |price, ms| {
        let store = store.clone();
        async move {
            store
                .change_items(&[(item("mug"), price)], ChangeTerms::ANY, T0.plus_ms(ms))
                .await
                .unwrap()
                .items
        }
    };
    change(priced(1_000), 0).await;
    let same = change(priced(1_000), 10).await;
    assert_eq!(same[0].updated_at, T0, "nothing changed");
    change(priced(900), 20).await;
    let list = PriceReason::ListPrice;
    assert_eq!(history(&*store, "mug").await, [(1_000, 0, Some(20), list), (900, 20, None, list)]);
    // Twice within a millisecond: the last counts. A clock that went back does not tear a hole.
    change(priced(800), 20).await;
    change(priced(700), 15).await;
    assert_eq!(history(&*store, "mug").await, [(1_000, 0, Some(20), list), (700, 20, None, list)]);
    let none = ItemPatch { price: Patch::Clear, ..ItemPatch::default() };
    change(ItemChange::Merge(Box::new(none)), 30).await;
    assert_eq!(history(&*store, "mug").await.last(), Some(&(700, 20, Some(30), list)));
    let window = (T0.plus_ms(20), T0.plus_ms(21));
    let found = store.price_history(&item("mug"), window.0, window.1, 10).await.unwrap();
    assert_eq!(found.len(), 1, "to is exclusive: {found:?}");
    let newest = store.price_history(&item("mug"), T0, T0.plus_ms(99), 1).await.unwrap();
    assert_eq!(newest[0].price, Cents(700));
}

async fn pricing_moves_the_price_in_force_alone(store: Arc<dyn Store>) {
    store.change_items(&[(item("mug"), priced(1_000))], ChangeTerms::ANY, T0).await.unwrap();
    let move_from = |before, price, reason| {
        let before = Some(Cents(before));
        [
            NewPrice { item: item("mug"), before, price: Cents(price), reason },
            NewPrice { item: item("unknown"), before, price: Cents(5), reason },
        ]
    };
    let later = T0.plus_ms(10);
    let moved =
        store.set_prices(&move_from(1_000, 1_100, PriceReason::Demand), later).await.unwrap();
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].price_in_force, Some(Cents(1_100)));
    assert_eq!(moved[0].fields.price, Some(Cents(1_000)));
    let again = store
        .set_prices(&move_from(1_100, 1_100, PriceReason::Demand), T0.plus_ms(20))
        .await
        .unwrap();
    assert!(again.is_empty());
    let late = store.set_prices(&move_from(1_000, 900, PriceReason::Demand), T0.plus_ms(25)).await;
    assert!(late.unwrap().is_empty(), "another price is in force by now");
    // A change of stock leaves the price in force alone.
    let stock = ItemPatch { stock: Patch::Set(7), ..ItemPatch::default() };
    let change = [(item("mug"), ItemChange::Merge(Box::new(stock)))];
    let after = store.change_items(&change, ChangeTerms::ANY, T0.plus_ms(30)).await.unwrap().items;
    assert_eq!(after[0].price_in_force, Some(Cents(1_100)));
    assert_eq!(
        history(&*store, "mug").await,
        [(1_000, 0, Some(10), PriceReason::ListPrice), (1_100, 10, None, PriceReason::Demand)]
    );
}

fn entry(of: &str, price: i64, from: i64, to: Option<i64>) -> PriceEntry {
    PriceEntry {
        item: item(of),
        price: Cents(price),
        from: T0.plus_ms(from),
        to: to.map(|to| T0.plus_ms(to)),
        reason: PriceReason::Imported,
    }
}

async fn past_prices_are_written_once(store: Arc<dyn Store>) {
    append(&*store, &[view("u", "a", None)]).await;
    store.change_items(&[(item("b"), priced(50))], ChangeTerms::ANY, T0).await.unwrap();
    let entries = [
        entry("a", 10, 0, Some(5)),
        entry("a", 12, 5, None),
        entry("b", 1, -9, Some(0)),
        entry("c", 3, 0, None),
    ];
    assert_eq!(store.backfill_prices(&entries).await.unwrap(), 3);
    assert_eq!(store.backfill_prices(&entries).await.unwrap(), 0);
    let a = store.item(&item("a")).await.unwrap().unwrap();
    assert_eq!((a.fields.price, a.price_in_force), (Some(Cents(12)), Some(Cents(12))));
    assert_eq!(store.item(&item("c")).await.unwrap().unwrap().price_in_force, Some(Cents(3)));
    assert_eq!(history(&*store, "b").await.len(), 1);
    store.change_items(&[(item("a"), priced(15))], ChangeTerms::ANY, T0.plus_ms(9)).await.unwrap();
    let prices: Vec<i64> = history(&*store, "a").await.iter().map(|entry| entry.0).collect();
    assert_eq!(prices, [10, 12, 15]);
    let followed = store.items_after(0, 10).await.unwrap();
    assert_eq!(followed.len(), 3, "a backfill is seen by followers");
}

async fn prices_are_paged_by_whole_items(store: Arc<dyn Store>) {
    let entries: Vec<PriceEntry> = ["a", "b", "c"]
        .into_iter()
        .flat_map(|of| {
            [entry(of, 1, 0, Some(5)), entry(of, 2, 5, Some(10)), entry(of, 3, 10, None)]
        })
        .collect();
    store.backfill_prices(&entries).await.unwrap();
    let page = store.prices_since(T0, None, 4).await.unwrap();
    assert_eq!(page, entries[..6], "item b is not cut in the middle");
    let rest = store.prices_since(T0, Some(&item("b")), 4).await.unwrap();
    assert_eq!(rest, entries[6..]);
    let late = store.prices_since(T0.plus_ms(5), None, 100).await.unwrap();
    assert_eq!(late.len(), 6, "an entry that ended at the start is over");
}

async fn competitor_prices_are_stored_once(store: Arc<dyn Store>) {
    let seen = |ms| CompetitorPrice {
        item: item("mug"),
        offer: CompetitorOffer {
            competitor: "other shop".into(),
            price: Cents(9),
            shipping: Some(Cents(2)),
            in_stock: Some(true),
            condition: Condition::Used,
            match_confidence: Some(0.75),
            observed_at: T0.plus_ms(ms),
        },
    };
    assert_eq!(store.append_competitor_prices(&[seen(0), seen(1), seen(0)]).await.unwrap(), 2);
    assert_eq!(store.append_competitor_prices(&[seen(1), seen(2)]).await.unwrap(), 1);
    let mut put_right = seen(1);
    put_right.offer.shipping = None;
    let before = [seen(1), put_right.clone()];
    assert_eq!(store.append_competitor_prices(&before).await.unwrap(), 1, "the last counts");
    assert_eq!(store.append_competitor_prices(&before[1..]).await.unwrap(), 0);
    assert_eq!(
        store.offers_of(&item("mug"), T0.plus_ms(1), 9).await.unwrap(),
        [seen(2), put_right]
    );
    assert_eq!(store.append_competitor_prices(&[seen(1)]).await.unwrap(), 1);
    // A seller's used one says nothing of the new one that was seen at the same time.
    let mut new = CompetitorPrice { item: item("urn"), ..seen(1) };
    (new.offer.condition, new.offer.price) = (Condition::New, Cents(13));
    let used = CompetitorPrice { item: item("urn"), ..seen(1) };
    for (rows, n_written) in
        [(vec![used.clone()], 1), (vec![new.clone(), used.clone()], 1), (vec![used], 0)]
    {
        assert_eq!(store.append_competitor_prices(&rows).await.unwrap(), n_written);
    }
    assert_eq!(store.offers_of(&item("urn"), T0, 9).await.unwrap(), [new]);
    let of = |id: &str, ms| CompetitorPrice { item: item(id), ..seen(ms) };
    store.append_competitor_prices(&[of("cup", 5), of("pot", 5), of("pot", 9)]).await.unwrap();
    let page = store.offers_since(T0.plus_ms(1), None, 2).await.unwrap();
    assert_eq!(page, [of("cup", 5), seen(1), seen(2)], "whole items, as they were");
    let rest = store.offers_since(T0, Some(&item("mug")), 2).await.unwrap();
    assert_eq!(rest, [of("pot", 5), of("pot", 9)]);
    assert_eq!(store.offers_of(&item("pot"), T0, 1).await.unwrap(), [of("pot", 9)]);
    assert!(store.offers_of(&item("pot"), T0.plus_ms(10), 9).await.unwrap().is_empty());
}

async fn a_drawn_price_begins_anew_even_if_it_is_in_force(store: Arc<dyn Store>) {
    store.change_items(&[(item("mug"), priced(1_000))], ChangeTerms::ANY, T0).await.unwrap();
    let trial = PriceReason::Trial(Lottery { expected: Cents(1_010), chance_ppm: 250_000 });
    let before = Some(Cents(1_000));
    let drawn = [NewPrice { item: item("mug"), before, price: Cents(1_000), reason: trial }];
    let moved = store.set_prices(&drawn, T0.plus_ms(10)).await.unwrap();
    assert_eq!(moved.len(), 1);
    let (list, mug) = (PriceReason::ListPrice, history(&*store, "mug").await);
    assert_eq!(mug, [(1_000, 0, Some(10), list), (1_000, 10, None, trial)]);
}

fn run(id: &str, at: i64, state: RunState, key: Option<&str>) -> PriceRun {
    PriceRun {
        run_id: id.into(),
        created_at: T0.plus_ms(at),
        state,
        changed_at: T0.plus_ms(at),
        request_key: key.map(str::to_owned),
        is_approved_by_person: false,
        summary: serde_json::json!({ "moved": 2 }),
    }
}

fn decision(of: &str, cost: Option<i64>) -> PriceDecision {
    let trial = PriceReason::Trial(Lottery { expected: Cents(99), chance_ppm: 1 });
    PriceDecision {
        item: item(of),
        before: (of == "mug").then_some(Cents(1_000)),
        price: Cents(900),
        reason: if of == "mug" { PriceReason::Demand } else { trial },
        cost: cost.map(Cents),
        case: vec![1, 0, 255],
    }
}

async fn pricing_runs_are_kept_with_their_decisions(store: Arc<dyn Store>) {
    let decisions = [decision("cup", Some(5)), decision("mug", None)];
    let first = run("1", 0, RunState::Proposed, None);
    assert_eq!(store.write_price_run(&first, &decisions, 9).await.unwrap(), None);
    assert_eq!(store.price_decisions("1", None, 1).await.unwrap(), decisions[..1]);
    assert_eq!(store.price_decisions("1", Some(&item("cup")), 9).await.unwrap(), decisions[1..]);
    let second = run("2", 5, RunState::Approved, None);
    store.write_price_run(&second, &decisions[..1], 9).await.unwrap();
    let runs = store.price_runs(9).await.unwrap();
    assert_eq!(runs[0], second);
    assert_eq!((runs[1].state, runs[1].changed_at), (RunState::Superseded, T0.plus_ms(5)));
    let applied = (RunState::Approved, RunState::Applied);
    assert!(store.move_price_run("2", applied, true, T0.plus_ms(7)).await.unwrap());
    assert!(!store.move_price_run("2", applied, true, T0.plus_ms(8)).await.unwrap());
    let second = store.price_run("2").await.unwrap().unwrap();
    assert_eq!((second.state, second.is_approved_by_person), (RunState::Applied, true));
    assert_eq!(store.price_run("3").await.unwrap(), None);
    let last = store.last_price_decision(&item("cup")).await.unwrap().unwrap();
    assert_eq!(last, ("2".to_owned(), decisions[0].clone()));
    assert_eq!(store.last_price_decision(&item("pot")).await.unwrap(), None);
}

async fn a_request_key_gives_one_run_and_old_runs_are_dropped(store: Arc<dyn Store>) {
    let first = run("1", 0, RunState::Applied, Some("k"));
    assert_eq!(store.write_price_run(&first, &[decision("mug", None)], 2).await.unwrap(), None);
    let again = run("2", 1, RunState::Applied, Some("k"));
    let known = store.write_price_run(&again, &[decision("mug", None)], 2).await.unwrap();
    assert_eq!(known, Some(first));
    for id in ["3", "4"] {
        let run = run(id, 2, RunState::Applied, None);
        store.write_price_run(&run, &[decision("mug", None)], 2).await.unwrap();
    }
    let ids: Vec<String> =
        store.price_runs(9).await.unwrap().into_iter().map(|run| run.run_id).collect();
    assert_eq!(ids, ["4", "3"]);
    assert!(store.price_decisions("1", None, 9).await.unwrap().is_empty());
}

async fn requests_of_one_key_at_one_time_give_one_run(store: Arc<dyn Store>) {
    let mut asked = tokio::task::JoinSet::new();
    for at in 0..8 {
        let store = store.clone();
        asked.spawn(async move {
            let run = run(&at.to_string(), 0, RunState::Proposed, Some("k"));
            store.write_price_run(&run, &[decision("mug", None)], 9).await.unwrap()
        });
    }
    let answers = asked.join_all().await;
    let winner = store.price_run_of_request("k").await.unwrap().unwrap();
    assert_eq!(store.price_runs(9).await.unwrap(), std::slice::from_ref(&winner));
    assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 1);
    assert!(answers.iter().flatten().all(|known| *known == winner), "{answers:?}");
}

async fn costs_are_noted_and_come_from_runs_that_came_into_force(store: Arc<dyn Store>) {
    store.note_costs(&[(item("cup"), Cents(3)), (item("mug"), Cents(4))]).await.unwrap();
    for (id, to, cost) in [("1", RunState::Applied, 6), ("2", RunState::Rejected, 7)] {
        let run = run(id, 0, RunState::Approved, None);
        store.write_price_run(&run, &[decision("mug", Some(cost))], 9).await.unwrap();
        assert!(store.move_price_run(id, (RunState::Approved, to), false, T0).await.unwrap());
    }
    let mut costs = store.decided_costs().await.unwrap();
    costs.sort();
    assert_eq!(costs, [(item("cup"), Cents(3)), (item("mug"), Cents(6))]);
}

async fn pricing_is_stopped_until_it_goes_on(store: Arc<dyn Store>) {
    assert_eq!(store.pricing_stopped().await.unwrap(), None);
    store.switch_pricing(Some(T0)).await.unwrap();
    assert_eq!(store.pricing_stopped().await.unwrap(), Some(T0));
    store.switch_pricing(None).await.unwrap();
    assert_eq!(store.pricing_stopped().await.unwrap(), None);
}

async fn runs_that_wait_for_nothing_are_superseded(store: Arc<dyn Store>) {
    store.write_price_run(&run("1", 0, RunState::Proposed, Some("k")), &[], 9).await.unwrap();
    store.supersede_price_runs(T0.plus_ms(3)).await.unwrap();
    let found = store.price_run_of_request("k").await.unwrap().unwrap();
    assert_eq!((found.state, found.changed_at), (RunState::Superseded, T0.plus_ms(3)));
    assert_eq!(store.price_run_of_request("l").await.unwrap(), None);
}

async fn the_last_run_that_a_person_approved_is_never_dropped(store: Arc<dyn Store>) {
    store.write_price_run(&run("1", 0, RunState::Proposed, None), &[], 2).await.unwrap();
    for states in
        [(RunState::Proposed, RunState::Approved), (RunState::Approved, RunState::Applied)]
    {
        store.move_price_run("1", states, true, T0).await.unwrap();
    }
    for id in ["2", "3", "4"] {
        store.write_price_run(&run(id, 1, RunState::Applied, None), &[], 2).await.unwrap();
    }
    let runs = store.price_runs(9).await.unwrap();
    let ids: Vec<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
    assert_eq!(ids, ["4", "3", "1"]);
}
