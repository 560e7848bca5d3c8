//! Arm MPS2: a Cortex-M3 or M4, a CMSDK UART, a clock and Ethernet.

mod clock;
mod ethernet;

pub use clock::Clock;
pub use ethernet::{Ethernet, MAX_FRAME};

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};

core::arch::global_asm!(
    ".section .vectors, \"a\"",
    ".word stack_top, reset + 1",
    ".text",
    ".thumb_func",
    ".global reset",
    "reset:",
    "bl {start}",
    start = sym super::start,
);

const UART0: usize = 0x4000_4000;
const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CTRL: usize = 0x08;
const INTERRUPTS: usize = 0x0c;
const BAUDDIV: usize = 0x10;
/// Interrupt set-enable and clear-pending registers; the port's receive interrupt is number 0.
const NVIC_ENABLE: usize = 0xe000_e100;
const NVIC_UNPEND: usize = 0xe000_e280;
/// The longest sleep while nothing comes, in milliseconds.
const NAP_MS: u32 = 10;

fn peek(address: usize) -> u32 {
    // SAFETY: a device register of this board, aligned.
    unsafe { (address as *const u32).read_volatile() }
}

fn poke(address: usize, value: u32) {
    // SAFETY: a device register of this board, aligned; none of those used here touches memory.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// None is served: they only wake the core.
fn mask_interrupts() {
    // SAFETY: there is no handler that would have to run.
    unsafe { core::arch::asm!("cpsid i", options(nomem, nostack)) };
}

/// Sleeps until an enabled interrupt is pending. It stays pending, as it is masked, so none is missed.
fn wait_for_interrupt() {
    // SAFETY: only waits.
    unsafe { core::arch::asm!("wfi", options(nomem, nostack)) };
}

/// The first serial port.
#[derive(Debug)]
pub struct Uart(());

impl Uart {
    /// Switches the port on.
    pub fn new() -> Self {
        mask_interrupts();
        poke(UART0 + BAUDDIV, 16);
        // Transmit, receive, interrupt when something has come.
        poke(UART0 + CTRL, 0b1011);
        poke(NVIC_ENABLE, 1);
        Self(())
    }

    fn has_byte(&self) -> bool {
        peek(UART0 + STATE) & 2 != 0
    }
}

impl Default for Uart {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    /// Sleeps until a byte has come, then takes what is there.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        while !self.has_byte() {
            // The limit is for QEMU, which may not look for the next byte until a timer ends.
            clock::sleep(NAP_MS);
            // In this order: a byte that comes behind the second makes the interrupt pending anew.
            poke(NVIC_UNPEND, 1);
            poke(UART0 + INTERRUPTS, 2);
        }
        let mut n = 0;
        for to in buffer {
            if !self.has_byte() {
                break;
            }
            [*to, ..] = peek(UART0 + DATA).to_le_bytes();
            n += 1;
        }
        Ok(n)
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_byte())
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            while peek(UART0 + STATE) & 1 != 0 {}
            poke(UART0 + DATA, u32::from(*byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
