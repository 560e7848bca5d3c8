//! A client over a serial port that is the TCP stream. Its arguments say what it does: `echo /echo`,
//! `listen /relay/ROOM`, `speak /relay/ROOM`.
#![no_std]
#![no_main]

use board::Uart;
use board::semihosting::{self, Host};
use core::fmt::Write as _;
use scenario::{Failure, Random};

board::entry!(main);

/// Bytes of the longest message: many times the buffers. QEMU hands over one byte at a time, slowly.
const LONG: usize = 10_000;

fn main() -> bool {
    let mut buffer = [0; 256];
    let mut arguments = semihosting::arguments(&mut buffer).split(' ');
    let (what, target) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or("/"));
    let (uart, random) = (Uart::new(), &mut Random::new(semihosting::seed()));
    let done = match what {
        "echo" => scenario::echo(uart, target, random, LONG),
        "listen" => scenario::listen(uart, target, random, || semihosting::print("joined\n")),
        "speak" => scenario::speak(uart, target, random),
        _ => Err(Failure::Unexpected("an argument: echo, listen or speak")),
    };
    match &done {
        Ok(()) => semihosting::print("done\n"),
        Err(failure) => drop(writeln!(Host, "failed: {failure}")),
    }
    done.is_ok()
}
