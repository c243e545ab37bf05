//! The image, the compose file, Prometheus and Grafana agree with the service and with each other.

use serde_json::Value;
use shopkeeper::{
    config::Config,
    telemetry::{Metrics, ModelLabel, RequestLabels, RouteLabels},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const COMPOSE: &str = "docker-compose.yml";
const DASHBOARD: &str = "config/operations/grafana/dashboards/shopkeeper.json";
const DATASOURCE: &str = "config/operations/grafana/provisioning/datasources/prometheus.yml";
const PROVIDER: &str = "config/operations/grafana/provisioning/dashboards/shopkeeper.yml";
const PROMETHEUS: &str = "config/operations/prometheus.yml";

/// Labels that Prometheus and histograms add.
const LABELS_ADDED: [&str; 3] = ["instance", "job", "le"];

fn read(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&full).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A line of a YAML file, and where it stands: `services.shopkeeper.ports` of `- "8080:8080"`.
#[derive(Debug)]
struct Line {
    path: String,
    value: String,
}

/// The scalars of a block-style YAML file: as much of the language as our files use.
fn yaml(text: &str) -> Vec<Line> {
    let mut above: Vec<(usize, String)> = vec![];
    let mut lines = vec![];
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let mut content = line.trim_start();
        let mut indent = line.len() - content.len();
        while let Some(item) = content.strip_prefix("- ") {
            // `- name: x` opens a mapping whose keys stand two columns further right.
            (content, indent) = (item, indent + 2);
        }
        if content.is_empty() {
            continue;
        }
        let is_key = |key: &str| key.chars().all(|c| c.is_alphanumeric() || c == '_');
        let pair = content.split_once(": ").or_else(|| Some((content.strip_suffix(':')?, "")));
        above.retain(|(column, _)| *column < indent);
        let value = match pair.filter(|(key, _)| is_key(key)) {
            Some((key, value)) => {
                above.push((indent, key.to_owned()));
                value
            }
            None => content,
        };
        let path = above.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
        lines.push(Line { path, value: value.trim_matches('"').to_owned() });
    }
    lines
}

fn values<'a>(lines: &'a [Line], path: &str) -> Vec<&'a str> {
    let found = lines.iter().filter(|line| line.path == path && !line.value.is_empty());
    found.map(|line| line.value.as_str()).collect()
}

fn only<'a>(lines: &'a [Line], path: &str) -> &'a str {
    let found = values(lines, path);
    assert_eq!(found.len(), 1, "`{path}` should be there once: {found:?}");
    found[0]
}

/// The Dockerfile's `KEY=value` pairs, of `ENV` with its continued lines.
fn image_variables() -> BTreeMap<String, String> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let environment = text.lines().filter_map(|line| line.strip_prefix("ENV "));
    let pairs = environment.flat_map(str::split_whitespace).filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The variables of `.env.example`.
fn example_variables() -> BTreeMap<String, String> {
    let text = read(".env.example");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `${NAME:-default}` and `${NAME:?message}` within compose's values: name, default, required.
fn references(text: &str) -> Vec<(&str, &str, bool)> {
    let inner = text.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0);
    let parts = inner.map(|reference| match reference.split_once(":-") {
        Some((name, default)) => (name, default, false),
        None => (reference.split_once(":?").map_or(reference, |(name, _)| name), "", true),
    });
    parts.collect()
}

/// What Compose makes of a value when `.env` is the example with every secret filled in.
fn substituted(value: &str, example: &BTreeMap<String, String>) -> String {
    let mut out = value.to_owned();
    for (name, _, _) in references(value) {
        let given = example.get(name).unwrap_or_else(|| panic!("`{name}` is not in .env.example"));
        let given = if given.is_empty() { "0123456789abcdef" } else { given };
        let begin = out.find("${").unwrap();
        let end = begin + out[begin..].find('}').unwrap();
        out.replace_range(begin..=end, given);
    }
    out
}

/// The settings of the service in the composed container.
fn composed() -> Config {
    let (example, mut variables) = (example_variables(), image_variables());
    for line in yaml(&read(COMPOSE)) {
        if let Some(name) = line.path.strip_prefix("services.shopkeeper.environment.") {
            variables.insert(name.to_owned(), substituted(&line.value, &example));
        }
    }
    assert!(variables.keys().all(|name| name.starts_with("SHOPKEEPER__")), "{variables:?}");
    Config::load(None, variables).unwrap()
}

/// The exposition of a service that has answered a request and fitted a model.
fn exposition() -> String {
    let metrics = Metrics::default();
    let (method, route) = ("GET", "/".to_owned());
    let labels = RouteLabels { method, route: route.clone() };
    metrics.request_duration.get_or_create(&labels).observe(1.0);
    metrics.requests.get_or_create(&RequestLabels { method, route, status: 200 }).inc();
    metrics.training_duration.get_or_create(&ModelLabel { model: "all" }).observe(1.0);
    metrics.render().unwrap()
}

