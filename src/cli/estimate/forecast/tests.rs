use super::*;

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
}

const LIMITS: Limits =
    Limits { dense_items_max: 8_000.0, held_out_max: 2_000.0, moments_max: 4_000.0, caches: 1e6 };

fn stage(stage: &str, model: Option<&str>, seconds: f64) -> Stage {
    Stage { name: stage.into(), model: model.map(Into::into), seconds, peak_bytes: 0.0 }
}

fn candidate(name: &str, ndcg: f64, weight: f64) -> Candidate {
    Candidate { name: name.into(), ndcg, weight, bytes: 1e5 }
}

/// A shop in which every part takes exactly what its law says, with a second of its own.
fn observed(scale: f64) -> Observed {
    let size = Size {
        shoppers: 1_200.0 * scale,
        items: 500.0 * scale,
        events: 50_000.0 * scale,
        held_out: 300.0 * scale,
        moments: 500.0 * scale,
    };
    let stages = [
        ("reading_events", None, 2e-6),
        ("fit", Some("als"), 1e-7),
        ("fit", Some("ease"), 1e-8),
        ("measuring", Some("ease"), 1e-7),
        ("measuring", Some("als"), 1e-7),
        ("blend", None, 1e-7),
        ("held_out_visits", None, 1e-7),
        ("fit", Some("popularity"), 1e-9),
    ];
    let before = 3e7 + 900.0 * size.items;
    let all = size.events + size.shoppers + size.items;
    // In a small shop most is needed at first, in a large one at the end.
    let peak_of = |name: &str, model: Option<&str>| match (name, model) {
        ("reading_events", _) => before + 3e7,
        ("fit", Some("ease")) => before + 4.0 * size.items.powi(2) + 10.0 * all,
        ("held_out_visits", _) => before + 300.0 * all,
        _ => before + 50.0 * all,
    };
    let stages = stages.map(|(name, model, rate)| {
        let seconds = rate * work(&stage(name, model, 0.0), &size, &LIMITS);
        Stage { peak_bytes: peak_of(name, model), ..stage(name, model, 1.0 + seconds) }
    });
    let peak = stages.iter().map(|stage| stage.peak_bytes).fold(0.0, f64::max);
    Observed {
        users: 1_000.0 * scale,
        items: size.items,
        shoppers: size.shoppers,
        events: size.events,
        held_out: size.held_out,
        moments: size.moments,
        models: vec![candidate("popularity", 0.2, 0.5), candidate("als", 0.1, 0.5)],
        seconds: stages.iter().map(|stage| stage.seconds).sum(),
        before_bytes: Some(before),
        peak_bytes: Some(peak),
        snapshot_bytes: BTreeMap::from([
            ("als".into(), 256.0 * size.items),
            ("histories".into(), 8.0 * size.events),
        ]),
        stages: stages.into(),
    }
}

#[test]
fn what_grows_by_its_law_is_foretold_exactly() {
    let truth = observed(6.0);
    let target = Shape { users: truth.users, items: truth.items, events: truth.events };
    let most_by = |shop: &Observed| {
        let mut stages = shop.stages.iter();
        stages.find(|stage| Some(stage.peak_bytes) == shop.peak_bytes).unwrap().name.clone()
    };
    let pilots = [observed(1.0), observed(3.0)];
    assert_ne!(most_by(&pilots[0]), most_by(&truth), "another part needs most");
    let said = forecast(&pilots, &target, &LIMITS);
    near(said.seconds, truth.seconds);
    near(said.peak_bytes, truth.peak_bytes.unwrap());
    // What one pilot alone did says nothing of memory.
    let [small, mut large] = pilots;
    let alone = Stage { peak_bytes: 2e8, ..stage("fit", Some("nmf"), 1.0) };
    large.stages.push(alone.clone());
    near(forecast(&[small.clone(), large.clone()], &target, &LIMITS).peak_bytes, said.peak_bytes);
    // But a shop as large needs no less than that pilot did.
    large.peak_bytes = Some(alone.peak_bytes);
    let same = Shape { users: large.users, items: large.items, events: large.events };
    near(forecast(&[small, large], &same, &LIMITS).peak_bytes, alone.peak_bytes);
    for (part, bytes) in &said.snapshot_bytes {
        near(*bytes, truth.snapshot_bytes[part]);
    }
    let snapshot: f64 = said.snapshot_bytes.values().sum();
    near(said.swap_bytes - said.serving_bytes, snapshot);
}

