//! Some seeds, and that a seed is a run.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

use simulation::{Plan, run, shrink};

/// What a seed comes to, on a thread of its own: the standard library's maps are seeded by thread.
fn traced(seed: u64) -> String {
    std::thread::spawn(move || run(&Plan::new(seed), true).trace).join().unwrap()
}

#[test]
fn a_seed_is_a_run_to_the_byte() {
    for seed in 0..8 {
        let (one, another) = (traced(seed), traced(seed));
        let lines = one.lines().zip(another.lines());
        if let Some((number, (one, another))) = (1..).zip(lines).find(|(_, (a, b))| a != b) {
            panic!("seed {seed}, line {number}:\n{one}\n{another}");
        }
        assert!(one == another && !one.is_empty(), "one goes on");
    }
}

#[test]
fn a_trace_changes_nothing() {
    let plan = Plan::new(3);
    assert_eq!(run(&plan, true).digest, run(&plan, false).digest);
}

#[test]
fn nothing_is_found() {
    let (mut deliveries, mut recovered) = (0, 0);
    for seed in 0..60 {
        let outcome = run(&Plan::new(seed), false);
        assert_eq!(outcome.found, None, "seed {seed}");
        deliveries += outcome.deliveries;
        recovered += outcome.recovered;
    }
    // It is looked at something.
    assert!(deliveries > 5000 && recovered > 10, "{deliveries} and {recovered}");
}

/// Seeds that failed, of which each has found something that is mended.
const FOUND: &[u64] = &[92610, 445043];

#[test]
fn what_was_found_is_not_found_again() {
    // 92610: more waited than may, where messages were joined that are delivered together.
    // 445043: a fault of the simulated member, which waited for good where the link was gone behind a Close.
    for &seed in FOUND {
        assert_eq!(run(&Plan::new(seed), false).found, None, "seed {seed}");
    }
}

#[test]
fn what_is_not_needed_is_left_out() {
    let plan = Plan::new(7);
    let all: Vec<_> = (0..plan.items.len()).collect();
    // A run that does not fail can't be made smaller by leaving out what is needed: here, nothing is.
    assert_eq!(run(&plan, false).found, None);
    assert_eq!(shrink(&plan, &all), all);
}