/// Names of the exposed series, each with its labels.
fn series() -> BTreeMap<String, BTreeSet<String>> {
    let text = exposition();
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
        let labels = rest.split("=\"").map(|before| before.rsplit(['{', ',']).next().unwrap());
        let n_labels = rest.matches("=\"").count();
        let labels = labels.take(n_labels).map(str::to_owned);
        found.entry(name.to_owned()).or_default().extend(labels);
    }
    found
}

/// Names of our metrics in an expression.
fn metrics_in(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("shopkeeper_")).collect()
}

/// Labels that an expression selects or groups by.
fn labels_in(expression: &str) -> BTreeSet<&str> {
    let between = |open: &'static str, close: char| {
        expression.split(open).skip(1).map(move |rest| rest.split_once(close).unwrap().0)
    };
    let grouped = between("by (", ')').flat_map(|labels| labels.split(','));
    let matchers = between("{", '}').flat_map(|matchers| matchers.split(','));
    let matched = matchers.map(|matcher| matcher.split(['=', '!']).next().unwrap());
    grouped.chain(matched).map(str::trim).filter(|label| !label.is_empty()).collect()
}

/// Every string under `key`, at any depth.
fn strings<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == key => found.push(text),
                    field => strings(field, key, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, key, found)),
        _ => {}
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).unwrap()
}

#[test]
fn the_dashboard_asks_for_metrics_and_labels_that_exist() {
    let (dashboard, series) = (dashboard(), series());
    let mut expressions = vec![];
    strings(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() >= 20, "only {} expressions", expressions.len());
    strings(&dashboard, "definition", &mut expressions);
    for expression in expressions {
        let metrics = metrics_in(expression);
        assert!(!metrics.is_empty(), "no metric of ours in `{expression}`");
        let mut known = BTreeSet::from(LABELS_ADDED);
        for metric in metrics {
            let labels = series.get(metric);
            let labels = labels.unwrap_or_else(|| panic!("`{metric}` is not exposed"));
            known.extend(labels.iter().map(String::as_str));
        }
        let unknown = labels_in(expression).into_iter().find(|label| !known.contains(label));
        assert_eq!(unknown, None, "a label that nothing has, in `{expression}`");
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let (text, exposed) = (read(DASHBOARD), series());
    // Of a histogram, one of its three series will do.
    let metric = |series: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        let part = parts.iter().find_map(|part| series.strip_suffix(part));
        part.unwrap_or(series).to_owned()
    };
    let shown: BTreeSet<_> = metrics_in(&text).into_iter().map(metric).collect();
    let exposed: BTreeSet<_> = exposed.keys().map(|series| metric(series)).collect();
    let hidden: Vec<_> = exposed.difference(&shown).collect();
    assert!(hidden.is_empty(), "not on the dashboard: {hidden:?}");
}

#[test]
fn panels_have_a_unit_an_explanation_and_their_own_place() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "shopkeeper");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "`{title}` repeats an id");
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "`{title}` is wider than the page");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "`{title}` lies over another panel");
            }
        }
        if panel["type"] != "row" {
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            assert!(unit.is_string(), "`{title}` has no unit");
            assert!(panel["description"].is_string(), "`{title}` has no description");
        }
    }
}

#[test]
fn grafana_finds_its_source_and_its_dashboard() {
    let (source, compose) = (yaml(&read(DATASOURCE)), yaml(&read(COMPOSE)));
    let uid = only(&source, "datasources.uid");
    let dashboard = dashboard();
    let mut panels = dashboard["panels"].as_array().unwrap().iter();
    assert!(panels.all(|panel| panel["type"] == "row" || panel["datasource"]["uid"] == uid));
    let mut uids = vec![];
    strings(&dashboard, "uid", &mut uids);
    assert!(uids.iter().all(|found| *found == uid || *found == "shopkeeper"), "{uids:?}");

    let prometheus = yaml(&read(PROMETHEUS));
    let interval = only(&prometheus, "global.scrape_interval");
    assert_eq!(only(&source, "datasources.jsonData.timeInterval"), interval);
    let port = published_port(&compose, "prometheus");
    assert_eq!(only(&source, "datasources.url"), format!("http://prometheus:{port}"));

    let provider = yaml(&read(PROVIDER));
    let folder = only(&provider, "providers.options.path");
    let mounts = values(&compose, "services.grafana.volumes");
    let host = mounts
        .iter()
        .find_map(|mount| mount.strip_suffix(&format!(":{folder}:ro"))?.strip_prefix("./"));
    assert_eq!(host, Path::new(DASHBOARD).parent().unwrap().to_str());
    let home = "services.grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH";
    assert_eq!(only(&compose, home), format!("{folder}/shopkeeper.json"));
}

/// The port that a service publishes, the same inside and outside, on this machine only.
fn published_port<'a>(compose: &'a [Line], service: &str) -> &'a str {
    let ports = only(compose, &format!("services.{service}.ports"));
    let ports =
        ports.strip_prefix("127.0.0.1:").unwrap_or_else(|| panic!("{ports} is open to all"));
    let (outside, inside) = ports.split_once(':').unwrap();
    assert_eq!(outside, inside);
    inside
}

