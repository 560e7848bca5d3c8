//! What makes a server take memory, so that it can be seen to give it back.

use std::io::{Read, Write};
use std::net::TcpStream;

use benches::Result;
use benches::load::Burst;

/// So many connections are in the middle of a message at the same time.
const AT_ONCE: usize = 1000;
/// One connection of so many sends the largest message.
const RARE: usize = 100;

/// Each connection echoes a burst of small messages and a large one, some of them a very large one.
pub(crate) fn pass(streams: &mut [TcpStream]) -> Result<()> {
    let (small, large) = (Burst::new(16, 1024), Burst::new(1, 64 * 1024));
    for some in streams.chunks_mut(AT_ONCE) {
        some.iter_mut().try_for_each(|stream| stream.write_all(&small.sent))?;
        some.iter_mut().try_for_each(|stream| expect(stream, &small.due))?;
        in_halves(some.iter_mut(), &large)?;
    }
    in_halves(streams.iter_mut().step_by(RARE), &Burst::new(1, 1024 * 1024))
}

/// The first half of a message on all of them, then, one by one, the second.
fn in_halves<'a>(streams: impl Iterator<Item = &'a mut TcpStream>, message: &Burst) -> Result<()> {
    let (first, second) = message.sent.split_at(message.sent.len() / 2);
    let mut streams = streams.collect::<Vec<_>>();
    streams.iter_mut().try_for_each(|stream| stream.write_all(first))?;
    for stream in streams {
        stream.write_all(second)?;
        expect(stream, &message.due)?;
    }
    Ok(())
}

fn expect(stream: &mut TcpStream, due: &[u8]) -> Result<()> {
    let mut came = vec![0; due.len()];
    stream.read_exact(&mut came)?;
    if came == due { Ok(()) } else { Err("not what was sent".into()) }
}
