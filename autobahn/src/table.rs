//! The summary that a person reads: one row a section.

use std::fmt;

use crate::judge::Deviation;
use crate::report::{Rating, Report};
use crate::suite::{self, CaseId};

/// How `wstest` may rate a behavior, in the order of the columns.
const RATINGS: [Rating; 5] =
    [Rating::Ok, Rating::Informational, Rating::NonStrict, Rating::Unimplemented, Rating::Failed];

/// The width of a rating's column: its name's, and enough for the 517 cases of the suite.
fn width(rating: Rating) -> usize {
    rating.to_string().len().max(3)
}

/// A report, counted by section.
#[derive(Debug)]
pub struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    section: String,
    name: &'static str,
    cases: usize,
    rated: [usize; RATINGS.len()],
    unexpected: usize,
}

impl Table {
    /// Counts the sections that the report or a deviation has anything of, and the whole.
    pub fn new(report: &Report, deviations: &[Deviation]) -> Self {
        let sections = suite::SECTIONS.iter().map(|&(section, name)| {
            row(section.to_string(), name, report, deviations, |other| other == Some(section))
        });
        // What the suite doesn't have would be in no section, and must show all the same.
        let stray = row("?".to_owned(), "", report, deviations, |section| section.is_none());
        let all = row("all".to_owned(), "", report, deviations, |_| true);
        let mut rows: Vec<_> = sections.chain([stray]).filter(|row| !row.is_empty()).collect();
        rows.push(all);
        Self(rows)
    }
}

impl Row {
    fn is_empty(&self) -> bool {
        self.cases == 0 && self.unexpected == 0
    }
}

fn row(
    section: String,
    name: &'static str,
    report: &Report,
    deviations: &[Deviation],
    belongs: impl Fn(Option<u16>) -> bool,
) -> Row {
    let section_of = |id: &str| id.parse().ok().map(CaseId::section);
    let cases: Vec<_> = report
        .cases
        .iter()
        .filter(|(id, _)| belongs(section_of(id)))
        .map(|(_, case)| case)
        .collect();
    let rated =
        RATINGS.map(|rating| cases.iter().filter(|case| case.outcome.behavior == rating).count());
    let unexpected = deviations.iter().filter(|deviation| belongs(deviation.section)).count();
    Row { section, name, cases: cases.len(), rated, unexpected }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<7}  {:<23}  {:>5}", "section", "name", "cases")?;
        for rating in RATINGS {
            write!(f, "  {rating:>width$}", width = width(rating))?;
        }
        writeln!(f, "  unexpected")?;
        for row in &self.0 {
            write!(f, "{:>7}  {:<23}  {:>5}", row.section, row.name, row.cases)?;
            for (rating, count) in RATINGS.into_iter().zip(row.rated) {
                write!(f, "  {count:>width$}", width = width(rating))?;
            }
            writeln!(f, "  {:>10}", row.unexpected)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Fault;
    use crate::report::{Case, Outcome};

    #[test]
    fn counts_by_section_and_in_all() {
        let case = |id: &str, behavior| {
            let outcome = Outcome { behavior, close: Rating::Ok, close_code: None };
            (id.to_owned(), Case { outcome, file: String::new() })
        };
        let cases = [
            case("1.1.1", Rating::Ok),
            case("1.1.2", Rating::Failed),
            case("7.1.6", Rating::Informational),
            case("99.1", Rating::Ok),
        ];
        let report = Report { agent: String::new(), cases: cases.into() };
        let deviation = |case: &str, section| Deviation {
            case: case.to_owned(),
            section,
            fault: Fault::Missing,
            file: None,
        };
        let deviations =
            [deviation("1.1.2", Some(1)), deviation("9.1.1", Some(9)), deviation("99.1", None)];
        let table = Table::new(&report, &deviations).to_string();
        let rows: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(rows[1], ["1", "Framing", "2", "1", "0", "0", "0", "1", "1"]);
        assert_eq!(rows[2], ["7", "Close handling", "1", "0", "1", "0", "0", "0", "0"]);
        assert_eq!(rows[3], ["9", "Limits and performance", "0", "0", "0", "0", "0", "0", "1"]);
        assert_eq!(rows[4], ["?", "1", "1", "0", "0", "0", "0", "1"]);
        assert_eq!(rows[5], ["all", "4", "2", "1", "0", "0", "1", "3"]);
        assert_eq!(rows.len(), 6);
        let width = table.lines().next().unwrap().len();
        assert!(table.lines().all(|line| line.len() == width), "{table}");
    }
}
