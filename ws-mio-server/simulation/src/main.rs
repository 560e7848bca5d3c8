//! Runs seeds: see `--help`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use clap::Parser;
use simulation::{Outcome, Plan, run, shrink};

/// Runs servers in a simulated world, one run for each seed, and tells what is wrong with what they do.
#[derive(Debug, Parser)]
struct Options {
    /// The seeds to run: `FROM..TO`, without the last
    #[arg(long, value_parser = range, default_value = "0..1000")]
    seeds: Range<u64>,
    /// One seed alone
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Only these items of its plan, by their numbers
    #[arg(long, value_delimiter = ',', requires = "seed")]
    keep: Option<Vec<usize>>,
    /// Prints all that happens
    #[arg(long, requires = "seed")]
    trace: bool,
    /// How many seeds run at a time
    #[arg(long, default_value = "2")]
    threads: usize,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let numbers = text.split_once("..");
    let numbers = numbers.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    numbers.ok_or_else(|| "FROM..TO is due, such as 0..10000".to_owned())
}

fn main() -> ExitCode {
    let options = Options::parse();
    // What panics is told as what was found.
    std::panic::set_hook(Box::new(|_| {}));
    match options.seed {
        Some(seed) => one(seed, &options),
        None => many(&options),
    }
}

fn one(seed: u64, options: &Options) -> ExitCode {
    let whole = Plan::new(seed);
    let all: Vec<_> = (0..whole.items.len()).collect();
    let kept = options.keep.as_deref().unwrap_or(&all);
    let plan = whole.only(kept);
    println!("seed {seed}: {:?}", plan.scale);
    for (number, item) in kept.iter().zip(&plan.items) {
        println!("{number:4}  {item}");
    }
    let outcome = run(&plan, options.trace);
    print!("{}", outcome.trace);
    let Outcome { digest, steps, deliveries, recovered, .. } = outcome;
    println!(
        "{steps} steps, {deliveries} deliveries, {recovered} recoveries, digest {digest:016x}"
    );
    match outcome.found {
        None => ExitCode::SUCCESS,
        Some(found) => {
            println!("FOUND  {found}");
            ExitCode::FAILURE
        }
    }
}

fn many(options: &Options) -> ExitCode {
    let next = AtomicU64::new(options.seeds.start);
    let is_over = AtomicBool::new(false);
    let sums = Mutex::new(BTreeMap::<_, u64>::new());
    thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= options.seeds.end {
                        return;
                    }
                    let outcome = run(&Plan::new(seed), false);
                    if let Ok(mut sums) = sums.lock() {
                        let Outcome { steps, deliveries, recovered, .. } = outcome;
                        for (name, count) in [
                            ("seeds", 1),
                            ("steps", steps),
                            ("deliveries", deliveries),
                            ("recoveries", recovered),
                        ] {
                            let sum = sums.entry(name).or_default();
                            *sum = sum.saturating_add(count);
                        }
                    }
                    if let Some(found) = outcome.found
                        && !is_over.swap(true, Ordering::Relaxed)
                    {
                        tell(seed, &found);
                    }
                }
            });
        }
    });
    let sums = sums.into_inner().unwrap_or_default();
    let sums: Vec<_> = sums.iter().map(|(name, sum)| format!("{sum} {name}")).collect();
    println!("{}", sums.join(", "));
    match is_over.into_inner() {
        true => ExitCode::FAILURE,
        false => {
            println!("nothing was found");
            ExitCode::SUCCESS
        }
    }
}

/// Tells of a seed that fails, with the command that shows it in as little as that takes.
fn tell(seed: u64, found: &str) {
    println!("seed {seed}: FOUND  {found}");
    let plan = Plan::new(seed);
    let all: Vec<_> = (0..plan.items.len()).collect();
    let kept: Vec<_> = shrink(&plan, &all).iter().map(usize::to_string).collect();
    let (items, kept) = (kept.len(), kept.join(","));
    println!("{items} of {} things that happen are enough for it to fail:", all.len());
    println!("cargo run --profile simulation -p simulation -- --seed {seed} --keep {kept} --trace");
}
