//! Time: a counter of milliseconds, and sleep that ends in time.

use super::{peek, poke};

/// A free-running counter in the board's FPGA, behind a divider of its 25 MHz.
const COUNTER: usize = 0x4002_8018;
const PRESCALE: usize = 0x4002_801c;
const TICKS_PER_MS: u32 = 25_000;

/// The core's own timer, which counts down at 25 MHz, and the register that withdraws its interrupt.
const SYSTICK: usize = 0xe000_e010;
const CONTROL: usize = 0x0;
const RELOAD: usize = 0x4;
const CURRENT: usize = 0x8;
const ICSR: usize = 0xe000_ed04;
const WITHDRAW_SYSTICK: u32 = 1 << 25;
/// As many milliseconds as its 24 bits can count.
const LONGEST_MS: u32 = 600;

/// The board's clock.
#[derive(Debug)]
pub struct Clock {
    /// What the counter was, and how often it had begun again.
    last: u32,
    turns: u32,
}

impl Clock {
    /// Starts the clock.
    pub fn new() -> Self {
        super::mask_interrupts();
        poke(PRESCALE, TICKS_PER_MS - 1);
        Self { last: 0, turns: 0 }
    }

    /// Milliseconds since any moment. Ask at least every 49 days, in which the counter turns once.
    pub fn now(&mut self) -> u64 {
        let now = peek(COUNTER);
        if now < self.last {
            self.turns += 1;
        }
        self.last = now;
        u64::from(self.turns) << 32 | u64::from(now)
    }

    /// Sleeps until an interrupt comes, so many milliseconds at most. It may end earlier.
    pub fn sleep(&self, ms: u32) {
        sleep(ms);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// [`Clock::sleep`], without a clock.
pub(super) fn sleep(ms: u32) {
    let ms = ms.min(LONGEST_MS);
    if ms == 0 {
        return;
    }
    poke(SYSTICK + RELOAD, ms * TICKS_PER_MS - 1);
    poke(SYSTICK + CURRENT, 0);
    // On, with its interrupt, at the core's clock.
    poke(SYSTICK + CONTROL, 0b111);
    super::wait_for_interrupt();
    poke(SYSTICK + CONTROL, 0);
    poke(ICSR, WITHDRAW_SYSTICK);
}