#[test]
fn a_shop_served_by_popularity_alone_is_reckoned_with_its_best_personal_model() {
    let pilots = [1.0, 3.0].map(|scale| {
        let mut pilot = observed(scale);
        pilot.models = vec![
            candidate("popularity", 0.3, 1.0),
            candidate("ease", 0.1, 0.0),
            Candidate { bytes: 256.0 * pilot.items, ..candidate("als", 0.2, 0.0) },
            candidate("blend", 0.25, 0.0),
        ];
        pilot.stages.push(stage("held_out_fit", Some("als"), scale));
        pilot
    });
    let target = Shape { users: 6_000.0, items: 3_000.0, events: 3e5 };
    let blended = forecast(&[observed(1.0), observed(3.0)], &target, &LIMITS);
    let said = forecast(&pilots, &target, &LIMITS);
    assert_eq!((&blended.served_models[..], blended.is_assumed), (&["als".to_owned()][..], false));
    assert_eq!((&said.served_models[..], said.is_assumed), (&["als".to_owned()][..], true));
    near(said.models["als"].bytes, 256.0 * 3_000.0);
    let more = ["fit", "blend", "held_out_visits"].map(|name| {
        let of = |said: &Forecast| -> f64 {
            let same = |stage: &&Stage| stage.name == name;
            said.stages.iter().filter(same).map(|stage| stage.seconds).sum()
        };
        of(&said) - of(&blended)
    });
    near(more.iter().sum(), said.models["als"].seconds);
    near(said.snapshot_bytes["als"], 256.0 * 3_000.0);
    let of = |said: &Forecast, name: &str, model: Option<&str>| -> f64 {
        let same = |stage: &&Stage| stage.name == name && stage.model.as_deref() == model;
        said.stages.iter().filter(same).map(|stage| stage.seconds).sum()
    };
    let measuring = of(&said, "measuring", Some("als"));
    near(of(&said, "blend", None) - of(&blended, "blend", None), measuring);
    let visits = of(&said, "held_out_visits", None) - of(&blended, "held_out_visits", None);
    near(visits, measuring * 3_000.0 / 1_800.0);
    near(
        of(&said, "fit", Some("als")) - of(&blended, "fit", Some("als")),
        of(&said, "held_out_fit", Some("als")),
    );
    near(said.stages.iter().map(|stage| stage.seconds).sum(), said.seconds);
}

#[test]
fn a_smaller_pilot_that_took_longer_does_not_make_time_run_backwards() {
    near(along([1.0, 2.0], [3.0, 4.0], 10.0), 12.0);
    near(along([1.0, 2.0], [5.0, 4.0], 10.0), 20.0);
    near(along([1.0, 2.0], [1.0, 4.0], 10.0), 20.0);
    near(along([2.0, 2.0], [4.0, 4.0], 4.0), 8.0);
    near(along([10.0, 10.1], [4.0, 4.01], 101.0), 40.1);
}

#[test]
fn many_shoppers_are_measured_on_no_longer_than_the_settings_allow() {
    let pilots = [observed(1.0), observed(3.0)];
    let measured = |scale: f64| {
        let target = Shape { users: 1e3 * scale, items: 500.0, events: 5e4 * scale };
        let said = forecast(&pilots, &target, &LIMITS);
        said.stages.iter().find(|stage| stage.name == "measuring").unwrap().seconds
    };
    assert!(measured(3.0) > measured(1.0));
    near(measured(100.0), measured(1_000.0));
}
