//! A room of `src/` may use only the rooms listed for it, so the arrows keep pointing one way.

use std::{
    fs,
    path::{Path, PathBuf},
};

const MAY_USE: &[(&str, &[&str])] =
    &[("domain", &[]), ("learn", &["domain"]), ("record", &["domain"])];

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
            for used in code.split("crate::").skip(1) {
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                assert!(
                    used == *room || may_use.contains(&used),
                    "{} uses `{used}`, which `{room}` may not",
                    file.display(),
                );
            }
        }
    }
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
