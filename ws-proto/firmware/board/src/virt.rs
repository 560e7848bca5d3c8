//! QEMU's virt machine: a 32-bit RISC-V core and an NS16550 UART.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};

core::arch::global_asm!(
    ".section .vectors, \"ax\"",
    ".global reset",
    "reset:",
    "la sp, stack_top",
    "j {start}",
    start = sym super::start,
);

const UART0: usize = 0x1000_0000;
const DATA: usize = 0;
const LINE_STATUS: usize = 5;

fn peek(offset: usize) -> u8 {
    // SAFETY: a register of the port.
    unsafe { ((UART0 + offset) as *const u8).read_volatile() }
}

/// The first serial port.
#[derive(Debug)]
pub struct Uart(());

impl Uart {
    /// The port, which is on from the start.
    pub fn new() -> Self {
        Self(())
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
    /// Waits until a byte has come, then takes what is there.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        while peek(LINE_STATUS) & 1 == 0 {}
        let mut n = 0;
        for to in buffer {
            if peek(LINE_STATUS) & 1 == 0 {
                break;
            }
            *to = peek(DATA);
            n += 1;
        }
        Ok(n)
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(peek(LINE_STATUS) & 1 != 0)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            while peek(LINE_STATUS) & 0x20 == 0 {}
            // SAFETY: the data register of the port.
            unsafe { ((UART0 + DATA) as *mut u8).write_volatile(*byte) };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
