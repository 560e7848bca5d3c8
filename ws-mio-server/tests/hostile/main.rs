//! Peers that mean harm, against the program as it runs: what they do is withstood, others are served meanwhile,
//! and nothing is left of it: no memory, no descriptor, no connection, no work.
//!
//! What one attack is about and what it may cost stands in one table. Others have tests of their own: inflating
//! bombs (`bombs.rs`), half requests and rooms and peers that never read (`overload.rs`, `slow.rs`, `backpressure.rs`),
//! malformed heads and bodies (`handshake.rs`, `http.rs`), violations on a bare echo (`echo.rs`), ten thousand
//! who come and go (`churn.rs`), too few descriptors (`binary.rs`), half a TLS handshake (`tls.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

#[path = "../common/mod.rs"]
mod common;
mod floods;
mod holds;
#[path = "../common/program.rs"]
mod program;
mod words;

use std::io::{ErrorKind, Write as _};
use std::time::{Duration, Instant};
use std::{fs, thread};

use common::{Client, until};
use program::Program;
use socket2::{Domain, Socket, Type};

const MIB: usize = 1024 * 1024;

/// An attack, and what it may cost at the worst.
struct Attack {
    name: &'static str,
    run: fn(&Target),
    /// Resident memory, in bytes, beyond what there was before.
    memory: usize,
    /// Processor time, in hundredths of a second, of a build without optimization.
    work: u64,
}

const ATTACKS: &[Attack] = &[
    Attack {
        name: "pings of one that never reads",
        run: floods::pings,
        memory: 2 * MIB,
        work: 400,
    },
    Attack {
        name: "fragments of a byte, and of none",
        run: floods::fragments,
        memory: 4 * MIB,
        work: 300,
    },
    Attack {
        name: "compressed blocks of nothing",
        run: floods::empty_blocks,
        memory: 4 * MIB,
        work: 200,
    },
    Attack {
        name: "much that inflates, and is not read",
        run: floods::amplified,
        memory: 12 * MIB,
        work: 800,
    },
    Attack {
        name: "requests without end, and no answer read",
        run: floods::requests,
        memory: 4 * MIB,
        work: 200,
    },
    Attack { name: "a head by single bytes", run: floods::slow_heads, memory: 2 * MIB, work: 300 },
    Attack { name: "chunks of a byte", run: floods::chunks, memory: 4 * MIB, work: 300 },
    Attack { name: "guesses of the key", run: floods::guesses, memory: 4 * MIB, work: 200 },
    Attack { name: "a room for each message", run: floods::rooms, memory: 16 * MIB, work: 400 },
    Attack {
        name: "who comes and is reset, everywhere",
        run: floods::resets,
        memory: 4 * MIB,
        work: 400,
    },
    Attack { name: "giants that are declared", run: holds::giants, memory: 12 * MIB, work: 200 },
    Attack { name: "bodies that are declared", run: holds::bodies, memory: 4 * MIB, work: 200 },
    Attack {
        name: "streams that are never read",
        run: holds::streams,
        memory: 16 * MIB,
        work: 300,
    },
    Attack { name: "polls that nobody waits for", run: holds::polls, memory: 4 * MIB, work: 200 },
    Attack {
        name: "peers that have gone without a word",
        run: holds::silent,
        memory: 4 * MIB,
        work: 200,
    },
    Attack { name: "a Close, and no end", run: holds::closing, memory: 4 * MIB, work: 200 },
    Attack { name: "violations in rooms", run: words::violations, memory: 4 * MIB, work: 300 },
    Attack { name: "JSON that is none", run: words::json, memory: 12 * MIB, work: 300 },
    Attack { name: "offers of compression", run: words::offers, memory: 4 * MIB, work: 200 },
    Attack { name: "noise", run: words::noise, memory: 6 * MIB, work: 400 },
];

/// The program under attack.
struct Target {
    program: Program,
    tls: std::net::SocketAddr,
}

