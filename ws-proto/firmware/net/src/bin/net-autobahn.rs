//! An echo client for `wstest -m fuzzingserver`, over TCP by smoltcp: it runs every case that the server has to
//! offer, one after the other. Its arguments are the server's port, on the host that runs QEMU, and its own name
//! in the report. How well it does is not for it to say: it fails only if a connection could not be made.
#![no_std]
#![no_main]

use board::semihosting::{self, Host};
use core::fmt::{self, Write as _};
use heapless::String;
use net::{HOST, Memory, Network, SocketStorage};
use scenario::{Failure, Random};

board::entry!(main);

/// Bytes of the window, each way.
const WINDOW: usize = 8 * 1024;

fn main() -> bool {
    let done = run();
    if let Err(failure) = &done {
        let _ = writeln!(Host, "failed: {failure}");
    }
    done.is_ok()
}

/// A target behind its host's name.
fn target(port: u16, path: fmt::Arguments<'_>) -> String<128> {
    let mut target = String::new();
    // What is too long is cut, and refused by the server.
    let _ = write!(target, "{HOST}:{port}{path}");
    target
}

fn run() -> Result<(), Failure<net::Error>> {
    let mut buffer = [0; 128];
    let mut arguments = semihosting::arguments(&mut buffer).split(' ');
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or_default();
    let agent = arguments.next().unwrap_or("firmware");
    let seed = semihosting::seed();
    let random = &mut Random::new(seed);

    let (mut received, mut sent) = ([0; WINDOW], [0; WINDOW]);
    let mut socket = [SocketStorage::EMPTY];
    let memory = Memory { received: &mut received, sent: &mut sent, socket: &mut socket };
    let mut network = Network::new(memory, seed).map_err(Failure::Stream)?;

    let mut count = 0u32;
    let at = target(port, format_args!("/getCaseCount"));
    let stream = network.connect(HOST, port).map_err(Failure::Stream)?;
    scenario::ask(stream, &at, random, |text| count = text.parse().unwrap_or_default())?;
    if count == 0 {
        return Err(Failure::Unexpected("the number of cases"));
    }
    for case in 1..=count {
        let at = target(port, format_args!("/runCase?case={case}&agent={agent}"));
        let mut stream = network.connect(HOST, port).map_err(Failure::Stream)?;
        scenario::mirror(&mut stream, &at, random)?;
        // The suite may drop a connection at any time, and knows best whether that was right.
        let _ = stream.end();
    }
    let at = target(port, format_args!("/updateReports?agent={agent}"));
    let mut stream = network.connect(HOST, port).map_err(Failure::Stream)?;
    scenario::mirror(&mut stream, &at, random)?;
    let _ = stream.end();
    Ok(())
}
