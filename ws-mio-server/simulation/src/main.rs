//! Runs seeds: see `--help`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use clap::Parser;
use simulation::{Outcome, Plan, run, shrink};
use ws_mio_server::simulation::unix_millis;

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
    /// No seed is begun after this time, such as `90m`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    within: Option<Duration>,
    /// A line on the run is appended to this file: when it began, what was built, the first seed and the one behind the
    /// last, seconds, threads, and what was found
    #[arg(long, value_name = "FILE", requires = "commit", conflicts_with = "seed")]
    log: Option<PathBuf>,
    /// What was built, for that line
    #[arg(long)]
    commit: Option<String>,
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
    // The real one: on this thread nothing is simulated.
    let begun = unix_millis();
    let next = AtomicU64::new(options.seeds.start);
    let (is_over, is_late) = (AtomicBool::new(false), AtomicBool::new(false));
    let found = Mutex::new(None);
    let sums = Mutex::new(BTreeMap::<_, u64>::new());
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for _ in 0..options.threads.max(1) {
            threads.push(scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) && !is_late.load(Ordering::Relaxed) {
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
                    if let Some(what) = outcome.found
                        && !is_over.swap(true, Ordering::Relaxed)
                    {
                        tell(seed, &what);
                        if let Ok(mut found) = found.lock() {
                            *found = Some(format!("seed {seed}: {what}"));
                        }
                    }
                }
            }));
        }
        while let Some(within) = options.within
            && threads.iter().any(|thread| !thread.is_finished())
        {
            thread::sleep(Duration::from_millis(100));
            let runs = Duration::from_millis(unix_millis().saturating_sub(begun));
            is_late.store(runs >= within, Ordering::Relaxed);
        }
    });
    let runs = unix_millis().saturating_sub(begun) / 1000;
    let end = next.into_inner().min(options.seeds.end);
    let sums = sums.into_inner().unwrap_or_default();
    let sums: Vec<_> = sums.iter().map(|(name, sum)| format!("{sum} {name}")).collect();
    println!("{} in {runs} s, up to {end}", sums.join(", "));
    let found = found.into_inner().unwrap_or_default();
    if let Some(log) = &options.log {
        let began = UNIX_EPOCH.checked_add(Duration::from_millis(begun)).unwrap_or(UNIX_EPOCH);
        let began = humantime::format_rfc3339_seconds(began);
        let commit = options.commit.as_deref().unwrap_or_default();
        let (start, threads) = (options.seeds.start, options.threads.max(1));
        let found = found.as_deref().unwrap_or("nothing");
        let line = format!("{began}\t{commit}\t{start}\t{end}\t{runs}\t{threads}\t{found}\n");
        let file = File::options().append(true).create(true).open(log);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("{}: {error}", log.display());
            return ExitCode::FAILURE;
        }
    }
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
