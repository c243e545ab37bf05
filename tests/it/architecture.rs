//! A room of `src/` may use only the rooms listed for it, so the arrows keep pointing one way.

use std::{
    fs,
    path::{Path, PathBuf},
};

const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("learn", &["domain"]),
    ("simulate", &["domain"]),
    ("config", &["domain"]),
    ("lifecycle", &[]),
    ("telemetry", &["config", "domain"]),
    ("record", &["domain", "telemetry"]),
    ("live", &["domain", "record", "telemetry"]),
];

#[test]
fn rooms_use_only_their_neighbours() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (room, may_use) in MAY_USE {
        let files = files_of(&src, room);
        assert!(!files.is_empty(), "room `{room}` is gone");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code: String = code.collect();
            for used in rooms_used(&code) {
                assert!(
                    used == *room || may_use.contains(&used.as_str()),
                    "{} uses `{used}`, which `{room}` may not",
                    file.display(),
                );
            }
        }
    }
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
