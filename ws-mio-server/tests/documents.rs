//! What documents say of the code is so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may panic"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The dependencies of a crate, or those of its tests.
fn dependencies(of: &str, section: &str) -> BTreeSet<String> {
    let manifest = read(format!("{of}/Cargo.toml"));
    let (_, behind) = manifest.split_once(&format!("\n[{section}]\n")).unwrap();
    let lines = behind.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
        let name = line.split([' ', '.', '=']).next()?;
        (!name.is_empty()).then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn each_dependency_has_its_reasons() {
    let document = read("ws-mio-server/DEPENDENCIES.md");
    for of in ["ws-proto", "ws-mio-server"] {
        let (_, chapter) = document.split_once(&format!("\n## {of}\n")).unwrap();
        let chapter = chapter.split("\n## ").next().unwrap();
        let (product, tests) = chapter.split_once("For tests alone:").unwrap();
        for (section, text) in [("dependencies", product), ("dev-dependencies", tests)] {
            let rows = text.lines().filter_map(|line| {
                let row = line.strip_prefix("| `")?;
                assert_eq!(row.matches(" | ").count(), 4, "a column is missing: {line}");
                Some(row.split('`').next()?.to_owned())
            });
            let told = rows.collect::<BTreeSet<_>>();
            let there = dependencies(of, section);
            assert_eq!(told, there, "DEPENDENCIES.md and the {section} of {of}");
        }
    }
}

/// All test functions of a file of tests, or of a folder of that name.
fn tests_of(name: &str) -> String {
    let mut text = String::new();
    for tests in ["ws-mio-server/tests", "ws-proto/tests"] {
        let file = root().join(tests).join(format!("{name}.rs"));
        text += &fs::read_to_string(file).unwrap_or_default();
        let folder = root().join(tests).join(name);
        for file in fs::read_dir(folder).into_iter().flatten() {
            text += &fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        }
    }
    text
}

#[test]
fn what_proves_a_defence_is_there() {
    let document = read(".github/SECURITY.md");
    let mut proofs = BTreeSet::new();
    for quoted in document.split('`').skip(1).step_by(2) {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if let Some((file, test)) = quoted.split_once("::")
            && is_name(file)
            && is_name(test)
        {
            let is_there = tests_of(file).contains(&format!("fn {test}("));
            assert!(is_there, "SECURITY.md names {quoted}, which is not there");
            proofs.insert(quoted);
        }
    }
    assert!(proofs.len() > 40, "{} proofs", proofs.len());
}

#[test]
fn settings_that_defend_are_as_they_are_told() {
    let (document, settings) = (read(".github/SECURITY.md"), read("ws-mio-server/SETTINGS.md"));
    let mut told = 0;
    // `--name VALUE` is a setting and its default.
    for quoted in document.split('`').skip(1).step_by(2) {
        let Some(setting) = quoted.strip_prefix("--") else { continue };
        let (name, default) = setting.split_once(' ').unwrap_or((setting, ""));
        let chapter = settings.split_once(&format!("\n## `{name}`\n"));
        let (_, chapter) = chapter.unwrap_or_else(|| panic!("--{name} is no setting"));
        let chapter = chapter.split("\n## ").next().unwrap();
        let is_default = chapter.contains(&format!("default: `{default}`;"));
        assert!(default.is_empty() || is_default, "--{name} {default} is not the default");
        told += usize::from(!default.is_empty());
    }
    assert!(told > 8, "{told} defaults");
}
