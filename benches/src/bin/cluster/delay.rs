//! The time that a message takes from a member on one node to one on another, beside what Redis alone takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use benches::{Result, open};

use super::Cluster;
use super::options::Options;
use super::wire::{frame, next};

/// A connection, and what came behind what was looked at.
struct Hears {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Hears {
    fn new(stream: TcpStream) -> Self {
        Self { stream, bytes: Vec::new() }
    }

    /// Reads frames up to one of text in which `what` stands.
    fn until(&mut self, what: &str) -> Result<()> {
        loop {
            while let Some(((_, payload), rest)) = next(&self.bytes) {
                let is_it = String::from_utf8_lossy(payload).contains(what);
                self.bytes = rest.to_vec();
                if is_it {
                    return Ok(());
                }
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                return Err(format!("the node has closed the connection before {what:?}").into());
            }
            self.bytes.extend_from_slice(&buffer[..count]);
        }
    }

    /// Reads so many bytes.
    fn exactly(&mut self, count: usize) -> Result<()> {
        self.bytes.resize(count, 0);
        Ok(self.stream.read_exact(&mut self.bytes)?)
    }
}

/// One message after the other, in turns with one that is published to a subscriber of Redis.
pub(super) fn run(options: &Options, cluster: &mut Cluster) -> Result<usize> {
    let (Some(redis), [one, other, ..]) = (&cluster.redis, cluster.nodes.as_slice()) else {
        return Err("delay wants two nodes or more, and a backplane".into());
    };
    let member = |address: &str, user: &str| -> Result<Hears> {
        Ok(Hears::new(open(address, &format!("/chat/room-0?username={user}"), "")?))
    };
    let mut hears = member(&other.address.to_string(), "hears")?;
    let mut says = member(&one.address.to_string(), "says")?;
    hears.until(r#""joined""#)?;
    says.until(r#""joined""#)?;
    let at = ("127.0.0.1", redis.port);
    let (mut publisher, mut subscriber) =
        (Hears::new(TcpStream::connect(at)?), Hears::new(TcpStream::connect(at)?));
    publisher.stream.set_nodelay(true)?;
    subscriber.stream.write_all(b"*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nbare\r\n")?;
    subscriber.exactly(33)?;
    let publish = format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nbare\r\n$100\r\n{}\r\n", "x".repeat(100));
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    for number in 0.. {
        if begun.elapsed() > Duration::from_secs(options.seconds) {
            break;
        }
        let now = Instant::now();
        publisher.stream.write_all(publish.as_bytes())?;
        subscriber.exactly(135)?;
        bare.push(now.elapsed());
        publisher.exactly(4)?;
        let said = format!("{number:0>100}");
        let mut message = Vec::new();
        let text = format!(r#"{{"type":"message","content":"{said}"}}"#);
        frame(0x81, text.as_bytes(), &mut message);
        let now = Instant::now();
        says.stream.write_all(&message)?;
        hears.until(&said)?;
        ours.push(now.elapsed());
        says.until(&said)?;
        // Nothing is on its way when the next one begins.
        thread::sleep(Duration::from_micros(200));
    }
    let (ours, bare) = (parts(ours), parts(bare));
    println!("one message at a time, of 100 bytes, for {} s, in microseconds", options.seconds);
    println!("  a member to one on another node      p50 {:>6.0}   p99 {:>6.0}", ours[0], ours[1]);
    println!("  PUBLISH to a subscriber of Redis     p50 {:>6.0}   p99 {:>6.0}", bare[0], bare[1]);
    println!(
        "  times                                p50 {:>6.2}   p99 {:>6.2}",
        ours[0] / bare[0],
        ours[1] / bare[1]
    );
    Ok(0)
}

/// The median, and what 99 of 100 are below.
fn parts(mut all: Vec<Duration>) -> [f64; 2] {
    all.sort_unstable();
    [50, 99].map(|part| all[(all.len() * part / 100).min(all.len() - 1)].as_secs_f64() * 1e6)
}
