//! Who does the same work takes turns, and a table is made of the medians.

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

/// Measures all columns, and prints a line for each name.
pub(crate) fn print(unit: Unit, columns: Vec<Column>) {
    let (mut titles, mut measured) = (Vec::new(), Vec::new());
    for column in columns {
        titles.push(column.title.clone());
        measured.push(measure(column));
    }
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
        for column in &measured {
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

/// The first has two turns in each round; the second is its control.
fn measure(column: Column) -> Vec<Taken> {
    let Column { per_call, mut contenders, .. } = column;
    let calls = contenders.iter_mut().map(calls).collect::<Vec<_>>();
    let control = contenders.len();
    let mut turns = (0..=control).collect::<Vec<_>>();
    let mut rounds = Vec::with_capacity(ROUNDS);
    let mut random = 1u64;
    for _ in 0..ROUNDS {
        for last in (1..turns.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            turns.swap(last, (random >> 33) as usize % (last + 1));
        }
        let mut round = vec![0.0; turns.len()];
        for &turn in &turns {
            let who = if turn == control { 0 } else { turn };
            let (work, calls) = (&mut contenders[who].work, calls[who]);
            // A call to bring back what it needs into the caches.
            work();
            let started = Instant::now();
            for _ in 0..calls {
                work();
            }
            round[turn] = started.elapsed().as_nanos() as f64 / (calls * per_call) as f64;
        }
        rounds.push(round);
    }
    let name =
        |turn: usize| if turn == control { "(the first again)" } else { contenders[turn].name };
    let taken = (0..=control).map(|turn| Taken {
        name: name(turn),
        nanos: median(rounds.iter().map(|round| round[turn])),
        ratio: median(rounds.iter().map(|round| round[turn] / round[0])),
    });
    taken.collect()
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

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values = values.collect::<Vec<_>>();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
