//! Compares a report with an expectation.

use std::fmt;

use crate::expectation::Expectation;
use crate::report::{Outcome, Report};
use crate::selection::Selection;
use crate::suite::CaseId;

/// One way in which a report isn't what it must be.
#[derive(Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The case as the report or the suite names it.
    pub case: String,
    /// Its section, unless the suite doesn't have such a case.
    pub section: Option<u16>,
    /// What is wrong with it.
    pub fault: Fault,
    /// The file with the wire log, if the report has the case.
    pub file: Option<String>,
}

/// What is wrong with a case.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// Asked for, but not in the report.
    Missing,
    /// In the report, but not asked for.
    NotAsked,
    /// Asked for, but the expectation has no line for it.
    NoExpectation,
    /// Another outcome than the expectation's.
    Differs {
        /// What the report says.
        got: Outcome,
        /// What the expectation says.
        expected: Outcome,
    },
}

/// Everything that is wrong with a report; nothing if it is exactly as expected.
pub fn judge(report: &Report, expectation: &Expectation, selection: &Selection) -> Vec<Deviation> {
    let asked = selection.cases().filter_map(|case| {
        let got = report.cases.get(&case.to_string());
        let fault = match (got, expectation.get(&case)) {
            (_, None) => Fault::NoExpectation,
            (None, Some(_)) => Fault::Missing,
            (Some(got), Some(&expected)) if got.outcome != expected => {
                Fault::Differs { got: got.outcome, expected }
            }
            (Some(_), Some(_)) => return None,
        };
        let (case, section) = (case.to_string(), Some(case.section()));
        Some(Deviation { case, section, fault, file: got.map(|got| got.file.clone()) })
    });
    let not_asked = report.cases.iter().filter_map(|(name, got)| {
        let known: Option<CaseId> = name.parse().ok();
        if known.is_some_and(|case| selection.contains(case)) {
            return None;
        }
        let (case, section) = (name.clone(), known.map(CaseId::section));
        Some(Deviation { case, section, fault: Fault::NotAsked, file: Some(got.file.clone()) })
    });
    asked.chain(not_asked).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (got, expected) = match self {
            Self::Missing => return f.write_str("missing from the report"),
            Self::NotAsked => return f.write_str("in the report, but not asked for"),
            Self::NoExpectation => return f.write_str("the expectation has no line for it"),
            Self::Differs { got, expected } => (got, expected),
        };
        let mut parts = Vec::new();
        if got.behavior != expected.behavior {
            parts.push(format!("behavior {}, expected {}", got.behavior, expected.behavior));
        }
        if got.close != expected.close {
            parts.push(format!("behaviorClose {}, expected {}", got.close, expected.close));
        }
        if got.close_code != expected.close_code {
            let (got, expected) = (code(got.close_code), code(expected.close_code));
            parts.push(format!("remoteCloseCode {got}, expected {expected}"));
        }
        f.write_str(&parts.join("; "))
    }
}

fn code(code: Option<u16>) -> String {
    code.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Case, Rating};

    const FINE: Outcome =
        Outcome { behavior: Rating::Ok, close: Rating::Ok, close_code: Some(1000) };

    fn sections(text: &str) -> Selection {
        text.parse().unwrap()
    }

    fn expectation(selection: &Selection) -> Expectation {
        selection.cases().map(|case| (case, FINE)).collect()
    }

    fn report(selection: &Selection) -> Report {
        let case = |case: CaseId| {
            (case.to_string(), Case { outcome: FINE, file: format!("agent_case_{case}.json") })
        };
        Report { agent: "agent".to_owned(), cases: selection.cases().map(case).collect() }
    }

    /// Judges a report on sections 2 and 7 after something was done to it.
    fn after(change: impl FnOnce(&mut Report)) -> Vec<Deviation> {
        let selection = sections("2,7");
        let mut report = report(&selection);
        change(&mut report);
        judge(&report, &expectation(&selection), &selection)
    }

    #[track_caller]
    fn only(deviations: &[Deviation], case: &str, text: &str) {
        let [deviation] = deviations else { panic!("{deviations:?}") };
        assert_eq!((deviation.case.as_str(), deviation.fault.to_string().as_str()), (case, text));
    }

    #[test]
    fn a_report_as_expected_has_no_deviation() {
        assert_eq!(after(|_| ()), []);
    }

    #[test]
    fn one_case_short() {
        let deviations = after(|report| drop(report.cases.remove("2.11")));
        only(&deviations, "2.11", "missing from the report");
    }

    #[test]
    fn nothing_at_all() {
        assert_eq!(after(|report| report.cases.clear()).len(), 48);
    }

    #[test]
    fn one_case_that_is_not_strict() {
        let outcome = |report: &mut Report| {
            report.cases.get_mut("7.1.5").unwrap().outcome.behavior = Rating::NonStrict;
        };
        let deviations = after(outcome);
        only(&deviations, "7.1.5", "behavior NON-STRICT, expected OK");
        assert_eq!(deviations[0].file.as_deref(), Some("agent_case_7.1.5.json"));
        assert_eq!(deviations[0].section, Some(7));
    }

    #[test]
    fn better_than_expected_is_a_deviation_too() {
        let selection = sections("7.1.6");
        let informational = Outcome { behavior: Rating::Informational, ..FINE };
        let expectation = selection.cases().map(|case| (case, informational)).collect();
        let deviations = judge(&report(&selection), &expectation, &selection);
        only(&deviations, "7.1.6", "behavior OK, expected INFORMATIONAL");
    }

    #[test]
    fn one_case_that_closes_wrongly() {
        let outcome = Outcome { close: Rating::Unclean, close_code: None, ..FINE };
        let deviations = after(|report| report.cases.get_mut("2.5").unwrap().outcome = outcome);
        let text = "behaviorClose UNCLEAN, expected OK; remoteCloseCode none, expected 1000";
        only(&deviations, "2.5", text);
    }

    #[test]
    fn one_case_with_another_close_code() {
        let outcome = Outcome { close_code: Some(1011), ..FINE };
        let deviations = after(|report| report.cases.get_mut("2.5").unwrap().outcome = outcome);
        only(&deviations, "2.5", "remoteCloseCode 1011, expected 1000");
    }

    #[test]
    fn a_case_that_was_not_asked_for() {
        let add = |id: &'static str| {
            move |report: &mut Report| {
                let case = Case { outcome: FINE, file: String::new() };
                report.cases.insert(id.to_owned(), case);
            }
        };
        only(&after(add("3.1")), "3.1", "in the report, but not asked for");
        only(&after(add("2.12")), "2.12", "in the report, but not asked for");
    }

    #[test]
    fn a_case_without_an_expectation() {
        let selection = sections("12.1.1");
        let deviations = judge(&report(&selection), &Expectation::new(), &selection);
        only(&deviations, "12.1.1", "the expectation has no line for it");
    }
}
