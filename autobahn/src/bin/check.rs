//! `autobahn-check`: compares a `wstest` report with the committed expectation.
//!
//! Exit status: 0 as expected, 1 deviations, 2 nothing that could be judged.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use autobahn::expectation::{self, Expectation};
use autobahn::judge::{Deviation, judge};
use autobahn::report::Report;
use autobahn::selection::Selection;
use autobahn::table::Table;
use lexopt::prelude::*;

const HELP: &str = "\
Compares a report of the Autobahn test suite with what must come out.

usage: autobahn-check --sections LIST --expected FILE... [--expect-count N] REPORT
       autobahn-check --sections LIST --patterns

  REPORT             the folder that wstest wrote its index.json to
  --sections LIST    what was run: all, or sections, groups and cases, as in 1,2,12.1,6.4.2
  --expected FILE    the outcome that every case must have, such as autobahn/expected/server.json;
                     may be repeated, and a later file overrides an earlier one case by case
  --expect-count N   also demand that the report has exactly N cases
  --patterns         print LIST as the `cases` of a wstest specification, and judge nothing

Exit status: 0 as expected, 1 deviations (each is printed), 2 nothing that could be judged, for
instance because there is no report or it is cut off.
";

/// What the command line asks for.
struct Arguments {
    selection: Option<Selection>,
    expected: Vec<PathBuf>,
    count: Option<usize>,
    patterns: bool,
    report: Option<PathBuf>,
    help: bool,
}

fn main() -> ExitCode {
    let verdict = arguments().map_err(|error| error.to_string()).and_then(run);
    let (text, status) = verdict.unwrap_or_else(|error| {
        eprintln!("autobahn-check: {error}");
        (String::new(), 2)
    });
    // A reader that has gone away (`| head`) is no reason to change the verdict.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::from(status)
}

fn arguments() -> Result<Arguments, lexopt::Error> {
    let mut arguments = Arguments {
        selection: None,
        expected: Vec::new(),
        count: None,
        patterns: false,
        report: None,
        help: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("sections") => arguments.selection = Some(parser.value()?.parse()?),
            Long("expected") => arguments.expected.push(parser.value()?.into()),
            Long("expect-count") => arguments.count = Some(parser.value()?.parse()?),
            Long("patterns") => arguments.patterns = true,
            Long("help") | Short('h') => arguments.help = true,
            Value(report) if arguments.report.is_none() => arguments.report = Some(report.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(arguments)
}

/// What to print, and the exit status.
fn run(arguments: Arguments) -> Result<(String, u8), String> {
    if arguments.help {
        return Ok((HELP.to_owned(), 0));
    }
    let missing = |what| format!("{what} is missing; --help shows how to call it");
    let selection = arguments.selection.ok_or_else(|| missing("--sections LIST"))?;
    if arguments.patterns {
        let patterns = serde_json::to_string(&selection.patterns());
        return Ok((patterns.map_err(|error| error.to_string())? + "\n", 0));
    }
    if arguments.expected.is_empty() {
        return Err(missing("--expected FILE"));
    }
    let folder = arguments.report.ok_or_else(|| missing("the report's folder"))?;
    let mut expectation = Expectation::new();
    for path in &arguments.expected {
        expectation.extend(expectation::read(path)?);
    }
    let report = Report::read(&folder)?;
    let deviations = judge(&report, &expectation, &selection);
    let count = report.cases.len();
    let miscounted = arguments.count.filter(|&expected| expected != count);

    let mut text = format!("{}\n", Table::new(&report, &deviations));
    let fine = deviations.is_empty() && miscounted.is_none();
    let status = u8::from(!fine);
    tell(&mut text, &folder, &deviations);
    if let Some(expected) = miscounted {
        text += &format!("the report has {count} cases, expected {expected}\n");
    }
    text += &if fine {
        format!("{}: all {count} cases as expected\n", report.agent)
    } else {
        format!("{}: NOT as expected, {} deviations\n", report.agent, deviations.len())
    };
    Ok((text, status))
}

/// One line for each deviation, with the page that shows what went over the wire.
fn tell(text: &mut String, folder: &Path, deviations: &[Deviation]) {
    for Deviation { case, fault, file, .. } in deviations {
        *text += &format!("  {case:<7}  {fault}");
        if let Some(file) = file {
            *text += &format!("  ({})", folder.join(file).with_extension("html").display());
        }
        text.push('\n');
    }
}
