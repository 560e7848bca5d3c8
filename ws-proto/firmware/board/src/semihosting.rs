//! What QEMU does for the image: text, arguments, time, and the end (Arm IHI 0067, RISC-V the same).

/// Asks the host for `operation`.
fn call(operation: usize, parameter: *const usize) -> usize {
    let mut result = operation;
    #[cfg(target_arch = "arm")]
    // SAFETY: the host reads, and for some operations writes, what `parameter` points to, which the callers have
    // laid out as the operation asks.
    unsafe {
        core::arch::asm!("bkpt 0xab", inout("r0") result, in("r1") parameter, options(nostack));
    }
    #[cfg(target_arch = "riscv32")]
    // SAFETY: as above; these three instructions, uncompressed, are the call.
    unsafe {
        core::arch::asm!(
            ".option push", ".option norvc", ".balign 16",
            "slli x0, x0, 0x1f", "ebreak", "srai x0, x0, 7",
            ".option pop",
            inout("a0") result, in("a1") parameter, options(nostack)
        );
    }
    result
}

/// Prints text on QEMU's standard error.
pub fn print(text: &str) {
    for byte in text.bytes() {
        call(0x03, (&raw const byte).cast());
    }
}

/// [`print`] for formatted text.
#[derive(Debug)]
pub struct Host;

impl core::fmt::Write for Host {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        print(text);
        Ok(())
    }
}

/// Centiseconds since the run began.
pub fn centiseconds() -> u32 {
    call(0x10, core::ptr::null()) as u32
}

/// Microseconds or so of entropy that differ from run to run, as this board has no random numbers. Not for
/// anything real.
pub fn seed() -> u32 {
    (call(0x11, core::ptr::null()) as u32).wrapping_mul(0x9e37_79b9) ^ centiseconds()
}

/// The command line, what `arg=` gave QEMU, separated by spaces.
pub fn arguments(buffer: &mut [u8]) -> &str {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    if call(0x15, block.as_mut_ptr()) != 0 {
        return "";
    }
    buffer.get(..block[1]).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
}

/// Ends QEMU: with status 0 for success, else 1.
pub fn exit(success: bool) -> ! {
    // Application exit, or a run-time error, with a subcode where there is room for one.
    let reason = if success { 0x2_0026 } else { 0x2_0023usize };
    #[cfg(target_arch = "arm")]
    call(0x18, reason as *const usize);
    #[cfg(target_arch = "riscv32")]
    call(0x18, reason as *const usize);
    loop {
        core::hint::spin_loop();
    }
}
