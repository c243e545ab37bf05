//! Runs of the trainer, leases, and what the shop's people lay down.

use super::{T0, item, on_both};
use shopkeeper::{
    domain::{
        Cents, CompetitorOffer, CompetitorPrice, Condition, DirectiveKind, ModelRun, RunOutcome,
    },
    record::store::Store,
};
use std::sync::Arc;

on_both!(
    runs_come_newest_first,
    a_lease_has_one_holder,
    the_currency_is_settled_once_there_are_amounts,
    directives_are_kept_by_revision,
);

async fn runs_come_newest_first(store: Arc<dyn Store>) {
    let run = |outcome, version| ModelRun {
        started_at: T0,
        finished_at: T0.plus_ms(7),
        outcome,
        reason: "because".into(),
        version,
        report: serde_json::json!({"lift": 1.5}),
    };
    let (first, second) = (run(RunOutcome::Published, Some(1)), run(RunOutcome::Failed, None));
    store.record_run(&first).await.unwrap();
    store.record_run(&second).await.unwrap();
    assert_eq!(store.runs(10).await.unwrap(), [second.clone(), first]);
    assert_eq!(store.runs(1).await.unwrap(), [second]);
}

async fn a_lease_has_one_holder(store: Arc<dyn Store>) {
    let take = |holder: &'static str, now, until| {
        let store = store.clone();
        async move {
            store.take_lease("train", holder, T0.plus_ms(now), T0.plus_ms(until)).await.unwrap()
        }
    };
    assert!(take("a", 0, 10).await);
    assert!(!take("b", 5, 15).await);
    assert!(take("a", 5, 20).await, "the holder renews");
    assert!(take("b", 20, 30).await, "it has run out");
    store.release_lease("train", "a").await.unwrap();
    assert!(!take("a", 21, 40).await, "only the holder gives it back");
    store.release_lease("train", "b").await.unwrap();
    assert!(take("a", 21, 40).await);
}

async fn the_currency_is_settled_once_there_are_amounts(store: Arc<dyn Store>) {
    let settle = async |code: &str| store.settle_currency(code.parse().unwrap()).await.unwrap();
    assert_eq!(settle("EUR").await, "EUR");
    assert_eq!(settle("GBP").await, "GBP", "there is nothing yet that would be another amount");
    let seen = CompetitorOffer {
        competitor: "other".into(),
        price: Cents(5),
        shipping: None,
        in_stock: None,
        condition: Condition::New,
        match_confidence: None,
        observed_at: T0,
    };
    let offer = CompetitorPrice { item: item("a"), offer: seen };
    store.append_competitor_prices(&[offer]).await.unwrap();
    assert_eq!(settle("EUR").await, "GBP");
}

async fn directives_are_kept_by_revision(store: Arc<dyn Store>) {
    for kind in DirectiveKind::ALL {
        let all = async |known| store.directives(kind, known).await.unwrap();
        let change = async |name, body: Option<&serde_json::Value>| {
            store.change_directive((kind, name), body, T0, 2).await.unwrap()
        };
        let start = all(-1).await.unwrap();
        assert!(start.directives.is_empty(), "those of another kind are not seen");
        assert_eq!(all(start.revision).await, None);
        let body = serde_json::json!({ "say": "it's \"so\"", "n": [1, null] });
        assert_eq!(change("b", Some(&body)).await, Some(false));
        assert_eq!(change("a", Some(&body)).await, Some(false));
        let found = all(start.revision).await.unwrap();
        assert!(found.revision > start.revision);
        let names: Vec<&str> = found.directives.iter().map(|found| found.name.as_str()).collect();
        assert_eq!((names, &found.directives[0].body), (vec!["a", "b"], &body));
        assert_eq!(found.directives[0].updated_at, T0);
        assert_eq!(change("a", Some(&body)).await, Some(true));
        assert_eq!(all(found.revision).await, None, "the same again is no change");
        // A third is too many, another text for the first is not.
        assert_eq!(change("c", Some(&body)).await, None);
        assert_eq!(all(found.revision).await, None, "nothing has changed");
        let other = serde_json::json!({});
        assert_eq!(change("a", Some(&other)).await, Some(true));
        assert_eq!(change("b", None).await, Some(true));
        assert_eq!(change("b", None).await, Some(false));
        let found = all(found.revision).await.unwrap();
        assert_eq!((found.directives.len(), &found.directives[0].body), (1, &other));
    }
}
