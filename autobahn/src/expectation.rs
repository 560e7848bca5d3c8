//! What must come out: the files in `expected/`.
//!
//! One line stands for the cases of one group that share an outcome, named by the group and a list of
//! last numbers: `6.6.1,3-4` is 6.6.1, 6.6.3 and 6.6.4.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::report::{Outcome, Rating};
use crate::suite::{self, CaseId};

/// The outcome that every case must have.
pub type Expectation = BTreeMap<CaseId, Outcome>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    suite: String,
    expected: Vec<Line>,
}

/// The same words as in the report, so that one can be compared with the other by eye.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    cases: String,
    behavior: Rating,
    behavior_close: Rating,
    // Without `deserialize_with` serde would take a missing field for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    remote_close_code: Option<u16>,
}

/// Reads an expectation from a file.
pub fn read(path: &Path) -> Result<Expectation, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads the text of an expectation. A case that is named twice is an error.
pub fn parse(text: &str) -> Result<Expectation, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file.suite != suite::NAME {
        return Err(format!("is about `{}`, and this checks {}", file.suite, suite::NAME));
    }
    let mut expectation = Expectation::new();
    for line in file.expected {
        let outcome = Outcome {
            behavior: line.behavior,
            close: line.behavior_close,
            close_code: line.remote_close_code,
        };
        for case in cases(&line.cases)? {
            if expectation.insert(case, outcome).is_some() {
                return Err(format!("`{}` names {case}, which has a line already", line.cases));
            }
        }
    }
    Ok(expectation)
}

/// The cases that `6.6.1,3-4` names.
fn cases(text: &str) -> Result<Vec<CaseId>, String> {
    let wrong = || format!("`{text}` names no cases; it takes the form 6.6.1,3-4");
    let (group, numbers) = text.rsplit_once('.').ok_or_else(wrong)?;
    let mut cases = Vec::new();
    for range in numbers.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: u16 = first.parse().map_err(|_| wrong())?;
        let last: u16 = last.parse().map_err(|_| wrong())?;
        if first > last {
            return Err(wrong());
        }
        for number in first..=last {
            cases.push(format!("{group}.{number}").parse()?);
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &str) -> String {
        format!(r#"{{"suite": "{}", "expected": [{lines}]}}"#, suite::NAME)
    }

    fn line(cases: &str) -> String {
        format!(
            r#"{{"cases": "{cases}", "behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": 1000}}"#
        )
    }

    fn ids(expectation: &Expectation) -> Vec<String> {
        expectation.keys().map(CaseId::to_string).collect()
    }

    #[test]
    fn a_line_names_single_cases_and_ranges() {
        let expectation = parse(&file(&line("6.6.1,3-5,9"))).unwrap();
        assert_eq!(ids(&expectation), ["6.6.1", "6.6.3", "6.6.4", "6.6.5", "6.6.9"]);
        assert_eq!(ids(&parse(&file(&line("2.9-11"))).unwrap()), ["2.9", "2.10", "2.11"]);
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = parse(text).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn refuses_a_case_that_is_named_twice() {
        refused(&file(&format!("{},{}", line("2.1-3"), line("2.3"))), "names 2.3, which");
    }

    #[test]
    fn refuses_cases_that_the_suite_does_not_have() {
        refused(&file(&line("2.11-12")), "no case `2.12`");
        refused(&file(&line("12.6.1")), "no case `12.6.1`");
    }

    #[test]
    fn refuses_what_names_no_case() {
        for cases in ["", "2", "2.", "2.3-1", "2.1-", "2.1,", "2.*"] {
            refused(&file(&line(cases)), "names no cases");
        }
    }

    #[test]
    fn refuses_unknown_and_missing_fields() {
        refused(&file(&line("2.1").replace("behaviorClose", "close")), "unknown field `close`");
        refused(&file(&line("2.1").replace(r#", "remoteCloseCode": 1000"#, "")), "remoteCloseCode");
    }

    #[test]
    fn refuses_another_version_of_the_suite() {
        refused(&file(&line("2.1")).replace("25.10", "0.8"), "is about `autobahntestsuite 0.8");
    }

    /// The bar that this project has set itself, whatever the files say in detail.
    #[track_caller]
    fn sets_the_bar(text: &str) {
        let expectation = parse(text).unwrap();
        let part = |sections: &[u16]| -> Vec<_> {
            let within = |case: CaseId| sections.contains(&case.section());
            assert!(
                suite::cases()
                    .filter(|&case| within(case))
                    .all(|case| expectation.contains_key(&case))
            );
            expectation.iter().filter(|(case, _)| within(**case)).map(|(_, o)| *o).collect()
        };
        let base = part(&[1, 2, 3, 4, 5, 6, 7, 9, 10]);
        assert_eq!(base.len(), 301);
        let rated =
            |rating| base.iter().filter(|o| o.behavior == rating && o.close == rating).count();
        assert_eq!((rated(Rating::Ok), rated(Rating::Informational)), (298, 3));
    }

    #[test]
    fn the_server_must_do_all_right() {
        sets_the_bar(include_str!("../expected/server.json"));
    }

    #[test]
    fn the_control_must_fail_where_the_server_finds_invalid_utf8_and_only_there() {
        let server = parse(include_str!("../expected/server.json")).unwrap();
        let control = parse(include_str!("../expected/control.json")).unwrap();
        assert!(control.values().all(|outcome| outcome.behavior == Rating::Failed));
        let finds = |(case, outcome): (&CaseId, &Outcome)| {
            (case.section() == 6 && outcome.close_code == Some(1007)).then_some(*case)
        };
        assert!(server.iter().filter_map(finds).eq(control.keys().copied()));
    }

    #[test]
    fn the_client_must_do_all_right() {
        sets_the_bar(include_str!("../expected/client.json"));
    }
}
