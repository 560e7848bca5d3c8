//! A client over TCP on Ethernet, by smoltcp. Its arguments are the port of the server, on the host that runs QEMU,
//! and what it does: `echo /echo`, `listen /relay/ROOM`, `speak /relay/ROOM`.
#![no_std]
#![no_main]

use board::semihosting::{self, Host};
use core::fmt::Write as _;
use net::{HOST, Memory, Network, SocketStorage};
use scenario::{Failure, Random};

board::entry!(main);

/// Bytes of the longest message: many times all buffers together.
const LONG: usize = 200_000;

fn main() -> bool {
    let done = visit();
    match &done {
        Ok(()) => semihosting::print("done\n"),
        Err(failure) => drop(writeln!(Host, "failed: {failure}")),
    }
    done.is_ok()
}

fn visit() -> Result<(), Failure<net::Error>> {
    let mut buffer = [0; 256];
    let mut arguments = semihosting::arguments(&mut buffer).split(' ');
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or_default();
    let (what, target) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or("/"));
    let seed = semihosting::seed();
    let random = &mut Random::new(seed);

    let (mut received, mut sent, mut socket) = ([0; 2048], [0; 2048], [SocketStorage::EMPTY]);
    let memory = Memory { received: &mut received, sent: &mut sent, socket: &mut socket };
    let mut network = Network::new(memory, seed).map_err(Failure::Stream)?;
    let mut stream = network.connect(HOST, port).map_err(Failure::Stream)?;
    match what {
        "echo" => scenario::echo(&mut stream, target, random, LONG)?,
        "listen" => {
            scenario::listen(&mut stream, target, random, || semihosting::print("joined\n"))?;
        }
        "speak" => scenario::speak(&mut stream, target, random)?,
        _ => return Err(Failure::Unexpected("an argument: echo, listen or speak")),
    }
    stream.end().map_err(Failure::Stream)
}
