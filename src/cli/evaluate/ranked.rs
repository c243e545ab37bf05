//! Measuring lists: the part that is the same for every protocol about them.

use super::{
    Common, ListArguments,
    cases::Task,
    contender::{Contender, Run, contenders, measure_all, timed},
    files::{People, read_categories},
    parameters::Parameters,
    report::{Headline, Report, Spread},
    search,
    tables::Table,
};
use crate::learn::{
    dataset::InteractionMatrix,
    evaluation::{
        Candidates, Catalogue, ItemCategories, ListMetric, ListProtocol, Ties, rank_lists,
    },
    recommenders::{ModelKind, ModelParams, NEVER_STOP, Recommender, fit},
};
use anyhow::ensure;
use serde_json::{Value, json};

/// Columns of the table for one cut-off.
const COLUMNS: [(&str, &str); 9] = [
    ("ndcg", "NDCG"),
    ("recall", "recall"),
    ("recall_min", "recall min"),
    ("hit_rate", "hit rate"),
    ("map", "MAP"),
    ("mrr", "MRR"),
    ("coverage", "coverage"),
    ("gini", "Gini"),
    ("diversity", "diversity"),
];

/// Fits and measures every model asked for on `task`.
///
/// `protocol` says what the task is; how lists are made and measured is added to it.
pub(super) fn measure_ranked(
    task: &Task,
    people: &People,
    (lists, common): (&ListArguments, &Common),
    mut protocol: Value,
    progress: bool,
) -> anyhow::Result<Report> {
    ensure!(task.matrix.n_interactions() > 0, "there is nothing to learn from");
    ensure!(!task.cases.is_empty(), "there is nothing to be found that was not known before");
    let kinds = chosen(&lists.models);
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let mut parameters = Parameters::new(&ModelParams::default(), &common.changes, &names)?;
    for kind in &kinds {
        parameters.of_run(kind.name(), 0)?.check()?;
    }
    let mut ks = lists.k.clone();
    ks.sort_unstable();
    ks.dedup();
    let longest = ks.last().copied().unwrap_or_default();
    let mut blend = None;
    if lists.search {
        let base = parameters.of_run("", 0)?;
        let found = search::search(&task.matrix, &kinds, &base, (lists, longest), progress)?;
        parameters = Parameters::new(&found.params, &[], &names)?;
        protocol["search"] = search::describe(&found, longest);
        blend = Some(found.blend);
    }
    let fit_model = |kind, matrix: &InteractionMatrix, params: &ModelParams| {
        let fitted: Box<dyn Recommender> = Box::new(fit(kind, matrix, params, NEVER_STOP)?);
        Ok(fitted)
    };
    let mut contenders = contenders(&kinds, ModelKind::name, &parameters, common.seeds, fit_model)?;
    contenders
        .extend(blend.iter().map(|blend| search::blend_contender(blend, &parameters, common)));

    let categories = lists.categories.as_deref().map(|path| read_categories(path, people));
    let mut categories_facts = Value::Null;
    let categories = match categories.transpose()? {
        None => None,
        Some((of_items, n_unknown, facts)) => {
            categories_facts = json!({ "file": facts, "lines_of_unknown_items": n_unknown });
            Some(ItemCategories::new(&of_items))
        }
    };
    let catalogue = Catalogue::new(&task.matrix, categories);
    let list_protocol = ListProtocol {
        ks: &ks,
        ties: if lists.conservative { Ties::Conservative } else { Ties::LowerPosition },
        candidates: lists.sampled.map_or(Candidates::All, |n_negatives| Candidates::Sampled {
            n_negatives,
            seed: lists.sample_seed,
        }),
        with_area: true,
        catalogue: Some(&catalogue),
    };
    let measure = |contender: &Contender<'_, InteractionMatrix, dyn Recommender>, run| {
        measure_run(contender, run, task, &list_protocol, longest)
    };
    let results = measure_all(&contenders, progress, measure)?;

    describe(&mut protocol, &list_protocol, common, &categories_facts);
    protocol["counts"] = json!(task.counts);
    let headline = Headline { metric: format!("ndcg@{longest}"), is_higher_better: true };
    let compared_by = headline.metric.clone();
    let label = if lists.sampled.is_some() { ", sampled candidates" } else { "" };
    let table = |k: &usize| Table {
        title: format!("first {k}{label}"),
        columns: COLUMNS.map(|(name, head)| (format!("{name}@{k}"), head)).to_vec(),
    };
    let tables = ks.iter().map(table).collect();
    Ok(Report::new(protocol, results, (headline, &compared_by), tables))
}

/// The models asked for, each once, popularity always and first; all if none is.
fn chosen(models: &[ModelKind]) -> Vec<ModelKind> {
    let asked = if models.is_empty() { ModelKind::ALL } else { models };
    let mut chosen = vec![ModelKind::Popularity];
    for &kind in asked {
        if !chosen.contains(&kind) {
            chosen.push(kind);
        }
    }
    chosen
}

fn measure_run(
    contender: &Contender<'_, InteractionMatrix, dyn Recommender>,
    run: u32,
    task: &Task,
    protocol: &ListProtocol<'_>,
    longest: usize,
) -> anyhow::Result<Run> {
    let (model, fit) = timed(|| (contender.fit)(&task.matrix, run));
    let model = model?;
    let (lists, predict) = timed(|| rank_lists(&*model, &task.cases, protocol));
    let report = lists.measure(&task.cases, protocol);
    Ok(Run {
        metrics: report.named(),
        spread: Spread::Users,
        of_users: report.of_users(ListMetric::Ndcg, longest).unwrap_or_default(),
        fit,
        predict,
        model_bytes: model.n_bytes(),
    })
}

/// Adds how lists were made and measured.
fn describe(protocol: &mut Value, lists: &ListProtocol<'_>, common: &Common, categories: &Value) {
    protocol["k"] = json!(lists.ks);
    protocol["ranking"] = match lists.candidates {
        Candidates::All => json!("full"),
        Candidates::Sampled { .. } => json!("sampled"),
    };
    if let Candidates::Sampled { n_negatives, seed } = lists.candidates {
        protocol["sampled"] = json!({ "negatives": n_negatives, "seed": seed });
    }
    protocol["ties"] = match lists.ties {
        Ties::LowerPosition => json!("the item that appears first in the files"),
        Ties::Conservative => json!("conservative: items to be found come last"),
    };
    protocol["masked"] = json!("what the user has in the history");
    protocol["predict_seconds"] = json!("scoring and ranking for all users");
    protocol["users_without_list"] = json!("count as nothing found");
    if !categories.is_null() {
        protocol["categories"] = categories.clone();
    }
    common.describe(protocol);
}
