//! What the targets share: a bound on memory, and the oracles that need other crates than the one that is fuzzed.

mod inflate;
mod tungstenite;

use peak_alloc::PeakAlloc;

pub use inflate::inflate;
pub use tungstenite::tungstenite;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs a target whose input has `len` bytes: whatever it does, the oracle's own copies and logs included, takes at
/// most `times` that and `fixed` bytes.
pub fn within(len: usize, times: usize, fixed: usize, body: impl FnOnce()) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    body();
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let most = times.saturating_mul(len).saturating_add(fixed);
    assert!(taken <= most, "{len} bytes of input take {taken} bytes of memory, more than {most}");
}
