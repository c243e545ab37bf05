//! A room of `src/` may use only the rooms listed for it, so the arrows keep pointing one way.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may use whom. A room inside a room is listed by its path and is not part of the outer one.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("learn", &["domain"]),
    ("snapshot", &["domain", "learn"]),
    ("decide", &["domain", "learn", "snapshot"]),
    ("config", &["decide", "domain", "learn"]),
    ("lifecycle", &[]),
    ("telemetry", &["config", "domain"]),
    ("record", &["domain", "telemetry"]),
    ("live", &["domain", "record", "telemetry"]),
    ("learn/trainer", &["domain", "learn", "live", "record", "snapshot", "telemetry"]),
    ("pricing", &["decide", "domain", "learn", "live", "record", "snapshot", "telemetry"]),
    ("rounds", &["decide", "domain", "live", "pricing", "record", "snapshot", "telemetry"]),
    (
        "api",
        &[
            "config",
            "decide",
            "domain",
            "learn",
            "live",
            "pricing",
            "record",
            "snapshot",
            "telemetry",
        ],
    ),
    (
        "app",
        &[
            "api",
            "config",
            "decide",
            "domain",
            "learn",
            "lifecycle",
            "live",
            "pricing",
            "record",
            "rounds",
            "snapshot",
            "telemetry",
        ],
    ),
    ("cli", &["app", "config", "decide", "domain", "learn", "record", "simulate", "telemetry"]),
    ("simulate", &["domain"]),
    ("main", &[]),
];

/// Rooms that answer from their arguments alone.
const PURE: &[&str] = &["domain", "learn", "snapshot", "decide"];

#[test]
fn rooms_use_only_their_neighbours() {
    for (room, may_use) in MAY_USE {
        for (file, code) in code_of(room) {
            let outer = room.split('/').next().unwrap();
            for used in rooms_used(&code) {
                assert!(
                    used == outer || may_use.contains(&used.as_str()),
                    "{} uses `{used}`, which `{room}` may not",
                    file.display(),
                );
            }
        }
    }
}

#[test]
fn every_room_is_on_the_list() {
    for entry in fs::read_dir(src()).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_listed = MAY_USE.iter().any(|(listed, _)| *listed == room);
        assert!(is_listed || room == "lib", "`{room}` is not on the list");
    }
}

#[test]
fn pure_rooms_know_no_runtime_database_or_clock() {
    for room in PURE {
        for (file, code) in code_of(room) {
            for word in ["tokio", "axum", "sqlx", "std::env", "Instant::now", "SystemTime"] {
                let timed = *room == "learn" && word == "Instant::now";
                assert!(timed || !code.contains(word), "{} names {word}", file.display());
            }
        }
    }
}

#[test]
fn only_the_store_contains_sql() {
    for (room, _) in MAY_USE {
        for (file, code) in code_of(room) {
            if !file.starts_with(src().join("record/store")) {
                let found = ["select ", "insert into ", "delete from "]
                    .iter()
                    .find(|sql| code.contains(&format!("\"{sql}")));
                assert_eq!(found, None, "{}", file.display());
            }
        }
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files of a room with their code, comments left out; rooms inside it left out, too.
fn code_of(room: &str) -> Vec<(PathBuf, String)> {
    let src = src();
    let inner = MAY_USE
        .iter()
        .map(|(other, _)| *other)
        .filter(|other| other.strip_prefix(room).is_some_and(|rest| rest.starts_with('/')));
    let inner: Vec<PathBuf> = inner.flat_map(|other| files_of(&src, other)).collect();
    let files: Vec<PathBuf> =
        files_of(&src, room).into_iter().filter(|file| !inner.contains(file)).collect();
    assert!(!files.is_empty(), "room `{room}` is gone");
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code = code.collect::<Vec<_>>().join("\n");
            (file, code)
        })
        .collect()
}

#[test]
fn grouped_imports_are_seen_through() {
    let code = "use crate::{a::{b, c}, d}; crate::e::f(); use crate::g;";
    assert_eq!(rooms_used(code), ["a", "d", "e", "g"]);
}

/// First segments of every path that begins at `crate`, also inside `crate::{…}`.
fn rooms_used(code: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = |text: &str| text.chars().take_while(|&c| is_name(c)).collect::<String>();
    let mut rooms = vec![];
    for path in code.split("crate::").skip(1) {
        let Some(group) = path.strip_prefix('{') else {
            rooms.push(name(path));
            continue;
        };
        let (mut depth, mut at_start) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                c if at_start && is_name(c) => {
                    rooms.push(name(&group[at..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

/// `src/<room>.rs` and everything under `src/<room>/`.
fn files_of(src: &Path, room: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut todo = vec![src.join(format!("{room}.rs")), src.join(room)];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.exists() {
            found.push(path);
        }
    }
    found
}
