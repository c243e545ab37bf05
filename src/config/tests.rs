//! Where settings come from, and what is refused.

use super::*;

fn with(name: &str, value: &str) -> Result<Config, ConfigError> {
    Config::load(None, [(name.to_owned(), value.to_owned())])
}

#[test]
fn the_environment_wins_and_lists_are_split_at_commas() {
    let config = with("SHOPKEEPER__TRAINING__PERIOD_SECONDS", "7").unwrap();
    assert_eq!(config.training.period_seconds, 7);
    let keys = "0123456789abcdef,fedcba9876543210";
    let config = with("SHOPKEEPER__AUTH__ADMIN_KEYS", keys).unwrap();
    assert_eq!(config.auth.admin_keys.len(), 2);
    assert!(!config.to_toml().unwrap().contains("0123456789abcdef"));
    let rates = |text| with("SHOPKEEPER__PRICING__COMPETITION__TRUST__VAT_RATES", text);
    let rates = |text| rates(text).unwrap().pricing.competition.trust.vat_rates;
    assert_eq!(
        (rates("0.255"), rates("0.255, 0.14"), rates("")),
        (vec![0.255], vec![0.255, 0.14], vec![])
    );
    assert_eq!(with("SHOPKEEPER__PRICING__ENDINGS", "99").unwrap().pricing.endings, [99]);
    assert!(with("SHOPKEEPER__PRICING__ENDINGS", "99,x").is_err());
}

#[test]
fn every_list_of_plain_values_can_come_from_the_environment() {
    // Of tables, which the environment cannot write.
    const TABLES: [&str; 2] = ["experiments", "law.markets"];
    let listed: toml::Table = DEFAULT_TOML.parse().unwrap();
    let whole = toml::Value::Table(listed.clone());
    let is_list = |key: &&String| {
        let value = key.split('.').try_fold(&whole, |value, part| value.get(part));
        value.is_some_and(toml::Value::is_array)
    };
    let all = keys("", &listed);
    let mut lists: Vec<&str> = all.iter().filter(is_list).map(String::as_str).collect();
    lists.retain(|key| !TABLES.contains(key));
    let mut known = LIST_KEYS.to_vec();
    known.sort_unstable();
    lists.sort_unstable();
    assert_eq!(known, lists);
}

#[test]
fn a_wrong_value_or_key_is_refused_by_name() {
    for (name, value, key) in [
        ("SHOPKEEPER__TRAINING__HOLDOUT_SHARE", "0.9", "training.holdout_share"),
        ("SHOPKEEPER__TRAINING__PERIOD_SECONDS", "soon", "training.period_seconds"),
        ("SHOPKEEPER__SHOP__CURRENCY", "XXL", "shop.currency"),
        ("SHOPKEEPER__SERVER__LISTEN", "0.0.0.0:80", "auth.admin_keys"),
        ("SHOPKEEPER__SERVER__LISTENN", "x", "listenn"),
        ("SHOPKEEPER__DATABASE__URL", "mysql://x", "database.url"),
    ] {
        let error = with(name, value).unwrap_err().to_string();
        assert!(error.contains(key), "{name}: {error}");
    }
}

/// The names of all values below a table, with dots.
fn keys(prefix: &str, table: &toml::Table) -> Vec<String> {
    let key = |(name, value): (&String, &toml::Value)| match value {
        toml::Value::Table(inner) if !inner.is_empty() => keys(&format!("{prefix}{name}."), inner),
        _ => vec![format!("{prefix}{name}")],
    };
    table.iter().flat_map(key).collect()
}

#[test]
fn the_defaults_name_every_key() {
    let listed: toml::Table = DEFAULT_TOML.parse().unwrap();
    let all: toml::Table = Config::defaults().to_toml().unwrap().parse().unwrap();
    assert_eq!(keys("", &listed), keys("", &all));
}

#[test]
fn a_password_never_shows() {
    let url = DatabaseUrl("postgres://shop:se:cret@db:5432/shop".into());
    assert_eq!(url.redacted(), "postgres://shop:[redacted]@db:5432/shop");
    assert_eq!(format!("{url:?}"), "postgres://shop:[redacted]@db:5432/shop");
    for (url, shown) in [
        ("postgres:/u:sekret@h/d", "postgres[redacted]"),
        ("u:sekret@h/d", "u[redacted]"),
        ("sqlite", "sqlite"),
        ("postgres://h/d?password=sekret", "postgres://h/d?password=[redacted]"),
        ("postgres://h/d?password=sekret&a=b", "postgres://h/d?password=[redacted]&a=b"),
    ] {
        assert_eq!(DatabaseUrl(url.into()).redacted(), shown);
    }
    let refused = with("SHOPKEEPER__DATABASE__URL", "postgres:/u:sekret@h/d").unwrap_err();
    assert!(!refused.to_string().contains("sekret"), "{refused}");
}
