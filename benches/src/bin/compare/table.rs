//! The results as Markdown.

use std::fmt::Write as _;
use std::result;

use benches::point::Point;
use benches::spread::Spread;

use crate::measure::{Plan, Row};

/// One table of the first two servers and their controls, and one of all.
pub(crate) fn markdown<'a>(
    results: &[(Point, Vec<Row>)],
    versions: impl Iterator<Item = &'a str>,
    plan: Plan,
) -> result::Result<String, std::fmt::Error> {
    let mut out = String::new();
    let Plan { sittings, rounds, slice } = plan;
    let all = results.first().map_or(&[][..], |(_, rows)| rows);
    let mut measured = all.iter().filter(|row| !row.control).map(|row| row.name.as_str());
    let (base, second) = (measured.next().unwrap_or("?"), measured.next().unwrap_or("?"));

    writeln!(
        out,
        "Processor time a message, {sittings} sittings of {rounds} rounds, slices of {} ms \
         ({} where all connections get more than 1 MiB at once):\n",
        slice.as_millis(),
        (slice * 4).as_millis()
    )?;
    writeln!(
        out,
        "| connections × bytes, depth | {second} / {base} | {base} / {base} | {second} / {second} | \
         {base}, ns | {second}, ns | {base}, messages/s | {second}, messages/s |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for (point, rows) in results {
        let measured = |name: &str| rows.iter().find(|row| !row.control && row.name == name);
        let control = |name: &str| rows.iter().find(|row| row.control && row.name == name);
        let ratio = |row: Option<&Row>| row.map_or_else(String::new, |row| spread(row.ratio));
        let nanos = |row: Option<&Row>| row.map_or(f64::NAN, |row| row.nanos.median);
        let rate = |row: Option<&Row>| row.map_or(f64::NAN, |row| row.rate);
        writeln!(
            out,
            "| {point} | {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} |",
            ratio(measured(second)),
            ratio(control(base)),
            ratio(control(second)),
            nanos(measured(base)),
            nanos(measured(second)),
            rate(measured(base)),
            rate(measured(second)),
        )?;
    }

    // Every server that has met any point; the one with the most points has the full list.
    let most = results.iter().map(|(_, rows)| rows).max_by_key(|rows| rows.len());
    let names = most.into_iter().flatten().filter(|row| !row.control).map(|row| &row.name);
    let names = names.skip(1).collect::<Vec<_>>();
    if names.len() > 1 {
        writeln!(out, "\nAll servers, as multiples of {base}:\n")?;
        let points = results.iter().map(|(point, _)| format!(" {point} |")).collect::<String>();
        writeln!(out, "| |{points}")?;
        writeln!(out, "|---|{}", "---|".repeat(results.len()))?;
        for name in names {
            write!(out, "| {name} |")?;
            for (_, rows) in results {
                match rows.iter().find(|row| !row.control && row.name == *name) {
                    Some(row) => write!(out, " {:.2} |", row.ratio.median)?,
                    None => write!(out, " |")?,
                }
            }
            writeln!(out)?;
        }
    }
    for versions in versions {
        writeln!(out, "\n{versions}.")?;
    }
    Ok(out)
}

fn spread(Spread { low, median, high }: Spread) -> String {
    format!("**{median:.3}** ({low:.2}–{high:.2})")
}