impl Target {
    fn start() -> Self {
        let mut arguments = vec!["--workers", "2", "--log-level", "error", "--max-message", "1MiB"];
        arguments.extend(["--handshake-timeout", "1s", "--close-timeout", "500ms"]);
        arguments.extend(["--stall-timeout", "1s", "--ping-interval", "500ms"]);
        arguments.extend(["--pong-timeout", "500ms", "--listen-tls", "127.0.0.1:0"]);
        arguments.push("--tls-self-signed");
        let program = Program::with(&arguments);
        let is_page = |line: &&String| line.contains("https://");
        let line = program.banner.iter().find(is_page).unwrap();
        let (_, address) = line.split_once("https://").unwrap();
        let tls = address.split('/').next().unwrap().parse().unwrap();
        Self { program, tls }
    }

    fn connect(&self) -> Client {
        Client::connect(self.program.address())
    }

    fn open(&self, path: &str) -> Client {
        self.program.open(path)
    }

    /// A connection for which no kernel keeps much, whose writes don't wait once it is open.
    fn narrow(&self) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        socket.set_send_buffer_size(8 * 1024).unwrap();
        socket.connect(&self.program.address().into()).unwrap();
        Client::of(socket.into())
    }

    /// The sum of a metric over its labels.
    fn metric(&self, name: &str) -> usize {
        let text = self.program.get("/metrics");
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_it = rest.starts_with(['{', ' ']);
            is_it.then(|| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        });
        values.sum()
    }

    /// Panics if others are not served at once.
    fn serves(&self) {
        let begun = Instant::now();
        self.open("/echo").echo("others are served");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "others wait for {took:?}");
    }

    /// Panics if others are not served at once, or if the server works though nothing happens.
    fn is_calm(&self) {
        self.serves();
        // What else is due now may take a moment.
        let is_idle = || {
            let before = self.program.processor_time();
            thread::sleep(Duration::from_millis(100));
            self.program.processor_time() - before <= 2
        };
        assert!((0..20).any(|_| is_idle()), "the server works, and nothing happens");
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.program.child.id())).unwrap().count()
    }

    /// The most memory that was resident since it was last asked to forget that, in bytes.
    fn peak(&self) -> usize {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.program.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }

    fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.program.child.id()), "5").unwrap();
    }

    /// Panics if the attack costs more than it may, or if something is left of it.
    fn withstands(&self, attack: &Attack) {
        self.forget_peak();
        let (memory, work) = (self.program.resident(), self.program.processor_time());
        let (descriptors, begun) = (self.descriptors(), Instant::now());
        (attack.run)(self);
        self.is_calm();
        // The one that asks is there.
        until("all are gone", || self.metric("wsmio_connections") == 1);
        for gauge in ["wsmio_websockets", "wsmio_event_streams", "wsmio_queued_bytes"] {
            assert_eq!(self.metric(gauge), 0, "{}: {gauge}", attack.name);
        }
        until("their descriptors are closed", || self.descriptors() == descriptors);
        let memory = self.peak().saturating_sub(memory);
        let work = self.program.processor_time() - work;
        let (name, took) = (attack.name, begun.elapsed());
        println!("{name}: {} KiB, {work}0 ms of work, in {took:?}", memory / 1024);
        assert!(memory < attack.memory, "{name}: {memory} bytes more");
        assert!(work < attack.work, "{name}: {work}0 ms of work");
    }
}

/// Writes something again and again, at most so often, until nobody has taken any of it for some time, or the
/// connection is gone: how many bytes went out.
fn pour(client: &mut Client, bytes: &[u8], times: usize) -> usize {
    client.stream.set_nonblocking(true).unwrap();
    let (mut written, mut since) = (0, Instant::now());
    while written < times * bytes.len() && since.elapsed() < Duration::from_millis(300) {
        match client.stream.write(&bytes[written % bytes.len()..]) {
            Ok(n) => {
                written += n;
                since = Instant::now();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(_) => break,
        }
    }
    client.stream.set_nonblocking(false).unwrap();
    written
}

#[test]
fn attacks_are_withstood_and_leave_nothing() {
    let target = Target::start();
    // What is got once from the system and kept does not count.
    for path in ["/echo", "/relay/a", "/chat/a"] {
        drop(target.open(path));
    }
    target.is_calm();
    let only = std::env::var("ATTACK").unwrap_or_default();
    for attack in ATTACKS.iter().filter(|attack| attack.name.contains(&only)) {
        target.withstands(attack);
    }
}