#[test]
fn the_service_accepts_every_variable_it_is_given() {
    let config = composed();
    assert!(config.database.url.0.starts_with("postgres://shopkeeper:"));
    let auth = &config.auth;
    assert!(
        [&auth.admin_keys, &auth.ingest_keys, &auth.storefront_keys].iter().all(|k| k.len() == 1)
    );
}

#[test]
fn the_example_lists_exactly_what_compose_reads() {
    let (compose, example) = (read(COMPOSE), example_variables());
    let read: BTreeSet<_> = references(&compose).iter().map(|(name, ..)| *name).collect();
    assert_eq!(example.keys().map(String::as_str).collect::<BTreeSet<_>>(), read);
    for (name, default, is_required) in references(&compose) {
        // A secret is not in the example, and its absence stops the start.
        assert_eq!(example[name], default, "`{name}`");
        assert_eq!(example[name].is_empty(), is_required, "`{name}`");
    }
    let ignored = self::read(".gitignore");
    assert!(ignored.lines().any(|line| line == "/.env"), "Git would take in the secrets");
}

#[test]
fn all_parts_name_the_same_port_and_folder() {
    let (compose, image) = (yaml(&read(COMPOSE)), read("Dockerfile"));
    let config = composed();
    let port = config.server.listen.port();
    assert_eq!(port, Config::defaults().server.listen.port());
    assert!(config.server.listen.ip().is_unspecified(), "a container must listen on all addresses");
    assert!(image.lines().any(|line| line == format!("EXPOSE {port}")));
    assert_eq!(published_port(&compose, "shopkeeper"), port.to_string());
    let probe = only(&compose, "services.shopkeeper.healthcheck.test");
    assert!(probe.contains(&format!("/dev/tcp/127.0.0.1/{port}")), "{probe}");
    let targets = yaml(&read(PROMETHEUS));
    let targets = only(&targets, "scrape_configs.static_configs.targets");
    assert_eq!(targets, format!("[\"shopkeeper:{port}\"]"));

    let dir = config.storage.dir.to_str().unwrap();
    assert!(image.lines().any(|line| line == format!("VOLUME {dir}")));
    assert_eq!(only(&compose, "services.shopkeeper.volumes"), format!("shopkeeper:{dir}"));
}

#[test]
fn a_container_has_time_to_end() {
    let compose = yaml(&read(COMPOSE));
    let grace = only(&compose, "services.shopkeeper.stop_grace_period");
    let grace: u64 = grace.strip_suffix('s').unwrap().parse().unwrap();
    assert!(grace > composed().server.shutdown_grace_seconds);
    let image = read("Dockerfile");
    assert!(image.contains(&format!("--stop-timeout {grace} ")));
}

#[test]
fn everything_mounted_is_there() {
    let compose = yaml(&read(COMPOSE));
    let mut n_files = 0;
    for line in compose.iter().filter(|line| line.path.ends_with(".volumes")) {
        let host = line.value.split(':').next().unwrap();
        if let Some(file) = host.strip_prefix("./") {
            n_files += 1;
            let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists();
            assert!(is_there, "`{file}` is mounted and not there");
        } else if !host.is_empty() {
            let volume = format!("volumes.{host}");
            assert!(compose.iter().any(|line| line.path == volume), "`{host}` is not declared");
        }
    }
    assert!(n_files >= 3, "only {n_files} mounted files were found");
}

#[test]
fn the_image_is_built_by_our_compiler_and_run_by_nobody_in_particular() {
    let (image, manifest) = (read("Dockerfile"), read("Cargo.toml"));
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap();
    let version = version.trim_end_matches('"');
    assert!(image.contains(&format!("FROM rust:{version}-slim-bookworm AS build")));
    let user = image.lines().find_map(|line| line.strip_prefix("ARG APP_UID=")).unwrap();
    assert!(user.parse::<u32>().unwrap() > 0);
    assert!(image.lines().any(|line| line == "USER $APP_UID:$APP_UID"));
}

#[test]
fn the_build_gets_what_it_reads_and_no_secret() {
    let ignore = read(".dockerignore");
    let lines: Vec<_> = ignore.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.first(), Some(&"*"));
    for path in ["Cargo.toml", "Cargo.lock", "src", "migrations", "config", "benches", "tests"] {
        assert!(lines.contains(&&*format!("!{path}")), "the build needs `{path}`");
    }
    assert!(!lines.iter().any(|line| line.starts_with("!.env")));
}

#[test]
fn yaml_lines_know_where_they_stand() {
    let text = "a:\n  b: \"1\"\n  c:\n    - x:y\n    - d: 2\n      e: 3\n# no\nf:\n";
    let lines = yaml(text);
    assert_eq!(values(&lines, "a.b"), ["1"]);
    assert_eq!(values(&lines, "a.c"), ["x:y"]);
    assert_eq!((only(&lines, "a.c.d"), only(&lines, "a.c.e")), ("2", "3"));
    assert_eq!(lines.last().unwrap().path, "f");
}
