//! How deep the stack went.

use super::{stack_limit, stack_top};

const PAINT: u32 = 0x5afe_c0de;

/// Fills what is free of the stack, down to its limit, to see later what was used.
#[inline(never)]
pub fn paint() {
    let here = 0u32;
    // SAFETY: from behind the last static variable to well below this frame, nothing is in use.
    unsafe {
        let mut at = &raw mut stack_limit;
        let end = (&raw const here).sub(16);
        while at.cast_const() < end {
            at.write_volatile(PAINT);
            at = at.add(1);
        }
    }
}

/// Bytes of stack that were in use at once, from its very top to the deepest that anything went since [`paint`].
#[inline(never)]
pub fn peak() -> usize {
    // SAFETY: the stack's memory, as in `paint`; of its top only the address is taken.
    unsafe {
        let mut at = &raw const stack_limit;
        while at.read_volatile() == PAINT {
            at = at.add(1);
        }
        (&raw const stack_top as usize).saturating_sub(at as usize)
    }
}

/// Prints the peak of the stack, without `buffers` bytes of it, and the bytes of a connection's state.
pub fn tell(buffers: usize, state: usize) {
    for number in [peak().saturating_sub(buffers), state] {
        let mut digits = [b' '; 6];
        let mut left = number;
        for digit in digits.iter_mut().rev().skip(1) {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        super::semihosting::print(core::str::from_utf8(&digits).unwrap_or_default());
    }
    super::semihosting::print("\n");
}
