use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 600;

/// The project's own files of the given endings.
fn sources(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_ours = name != "target" && (name == ".ci" || !name.starts_with('.'));
            if is_ours && name != "__pycache__" {
                sources(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
}

#[test]
fn no_source_file_is_over_600_lines() {
    let mut found = Vec::new();
    sources(
        Path::new(env!("CARGO_MANIFEST_DIR")),
        &[".rs", ".py", ".s", ".c"],
        &mut found,
    );
    assert!(found.len() > 20, "these are the sources");
    let too_long: Vec<_> = found
        .into_iter()
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(n_lines, _)| *n_lines > MAX_LINES)
        .collect();
    assert!(
        too_long.is_empty(),
        "split by idea, not by size: {too_long:?}"
    );
}

#[test]
fn each_fixture_says_what_must_be_found_and_is_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python-fixtures");
    let mut found = Vec::new();
    sources(&folder, &[".py"], &mut found);
    assert!(!found.is_empty());
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("\"\"\""),
            "{} starts with its docstring",
            path.display()
        );
        // What drives a package has a server and a client of its own.
        let is_driver = path
            .parent()
            .is_some_and(|folder| folder.ends_with("history"));
        let most = if is_driver { 60 } else { 40 };
        assert!(
            text.lines().count() <= most,
            "{} is over {most} lines",
            path.display()
        );
    }
}
