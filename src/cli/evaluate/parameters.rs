//! Parameters of models by name, with what `--set` changes.
//!
//! Everything goes through the names that the parameters are saved under, so a new model needs nothing
//! here: `svd.n_factors=128` sets the field `n_factors` of the table `svd`.

use anyhow::Context;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::marker::PhantomData;
use toml::{Table, Value as TomlValue};

/// The name of the parameter that makes a model depend on chance.
const SEED: &str = "seed";

/// The parameters of all models of a kind, one table for each model.
#[derive(Clone, Debug)]
pub(super) struct Parameters<P> {
    table: Table,
    params: PhantomData<P>,
}

impl<P: Serialize + DeserializeOwned> Parameters<P> {
    /// `base` with every `MODEL.KEY=VALUE` of `changes` put in, later ones over earlier ones.
    ///
    /// A value is read as TOML, and as text where it is none. `models` are those that will be fitted: a
    /// change for another one is a mistake.
    pub(super) fn new(base: &P, changes: &[String], models: &[&str]) -> anyhow::Result<Self> {
        let table = Table::try_from(base).context("the parameters cannot be written as a table")?;
        let mut parameters = Self { table, params: PhantomData };
        for change in changes {
            parameters.change(change, models).with_context(|| format!("--set {change}"))?;
        }
        Ok(parameters)
    }

    fn change(&mut self, change: &str, models: &[&str]) -> anyhow::Result<()> {
        let (key, value) = change
            .split_once('=')
            .context("write it as MODEL.KEY=VALUE, like svd.n_factors=128")?;
        let mut path: Vec<&str> = key.trim().split('.').collect();
        let model = path[0];
        let last = path.pop().unwrap_or_default();
        anyhow::ensure!(
            models.contains(&model),
            "`{model}` is not among the models to be measured: {}",
            models.join(", ")
        );
        anyhow::ensure!(!path.is_empty(), "name a parameter of {model}, like {model}.KEY=VALUE");
        let mut table = &mut self.table;
        for name in path {
            let entry = table.entry(name).or_insert_with(|| TomlValue::Table(Table::new()));
            table = entry
                .as_table_mut()
                .with_context(|| format!("`{name}` is a value and has no parameters of its own"))?;
        }
        table.insert(last.to_owned(), parse(value.trim()));
        // The types know their fields, and name them when one is unknown.
        self.read().map(drop).map_err(|error| anyhow::anyhow!("{}", error.message()))
    }

    fn read(&self) -> Result<P, toml::de::Error> {
        self.table.clone().try_into()
    }

    /// The parameters of run `run`: the seed of `model` moves on by as much.
    pub(super) fn of_run(&self, model: &str, run: u32) -> anyhow::Result<P> {
        let mut parameters = Self { table: self.table.clone(), params: PhantomData };
        if let Some(TomlValue::Table(table)) = parameters.table.get_mut(model)
            && let Some(TomlValue::Integer(seed)) = table.get_mut(SEED)
        {
            *seed = seed.saturating_add(i64::from(run));
        }
        parameters.read().with_context(|| format!("parameters of {model}"))
    }

    /// Whether fits of `model` differ by seed.
    pub(super) fn is_seeded(&self, model: &str) -> bool {
        self.table.get(model).and_then(|table| table.get(SEED)).is_some()
    }

    /// The parameters of `model`, for people to read: an `f32` with as many digits as it has.
    pub(super) fn shown(&self, model: &str) -> anyhow::Result<Value> {
        // By way of text, which writes an f32 as short as it can be read back.
        let text = serde_json::to_string(&self.read()?)?;
        let mut all: Value = serde_json::from_str(&text)?;
        Ok(all.get_mut(model).map(Value::take).unwrap_or_default())
    }
}

fn parse(value: &str) -> TomlValue {
    let table = toml::from_str::<Table>(&format!("value = {value}"));
    let parsed = table.ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| TomlValue::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::{ModelParams, similarity::Weighting};

    const MODELS: &[&str] = &["item_knn", "svd"];

    fn set(changes: &[&str]) -> anyhow::Result<Parameters<ModelParams>> {
        let changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
        Parameters::new(&ModelParams::default(), &changes, MODELS)
    }

    fn refusal(change: &str) -> String {
        format!("{:#}", set(&[change]).unwrap_err())
    }

    #[test]
    fn numbers_words_and_tables_are_set_by_name() {
        let changes = [
            "svd.n_factors=9",
            "svd.n_factors = 128",
            "item_knn.shrinkage=5",
            "item_knn.weighting={bm25 = {k1 = 1.2, b = 0.5}}",
            "item_knn.similarity=pearson",
        ];
        let params = set(&changes).unwrap().of_run("svd", 0).unwrap();
        assert_eq!(params.svd.n_factors, 128);
        assert!((params.item_knn.shrinkage - 5.0).abs() < f32::EPSILON);
        assert_eq!(params.item_knn.weighting, Weighting::Bm25 { k1: 1.2, b: 0.5 });
        let shown = set(&changes).unwrap().shown("item_knn").unwrap();
        assert_eq!(shown["weighting"]["bm25"]["k1"], 1.2);
        assert_eq!(shown["similarity"], "pearson");
    }

    #[test]
    fn without_changes_everything_is_as_it_was() {
        assert_eq!(set(&[]).unwrap().of_run("item_knn", 3).unwrap(), ModelParams::default());
    }

    #[test]
    fn only_a_seeded_model_differs_from_run_to_run() {
        let parameters = set(&["svd.seed=40"]).unwrap();
        assert!(parameters.is_seeded("svd") && !parameters.is_seeded("item_knn"));
        assert_eq!(parameters.of_run("svd", 2).unwrap().svd.seed, 42);
    }

    #[test]
    fn a_mistake_is_named_with_what_there_is() {
        let unknown = refusal("svd.n_factor=3");
        assert!(unknown.starts_with("--set svd.n_factor=3: unknown field `n_factor`"), "{unknown}");
        assert!(unknown.contains("`n_factors`") && unknown.contains("`seed`"), "{unknown}");
        let type_error = refusal("svd.n_factors=many");
        assert!(type_error.contains("invalid type: string \"many\""), "{type_error}");
        let model = refusal("nmf.n_factors=3");
        assert!(model.contains("`nmf` is not among the models"), "{model}");
        assert!(model.ends_with("item_knn, svd"), "{model}");
        assert!(refusal("svd.n_factors").contains("MODEL.KEY=VALUE"));
        assert!(refusal("svd=3").contains("name a parameter of svd"));
        assert!(refusal("svd.seed.x=3").contains("`seed` is a value"));
    }
}
