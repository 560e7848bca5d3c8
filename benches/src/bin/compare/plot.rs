//! The results as an SVG: a panel for each point, a line for each server.

use std::fmt::{self, Write as _};
use std::result;

use benches::point::Point;

use crate::measure::Row;

const COLUMNS: usize = 4;
/// What a panel is wide and a line is high, in pixels.
const PANEL: f64 = 204.0;
const LINE: f64 = 17.0;
/// Left of the panels stand the names, right of the dots their values.
const NAMES: f64 = 172.0;
const VALUES: f64 = 38.0;
const GAP: f64 = 18.0;
const HEAD: f64 = 64.0;
/// Above each row of panels, and below it.
const TITLE: f64 = 28.0;
const SCALE: f64 = 26.0;

const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}
.title{font-size:16px;font-weight:600}.note,.scale{fill:#59636e}.scale{font-size:10px}
.point{font-weight:600}.value{font-size:11px;fill:#59636e}
.grid{stroke:#e4e8ec}.one{stroke:#8c959f}.stem{stroke:#b6bec7;stroke-width:2}.dot{fill:#8c959f}
.ours.name,.ours.value{font-weight:700;fill:#b3430a}.ours.stem{stroke:#e8743b}.ours.dot{fill:#d9480f}";

/// Multiples of the first server's processor time, on a logarithmic scale of each panel's own.
pub(crate) fn svg(results: &[(Point, Vec<Row>)]) -> result::Result<String, fmt::Error> {
    let measured = |rows: &[Row]| {
        let rows = rows.iter().filter(|row| !row.control).skip(1);
        rows.map(|row| (row.name.clone(), row.ratio.median)).collect::<Vec<_>>()
    };
    let panels = results.iter().map(|(point, rows)| (point, measured(rows))).collect::<Vec<_>>();
    let base = results.first().and_then(|(_, rows)| rows.first());
    let base = base.map_or("?", |row| row.name.as_str());
    let names = names(panels.iter().map(|(_, values)| values));

    let height = TITLE + names.len() as f64 * LINE + SCALE;
    let rows = panels.len().div_ceil(COLUMNS);
    let columns = panels.len().min(COLUMNS) as f64;
    let width = NAMES + columns * (PANEL + GAP);
    let all = HEAD + rows as f64 * height + 8.0;
    let mut out = String::new();
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {all}" width="{width}" height="{all}">"#
    )?;
    writeln!(out, "<style>{STYLE}</style>")?;
    writeln!(out, r##"<rect width="{width}" height="{all}" rx="8" fill="#fff"/>"##)?;
    writeln!(
        out,
        r#"<text class="title" x="16" y="27">Processor time of the server for each message</text>"#
    )?;
    writeln!(
        out,
        r#"<text class="note" x="16" y="47">as a multiple of “{base}”, which only receives and sends; connections × payload, messages in a burst; less is better, logarithmic</text>"#
    )?;
    for (index, (point, values)) in panels.iter().enumerate() {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        let panel = Panel {
            left: NAMES + column as f64 * (PANEL + GAP),
            top: HEAD + row as f64 * height,
            octaves: values.iter().fold(2.0f64, |most, (_, value)| most.max(*value)).log2().ceil(),
        };
        panel.scale(&mut out, point, names.len())?;
        for (line, name) in names.iter().enumerate() {
            let y = panel.top + TITLE + (line as f64 + 0.5) * LINE;
            let ours = if name.starts_with("ours") { "ours " } else { "" };
            if column == 0 {
                writeln!(
                    out,
                    r#"<text class="{ours}name" x="{:.1}" y="{:.1}" text-anchor="end">{name}</text>"#,
                    NAMES - 12.0,
                    y + 4.0
                )?;
            }
            if let Some((_, value)) = values.iter().find(|(of, _)| of == name) {
                panel.value(&mut out, *value, y, ours)?;
            }
        }
    }
    writeln!(out, "</svg>")?;
    Ok(out)
}

struct Panel {
    left: f64,
    top: f64,
    /// How often the scale doubles.
    octaves: f64,
}

impl Panel {
    /// Just below 1 there is room for who is cheaper than the base.
    fn x(&self, value: f64) -> f64 {
        let least = 0.06 * self.octaves;
        let share = (value.log2() + least).max(0.0) / (self.octaves + least);
        self.left + share * (PANEL - VALUES)
    }

    fn scale(
        &self,
        out: &mut String,
        point: &Point,
        lines: usize,
    ) -> result::Result<(), fmt::Error> {
        let (left, title, first) = (self.left, self.top + 16.0, self.top + TITLE);
        let last = first + lines as f64 * LINE;
        writeln!(out, r#"<text class="point" x="{left:.1}" y="{title:.1}">{point}</text>"#)?;
        // A single octave is halved; where there are many, every other line has a number.
        let doublings = (0..=self.octaves as i32).map(|octave| 2f64.powi(octave));
        let halves = (self.octaves <= 1.0).then_some(1.5);
        for value in doublings.chain(halves) {
            let at = self.x(value);
            let class = if value == 1.0 { "one" } else { "grid" };
            writeln!(
                out,
                r#"<line class="{class}" x1="{at:.1}" x2="{at:.1}" y1="{first:.1}" y2="{last:.1}"/>"#
            )?;
            if self.octaves <= 5.0 || value.log2() % 2.0 == 0.0 {
                writeln!(
                    out,
                    r#"<text class="scale" x="{at:.1}" y="{:.1}" text-anchor="middle">{value}×</text>"#,
                    last + 13.0
                )?;
            }
        }
        Ok(())
    }

    fn value(
        &self,
        out: &mut String,
        value: f64,
        y: f64,
        ours: &str,
    ) -> result::Result<(), fmt::Error> {
        let (one, at) = (self.x(1.0), self.x(value));
        writeln!(
            out,
            r#"<line class="{ours}stem" x1="{one:.1}" x2="{at:.1}" y1="{y:.1}" y2="{y:.1}"/>"#
        )?;
        writeln!(out, r#"<circle class="{ours}dot" cx="{at:.1}" cy="{y:.1}" r="4"/>"#)?;
        let digits = if value < 10.0 { 2 } else { 1 };
        writeln!(
            out,
            r#"<text class="{ours}value" x="{:.1}" y="{:.1}">{value:.digits$}</text>"#,
            at + 8.0,
            y + 4.0
        )
    }
}

/// All servers, from who is cheapest on the average of logarithms to who is dearest.
fn names<'a>(panels: impl Iterator<Item = &'a Vec<(String, f64)>>) -> Vec<String> {
    let mut sums: Vec<(String, f64, f64)> = Vec::new();
    for (name, value) in panels.flatten() {
        match sums.iter_mut().find(|(of, ..)| of == name) {
            Some((_, sum, count)) => (*sum, *count) = (*sum + value.log2(), *count + 1.0),
            None => sums.push((name.clone(), value.log2(), 1.0)),
        }
    }
    sums.sort_by(|(_, a, of_a), (_, b, of_b)| (a / of_a).total_cmp(&(b / of_b)));
    sums.into_iter().map(|(name, ..)| name).collect()
}

#[cfg(test)]
mod tests {
    use benches::spread::Spread;

    use super::{Row, svg};

    #[test]
    fn a_line_for_each_server_the_cheapest_first() {
        let row = |name: &str, control, ratio| {
            let spread = |value| Spread { low: value, median: value, high: value };
            let (ratio, nanos) = (spread(ratio), spread(1.0));
            Row { name: name.into(), control, ratio, nanos, busy: 1.0, rate: 1.0 }
        };
        let of = |slow, quick| {
            vec![
                row("floor", false, 1.0),
                row("floor", true, 1.01),
                row("slow", false, slow),
                row("quick", false, quick),
            ]
        };
        let points = ["64x16x1".parse().unwrap(), "64x16x16".parse().unwrap()];
        let [a, b] = points;
        let svg = svg(&[(a, of(2.0, 3.0)), (b, of(12.0, 1.5))]).unwrap();
        let at = |text: &str| svg.find(text).unwrap_or_else(|| panic!("{text} in {svg}"));
        assert!(at(">quick<") < at(">slow<"));
        for value in [">2.00<", ">3.00<", ">12.0<", ">1.50<"] {
            at(value);
        }
        assert!(!svg.contains(">1.01<"), "controls are not in the plot");
    }
}
