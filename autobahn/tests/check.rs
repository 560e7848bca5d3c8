//! `autobahn-check` as `autobahn/run` calls it: what it prints, and how it exits.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use autobahn::expectation;
use serde_json::{Map, Value, json};

const SECTIONS: &str = "1,2,3,4,5,6,7,9,10";

fn server() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "expected", "server.json"].iter().collect()
}

/// The folder of a report on a server that does all right, but for what `change` does to it.
fn report(name: &str, change: impl FnOnce(&mut Map<String, Value>)) -> PathBuf {
    let mut cases = Map::new();
    for (case, outcome) in expectation::read(&server()).unwrap() {
        // Compression is not among SECTIONS.
        if ["12.", "13."].iter().any(|section| case.to_string().starts_with(section)) {
            continue;
        }
        let entry = json!({
            "behavior": outcome.behavior.to_string(),
            "behaviorClose": outcome.close.to_string(),
            "remoteCloseCode": outcome.close_code,
            "duration": 1,
            "reportfile": format!("agent_case_{case}.json"),
        });
        cases.insert(case.to_string(), entry);
    }
    change(&mut cases);
    let folder: PathBuf = [env!("CARGO_TARGET_TMPDIR"), name].iter().collect();
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("index.json"), json!({ "agent": cases }).to_string()).unwrap();
    folder
}

fn check(arguments: &[&str], folder: Option<PathBuf>) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_autobahn-check"))
        .args(arguments)
        .arg("--expected")
        .arg(server())
        .args(folder)
        .output()
        .unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[track_caller]
fn exits(arguments: &[&str], folder: Option<PathBuf>, status: i32, says: &str) {
    let (got, text) = check(arguments, folder);
    assert!(text.contains(says), "{text}");
    assert_eq!(got, Some(status), "{text}");
}

#[test]
fn as_expected_is_0() {
    let folder = report("fine", |_| ());
    exits(&["--sections", SECTIONS], Some(folder), 0, "all 301 cases as expected");
}

#[test]
fn a_case_short_is_1() {
    let folder = report("short", |cases| drop(cases.remove("6.4.2")));
    exits(&["--sections", SECTIONS], Some(folder), 1, "6.4.2    missing from the report\n");
}

#[test]
fn a_flipped_case_is_1_and_names_the_page_that_shows_it() {
    let folder = report("flipped", |cases| {
        *cases.get_mut("6.4.2").unwrap().get_mut("behavior").unwrap() = json!("NON-STRICT");
    });
    let page = folder.join("agent_case_6.4.2.html").display().to_string();
    let (status, text) = check(&["--sections", SECTIONS], Some(folder));
    let line = format!("  6.4.2    behavior NON-STRICT, expected OK  ({page})\n");
    assert!(status == Some(1) && text.contains(&line), "{status:?} {text}");
    assert!(text.ends_with("agent: NOT as expected, 1 deviations\n"), "{text}");
}

#[test]
fn another_count_than_demanded_is_1() {
    let folder = || Some(report("counted", |_| ()));
    let arguments = |count| ["--sections", SECTIONS, "--expect-count", count];
    exits(&arguments("301"), folder(), 0, "all 301 cases");
    exits(&arguments("517"), folder(), 1, "the report has 301 cases, expected 517");
}

#[test]
fn sections_that_were_not_asked_for_are_1() {
    exits(&["--sections", "1,2"], Some(report("more", |_| ())), 1, "but not asked for");
}

#[test]
fn sections_that_the_report_lacks_are_1() {
    let folder = report("less", |_| ());
    exits(&["--sections", "all"], Some(folder), 1, "12.1.1   missing from the report\n");
}

#[test]
fn no_report_is_2() {
    let folder: PathBuf = [env!("CARGO_TARGET_TMPDIR"), "none"].iter().collect();
    exits(&["--sections", SECTIONS], Some(folder), 2, "index.json");
}

#[test]
fn an_empty_report_is_2() {
    let folder = report("empty", Map::clear);
    exits(&["--sections", SECTIONS], Some(folder), 2, "has no case");
}

#[test]
fn a_report_that_is_cut_off_is_2() {
    let folder = report("cut", |_| ());
    let text = fs::read(folder.join("index.json")).unwrap();
    fs::write(folder.join("index.json"), text.split_last_chunk::<9>().unwrap().0).unwrap();
    exits(&["--sections", SECTIONS], Some(folder), 2, "not a wstest report");
}

#[test]
fn wrong_arguments_are_2() {
    exits(&["--sections", "8"], None, 2, "is no part of");
    exits(&["--sections", SECTIONS], None, 2, "the report's folder is missing");
    exits(&["--section", SECTIONS], None, 2, "--section");
    exits(&[], None, 2, "--sections LIST is missing");
    exits(&["--sections", "1", "one-report"], Some("another".into()), 2, "another");
}

#[test]
fn patterns_are_what_wstest_takes() {
    exits(&["--sections", "1,2.1,12.1", "--patterns"], None, 0, r#"["1.*","2.1","12.1.*"]"#);
    exits(&["--sections", "all", "--patterns"], None, 0, r#"["*"]"#);
}
