//! How many cases the property tests try.

use proptest::test_runner::Config;

/// 10,000 where `CI=true`, else a tenth. What fails becomes a test of its own, not a file of seeds.
pub(crate) fn cases() -> Config {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let cases = if ci { 10_000 } else { 1_000 };
    Config { cases, failure_persistence: None, ..Config::default() }
}
