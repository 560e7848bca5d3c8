//! Two boards that QEMU has: start-up code, a serial port, a clock, and a way to end with a status.
//!
//! An image defines `main` with [`entry`]. Its arguments come from QEMU's command line, by semihosting, and so
//! go its lines of text and its status.
#![no_std]

#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(target_arch = "arm")]
mod mps2;
pub mod semihosting;
pub mod stack;
#[cfg(target_arch = "riscv32")]
mod virt;

#[cfg(target_arch = "arm")]
pub use mps2::{Clock, Ethernet, MAX_FRAME, Uart};
#[cfg(target_arch = "riscv32")]
pub use virt::Uart;

/// Names the function that the image consists of: `fn() -> bool`, true for success.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        fn image() -> bool {
            $main()
        }
    };
}

unsafe extern "Rust" {
    safe fn image() -> bool;
}

unsafe extern "C" {
    static mut data_start: u32;
    static mut data_end: u32;
    static data_load: u32;
    static mut bss_start: u32;
    static mut bss_end: u32;
    static mut stack_limit: u32;
    static stack_top: u32;
}

/// Comes from the start-up code, on a fresh stack.
extern "C" fn start() -> ! {
    // SAFETY: the linker script puts these around the sections, aligned to words; nothing else runs yet.
    unsafe {
        let (mut to, end, mut from) =
            (&raw mut data_start, &raw mut data_end, &raw const data_load);
        while to < end {
            to.write_volatile(from.read());
            (to, from) = (to.add(1), from.add(1));
        }
        let (mut to, end) = (&raw mut bss_start, &raw mut bss_end);
        while to < end {
            to.write_volatile(0);
            to = to.add(1);
        }
    }
    semihosting::exit(image())
}

#[cfg(not(feature = "no-panic-handler"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::print("panicked\n");
    semihosting::exit(false)
}
