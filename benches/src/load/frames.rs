//! Messages as they go over the wire, made here and not by the code that is measured.

use crate::Numbers;

/// A burst of binary messages: what is sent, and what comes back of it byte for byte.
#[derive(Debug)]
pub struct Burst {
    /// Masked frames.
    pub sent: Vec<u8>,
    /// The same messages in unmasked frames.
    pub due: Vec<u8>,
}

impl Burst {
    /// So many messages of so many bytes, none like another, each masked with another key.
    #[must_use]
    pub fn new(messages: usize, size: usize) -> Self {
        let (mut sent, mut due) = (Vec::new(), Vec::new());
        let mut numbers = Numbers(size as u64);
        let mut next = move || numbers.next().unwrap_or(0);
        for _ in 0..messages {
            let key = (next() as u32).to_ne_bytes();
            let payload = crate::noise(next(), size);
            header(0, size, &mut due);
            due.extend(&payload);
            header(0x80, size, &mut sent);
            sent.extend(key);
            sent.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        Self { sent, due }
    }
}

/// The first bytes of a whole binary message (RFC 6455 §5.2), up to the masking key.
fn header(mask: u8, size: usize, out: &mut Vec<u8>) {
    out.push(0x82);
    match size {
        0..=125 => out.push(mask | size as u8),
        126..=0xffff => {
            out.push(mask | 126);
            out.extend((size as u16).to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend((size as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Burst;
    use ws_proto::handshake::Agreed;
    use ws_proto::{Config, Connection, Event, Input, Scratch, Server};

    #[test]
    fn what_is_due_is_what_a_server_would_send() {
        for size in [0, 125, 126, 65_535, 65_536] {
            let mut burst = Burst::new(2, size);
            let mut server = Connection::new(Server, Config::default(), Agreed::elsewhere());
            let (mut scratch, mut out) = (Scratch::new(), Vec::new());
            let mut input = Input::new(&mut burst.sent, &mut scratch);
            while let Some(event) = server.next_event(&mut input).unwrap() {
                let Event::Binary(part) = event else { panic!("{event:?}") };
                assert!(part.first && part.last);
                server.send(part.data, true, &mut out).unwrap();
            }
            assert_eq!(out, burst.due, "{size}");
        }
    }
}
