//! A client over a serial port that is the TCP stream. Its arguments say what it does: `echo /echo`,
//! `listen /relay/ROOM`, `speak /relay/ROOM`, `mirror TARGET`, `ask TARGET`, where a target may have its host in front.
#![no_std]
#![no_main]

use board::{Uart, semihosting};
use core::fmt::{self, Write as _};
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
        "ask" => scenario::ask(uart, target, random, semihosting::print),
        "mirror" => scenario::mirror(uart, target, random),
        _ => Err(Failure::Unexpected("an argument: echo, listen, speak, mirror or ask")),
    };
    match done {
        Ok(()) => semihosting::print("\ndone\n"),
        Err(Failure::Socket(ref error)) => drop(writeln!(Host, "failed: {error}")),
        Err(Failure::Unexpected(what)) => drop(writeln!(Host, "failed: {what} did not come")),
    }
    done.is_ok()
}

/// The host's standard error.
struct Host;

impl fmt::Write for Host {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        semihosting::print(text);
        Ok(())
    }
}
