//! What `wstest` found: the `index.json` of a report.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// How `wstest` rates what a peer did in a case, or how the connection was closed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Rating {
    /// As the RFC says.
    Ok,
    /// Allowed, but not what the RFC recommends.
    NonStrict,
    /// The RFC leaves it open.
    Informational,
    /// The peer lacks what the case is about.
    Unimplemented,
    /// Against the RFC.
    Failed,
    /// Closed with a code that doesn't fit.
    #[serde(rename = "WRONG CODE")]
    WrongCode,
    /// Closed without the closing handshake where one was due.
    Unclean,
    /// The client closed TCP, which is the server's part.
    #[serde(rename = "FAILED BY CLIENT")]
    FailedByClient,
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "OK",
            Self::NonStrict => "NON-STRICT",
            Self::Informational => "INFORMATIONAL",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Failed => "FAILED",
            Self::WrongCode => "WRONG CODE",
            Self::Unclean => "UNCLEAN",
            Self::FailedByClient => "FAILED BY CLIENT",
        })
    }
}

/// What came out of a case, or what must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the peer did.
    pub behavior: Rating,
    /// How the connection was closed.
    pub close: Rating,
    /// The code in the peer's Close frame. `None` if it had none or never came, which `wstest` lets
    /// pass wherever it waits for the peer to fail the connection.
    pub close_code: Option<u16>,
}

/// One case of a report.
#[derive(Debug)]
pub struct Case {
    /// What came out.
    pub outcome: Outcome,
    /// The file with the wire log, beside `index.json`.
    pub file: String,
}

/// A report about one agent: its cases by id, as `wstest` wrote them.
#[derive(Debug)]
pub struct Report {
    /// The name that the peer ran under.
    pub agent: String,
    /// The cases by id.
    pub cases: BTreeMap<String, Case>,
}

/// A case in the words of `index.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    behavior: Rating,
    behavior_close: Rating,
    // Without `deserialize_with` serde would take a missing field for `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    remote_close_code: Option<u16>,
    reportfile: String,
}

impl Report {
    /// Reads the report in a folder.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("index.json");
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("{}: {error}; wstest writes it when it has run its last case", path.display())
        })?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads the text of an `index.json`, which must be about exactly one agent and not be empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let agents: BTreeMap<String, BTreeMap<String, Entry>> =
            serde_json::from_str(text).map_err(|error| format!("not a wstest report: {error}"))?;
        let names: Vec<_> = agents.keys().cloned().collect();
        let mut agents = agents.into_iter();
        let (Some((agent, entries)), None) = (agents.next(), agents.next()) else {
            return Err(format!(
                "must be about one agent, and is about {}: {names:?}",
                names.len()
            ));
        };
        if entries.is_empty() {
            return Err(format!("has no case for agent `{agent}`"));
        }
        let cases = entries.into_iter().map(|(id, entry)| (id, entry.into())).collect();
        Ok(Self { agent, cases })
    }
}

impl From<Entry> for Case {
    fn from(entry: Entry) -> Self {
        let outcome = Outcome {
            behavior: entry.behavior,
            close: entry.behavior_close,
            close_code: entry.remote_close_code,
        };
        Self { outcome, file: entry.reportfile }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = r#"{"behavior": "OK", "behaviorClose": "WRONG CODE", "duration": 2,
        "remoteCloseCode": null, "reportfile": "a_case_1_1_1.json"}"#;

    #[test]
    fn reads_what_wstest_writes() {
        let report = Report::parse(&format!(r#"{{"a": {{"1.1.1": {CASE}}}}}"#)).unwrap();
        assert_eq!(report.agent, "a");
        let case = &report.cases["1.1.1"];
        let outcome = Outcome { behavior: Rating::Ok, close: Rating::WrongCode, close_code: None };
        assert_eq!((case.outcome, case.file.as_str()), (outcome, "a_case_1_1_1.json"));
    }

    #[test]
    fn ratings_are_called_what_wstest_calls_them() {
        for name in [
            "OK",
            "NON-STRICT",
            "INFORMATIONAL",
            "UNIMPLEMENTED",
            "FAILED",
            "WRONG CODE",
            "UNCLEAN",
            "FAILED BY CLIENT",
        ] {
            let rating: Rating = serde_json::from_str(&format!("{name:?}")).unwrap();
            assert_eq!(rating.to_string(), name);
        }
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = Report::parse(text).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn refuses_reports_about_no_case() {
        refused("{}", "is about 0");
        refused(r#"{"a": {}}"#, "no case for agent `a`");
    }

    #[test]
    fn refuses_more_than_one_agent() {
        let two = format!(r#"{{"a": {{"1.1.1": {CASE}}}, "b": {{"1.1.1": {CASE}}}}}"#);
        refused(&two, r#"is about 2: ["a", "b"]"#);
    }

    #[test]
    fn refuses_what_is_cut_off_or_misses_a_field() {
        refused("", "not a wstest report");
        refused(&format!(r#"{{"a": {{"1.1.1": {CASE}"#), "not a wstest report");
        let without = CASE.replace(r#""remoteCloseCode": null,"#, "");
        refused(&format!(r#"{{"a": {{"1.1.1": {without}}}}}"#), "remoteCloseCode");
    }

    #[test]
    fn refuses_a_rating_that_wstest_does_not_give() {
        let text = format!(r#"{{"a": {{"1.1.1": {CASE}}}}}"#).replace("\"OK\"", "\"GREAT\"");
        refused(&text, "GREAT");
    }

    #[test]
    fn a_missing_report_names_its_path() {
        let error = Report::read(Path::new("no-such-folder")).unwrap_err();
        assert!(error.contains("no-such-folder"), "{error}");
    }
}
