//! The vectors of the core's tests by section, on target: the same source as on the host, in both roles and in chunks
//! of every size.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../../../tests/harness/mod.rs"]
mod harness;
mod heap;
#[path = "../../../tests/vectors/mod.rs"]
mod vectors;

use board::semihosting::{self, Host};
use core::fmt::Write as _;
use core::panic::PanicInfo;

board::entry!(main);

fn main() -> bool {
    let mut all = 0;
    for end in harness::End::BOTH {
        for (name, section) in vectors::SECTIONS {
            // One section at a time, for the memory's sake.
            let all_of_it = section(end);
            all_of_it.iter().for_each(vectors::Vector::check);
            let _ = writeln!(Host, "{end:?}, {name}: {} vectors", all_of_it.len());
            all += all_of_it.len();
        }
    }
    let _ = writeln!(Host, "{all} vectors, usize of {} bits", usize::BITS);
    all > 0
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Host, "{info}");
    semihosting::exit(false)
}
