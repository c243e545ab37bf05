//! The command itself: exit codes, one readable line, one JSON object.

use std::{
    fs,
    process::{Command, Output},
};

fn shopkeeper(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_shopkeeper"));
    command.arg("evaluate").args(arguments).current_dir(folder.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn wrong_use_is_told_from_bad_data_by_exit_code() {
    let unknown = shopkeeper(&["sequential", "--data", "x", "--model", "oracle"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = text(&unknown.stderr);
    for known in ["oracle", "popularity", "item_knn", "svd"] {
        assert!(said.contains(known), "{said}");
    }
    let missing = shopkeeper(&["sequential", "--data", "/nowhere/at/all"]);
    assert_eq!(missing.status.code(), Some(1));
    let said = text(&missing.stderr);
    assert!(said.starts_with("shopkeeper: cannot open /nowhere/at/all: "), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn an_answer_is_one_json_object_or_a_table_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sequences");
    let line = |user: u32| {
        let items = (0..6).map(|at| ((user + at) % 9).to_string()).collect::<Vec<_>>();
        format!("u{user} {}\n", items.join(" "))
    };
    fs::write(&path, (0..12).map(line).collect::<String>()).unwrap();
    let arguments = ["sequential", "--data", path.to_str().unwrap(), "--model", "svd"];
    let table = shopkeeper(&arguments);
    assert!(table.status.success());
    assert!(text(&table.stdout).contains("popularity"));
    assert_eq!(text(&table.stderr), "", "progress is for a terminal only");
    let json = shopkeeper(&[&arguments[..], &["--json"]].concat());
    let answer: serde_json::Value = serde_json::from_str(text(&json.stdout)).unwrap();
    assert_eq!(answer["results"][1]["model"], "svd");
    assert_eq!(text(&json.stderr), "");
}
