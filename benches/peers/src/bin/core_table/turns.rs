//! Who does the same work takes turns, and tables are made of what the turns took.

use std::fmt;
use std::time::{Duration, Instant};

/// How long a turn is.
const TURN: Duration = Duration::from_millis(1);
const ROUNDS: usize = 101;

/// One way to do a piece of work.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) work: Box<dyn FnMut()>,
}

impl Contender {
    pub(crate) fn new(name: &'static str, work: impl FnMut() + 'static) -> Self {
        Self { name, work: Box::new(work) }
    }
}

/// All ways to do one piece of work; the first is what the others are compared with.
pub(crate) struct Column {
    pub(crate) title: String,
    /// What one call of `work` does: so many frames, or bytes.
    pub(crate) per_call: usize,
    pub(crate) contenders: Vec<Contender>,
}

/// Columns that have a line for each name.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) columns: Vec<Column>,
}

/// What a table has.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Nanoseconds,
    /// Gigabytes a second.
    Throughput,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nanoseconds => "ns",
            Self::Throughput => "GB/s",
        })
    }
}

/// What one contender took: nanoseconds for each frame or byte, and that as a multiple of the first.
struct Taken {
    name: &'static str,
    nanos: f64,
    ratio: f64,
}

/// Measures all tables, and prints a line of each for each name.
pub(crate) fn print(tables: Vec<Table>) {
    let mut heads = Vec::new();
    let mut all = Vec::new();
    for Table { title, unit, columns } in tables {
        let titles = columns.iter().map(|column| column.title.clone()).collect::<Vec<_>>();
        heads.push((title, unit, titles));
        all.extend(columns);
    }
    let mut measured = measure(all).into_iter();
    for (title, unit, titles) in heads {
        let columns = measured.by_ref().take(titles.len()).collect::<Vec<_>>();
        println!("{title}, {unit}:\n");
        print_one(unit, &titles, &columns);
        println!();
    }
}

fn print_one(unit: Unit, titles: &[String], measured: &[Vec<Taken>]) {
    let mut names: Vec<&str> = Vec::new();
    for taken in measured.iter().flatten() {
        if !names.contains(&taken.name) {
            names.push(taken.name);
        }
    }
    println!("| | {} |", titles.join(" | "));
    println!("|---|{}", "---|".repeat(titles.len()));
    for (line, name) in names.iter().enumerate() {
        print!("| {name} |");
        for column in measured {
            match column.iter().find(|taken| taken.name == *name) {
                None => print!(" |"),
                Some(taken) if line == 0 => print!(" **{}** |", value(unit, taken.nanos)),
                Some(taken) => print!(" {} ({:.2}×) |", value(unit, taken.nanos), taken.ratio),
            }
        }
        println!();
    }
}

fn value(unit: Unit, nanos: f64) -> String {
    match unit {
        Unit::Nanoseconds if nanos < 100.0 => format!("{nanos:.2}"),
        Unit::Nanoseconds => format!("{nanos:.0}"),
        Unit::Throughput => format!("{:.1}", 1.0 / nanos),
    }
}

/// A round goes through all columns, so that what is measured of each is spread over the whole time.
fn measure(columns: Vec<Column>) -> Vec<Vec<Taken>> {
    let mut random = 1u64;
    let mut turns = columns.into_iter().map(Turns::of).collect::<Vec<_>>();
    for _ in 0..ROUNDS {
        for column in &mut turns {
            column.round(&mut random);
        }
    }
    turns.into_iter().map(Turns::taken).collect()
}

/// One column, and what each turn of its rounds took. The first contender has two turns in each; the second
/// is its control, and the last of a round.
struct Turns {
    column: Column,
    /// How many calls make a turn of each contender.
    calls: Vec<usize>,
    rounds: Vec<Vec<f64>>,
}

impl Turns {
    fn of(mut column: Column) -> Self {
        let calls = column.contenders.iter_mut().map(calls).collect();
        Self { column, calls, rounds: Vec::with_capacity(ROUNDS) }
    }

    fn round(&mut self, random: &mut u64) {
        let Column { per_call, contenders, .. } = &mut self.column;
        let control = contenders.len();
        let mut turns = (0..=control).collect::<Vec<_>>();
        for last in (1..turns.len()).rev() {
            *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            turns.swap(last, (*random >> 33) as usize % (last + 1));
        }
        let mut round = vec![0.0; turns.len()];
        for turn in turns {
            let who = if turn == control { 0 } else { turn };
            let (work, calls) = (&mut contenders[who].work, self.calls[who]);
            // A call to bring back what it needs into the caches.
            work();
            let started = Instant::now();
            for _ in 0..calls {
                work();
            }
            round[turn] = started.elapsed().as_nanos() as f64 / (calls * *per_call) as f64;
        }
        self.rounds.push(round);
    }

    /// Whoever else runs on the same core makes everything slower for seconds, and nothing faster: so a figure
    /// is the lower quartile, and a ratio, of two turns beside each other, the median.
    fn taken(self) -> Vec<Taken> {
        let contenders = &self.column.contenders;
        let names = contenders.iter().map(|contender| contender.name).chain(["(the first again)"]);
        let taken = names.enumerate().map(|(turn, name)| Taken {
            name,
            nanos: quantile(0.25, self.rounds.iter().map(|round| round[turn])),
            ratio: quantile(0.5, self.rounds.iter().map(|round| round[turn] / round[0])),
        });
        taken.collect()
    }
}

/// How many calls make a turn.
fn calls(contender: &mut Contender) -> usize {
    let mut calls = 1;
    loop {
        let started = Instant::now();
        for _ in 0..calls {
            (contender.work)();
        }
        if started.elapsed() >= TURN / 2 {
            return calls * 2;
        }
        calls *= 2;
    }
}

fn quantile(part: f64, values: impl Iterator<Item = f64>) -> f64 {
    let mut values = values.collect::<Vec<_>>();
    values.sort_by(f64::total_cmp);
    values[(values.len() as f64 * part) as usize]
}
