//! Memory for the tests, which allocate. The core does not.

use talc::TalcLock;
use talc::source::Claim;

/// What lies idle of the board's memory: 16 MiB behind what the linker scripts hand out.
#[cfg(target_arch = "arm")]
const BASE: usize = 0x2100_0000;
#[cfg(target_arch = "riscv32")]
const BASE: usize = 0x8100_0000;
const LEN: usize = 16 << 20;

#[global_allocator]
// SAFETY: there is memory, and nothing else uses it.
static HEAP: TalcLock<Alone, Claim> = TalcLock::new(unsafe { Claim::new(BASE as *mut u8, LEN) });

/// A lock among one: there is one core, and no interrupt is served.
struct Alone;

// SAFETY: nobody is there to be kept out.
unsafe impl lock_api::RawMutex for Alone {
    const INIT: Self = Self;
    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {}

    fn try_lock(&self) -> bool {
        true
    }

    unsafe fn unlock(&self) {}
}
