//! One member of the crowd.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use benches::{Result, open};
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use super::Said;

/// A member, across its connections.
pub(super) struct Member {
    number: usize,
    stream: Option<TcpStream>,
    /// What has come, and is not a whole frame.
    inbound: Vec<u8>,
    /// The last id that it saw.
    last: Option<(String, u64)>,
    /// How many of the messages to come are those that it missed.
    missed: u64,
    /// Where it began.
    first: u64,
    /// What was said and not acknowledged.
    unacknowledged: VecDeque<String>,
}

impl Member {
    pub(super) const fn new(number: usize) -> Self {
        Self {
            number,
            stream: None,
            inbound: Vec::new(),
            last: None,
            missed: 0,
            first: 0,
            unacknowledged: VecDeque::new(),
        }
    }

    pub(super) const fn is_here(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether it has got so many messages, or was told that it has not, and all of its own are acknowledged.
    pub(super) fn has_all(&self, messages: u64) -> bool {
        self.is_here()
            && self.unacknowledged.is_empty()
            && self.last.as_ref().is_some_and(|(_, offset)| *offset == self.first + messages)
    }

    /// Joins, for the first time or again, and says again what was not acknowledged.
    pub(super) fn join(&mut self, address: &str, poll: &Poll) -> Result<()> {
        let mut target = format!("/chat/crowd?username=member-{}", self.number);
        if let Some((epoch, offset)) = &self.last {
            target = format!("{target}&since={epoch}:{offset}");
        }
        let stream = open(address, &target, "")?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(self.number), Interest::READABLE)?;
        self.stream = Some(stream);
        self.inbound.clear();
        for content in self.unacknowledged.clone() {
            self.send(&content)?;
        }
        Ok(())
    }

    /// Is cut off; what has come and was not read is lost to it.
    pub(super) fn cut(&mut self, reset: bool) {
        if let Some(stream) = self.stream.take().filter(|_| reset) {
            let linger = Some(Duration::ZERO);
            let _ = rustix::net::sockopt::set_socket_linger(&stream, linger);
        }
    }

    pub(super) fn say(&mut self, content: &str, said: &mut Said) -> Result<()> {
        said.moments.insert(content.to_owned(), Instant::now());
        self.unacknowledged.push_back(content.to_owned());
        self.send(content)
    }

    fn send(&mut self, content: &str) -> Result<()> {
        let text = format!(r#"{{"type":"message","content":"{content}","clientId":"{content}"}}"#);
        let len = u8::try_from(text.len()).ok().filter(|len| *len < 126).ok_or("too long")?;
        // A mask of nothing but zeros leaves the payload as it is.
        let frame = [&[0x81, 0x80 | len, 0, 0, 0, 0], text.as_bytes()].concat();
        match self.stream.as_mut().map(|stream| stream.write(&frame)) {
            None => Ok(()),
            Some(Ok(sent)) if sent == frame.len() => Ok(()),
            other => Err(format!("member {} can't send: {other:?}", self.number).into()),
        }
    }

    /// Reads all that has come.
    pub(super) fn read(&mut self, said: &mut Said) -> Result<()> {
        let mut buffer = [0; 64 * 1024];
        loop {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            match stream.read(&mut buffer) {
                Ok(0) => return Err(format!("member {} was closed", self.number).into()),
                Ok(n) => self.inbound.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            let inbound = std::mem::take(&mut self.inbound);
            let mut rest = inbound.as_slice();
            while let Some((frame, behind)) = frame(rest) {
                rest = behind;
                match frame {
                    (0x81, text) => self.hear(std::str::from_utf8(text)?, said)?,
                    (start, _) => {
                        return Err(format!("member {} got {start:#x}", self.number).into());
                    }
                }
            }
            self.inbound = rest.to_vec();
        }
    }

    fn hear(&mut self, text: &str, said: &mut Said) -> Result<()> {
        let wrong = |what: &str| Err(format!("member {}: {what}: {text}", self.number).into());
        let id = || {
            let (epoch, offset) = between(text, "\"id\":\"", "\"")?.split_once(':')?;
            Some((epoch, offset.parse::<u64>().ok()?))
        };
        if text.starts_with(r#"{"type":"message""#) {
            let Some((epoch, offset)) = id() else { return wrong("no id") };
            let Some((known, last)) = &self.last else { return wrong("not joined") };
            if known != epoch || offset != last + 1 {
                return wrong(&format!("not the one behind {last}"));
            }
            let Some(content) = between(text, "\"content\":\"", "\"") else {
                return wrong("empty");
            };
            let before = said.contents.entry(offset).or_insert_with(|| content.to_owned());
            if before != content {
                return wrong(&format!("others got {before}"));
            }
            said.deliveries += 1;
            if self.missed > 0 {
                self.missed -= 1;
            } else if let Some(at) = said.moments.get(content) {
                said.delays.push(u32::try_from(at.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            self.last = Some((epoch.to_owned(), offset));
        } else if text.starts_with(r#"{"type":"joined""#) {
            let Some((epoch, position)) = id() else { return wrong("no id") };
            let missed = between(text, "\"missed\":", ",").and_then(|n| n.parse::<u64>().ok());
            match (&self.last, missed) {
                (None, None) => {
                    self.first = position;
                    self.last = Some((epoch.to_owned(), position));
                }
                (Some((known, last)), Some(missed)) => {
                    self.missed = missed;
                    if text.contains("\"recovered\":true") {
                        if known != epoch || last + missed != position {
                            return wrong(&format!("not behind {last}"));
                        }
                        said.recovered += 1;
                        said.missed += missed;
                    } else {
                        said.lost += 1;
                        self.last = Some((epoch.to_owned(), position - missed));
                    }
                }
                _ => return wrong("not the answer that is due"),
            }
        } else if text.starts_with(r#"{"type":"ack""#) {
            let Some(content) = between(text, "\"clientId\":\"", "\"") else {
                return wrong("empty");
            };
            self.unacknowledged.retain(|waiting| waiting != content);
        } else if !text.starts_with(r#"{"type":"system""#)
            && !text.starts_with(r#"{"type":"history""#)
        {
            return wrong("not expected");
        }
        Ok(())
    }
}

fn between<'t>(text: &'t str, before: &str, behind: &str) -> Option<&'t str> {
    Some(text.split_once(before)?.1.split_once(behind)?.0)
}

type Frame<'b> = (u8, &'b [u8]);

/// The first frame, if all of it has come, and what is behind it.
fn frame(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (start, len, rest) = match bytes {
        [start, 126, a, b, rest @ ..] => (*start, usize::from(u16::from_be_bytes([*a, *b])), rest),
        [start, 127, rest @ ..] => {
            let (len, rest) = rest.split_first_chunk()?;
            (*start, usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
        }
        [start, len @ 0..=125, rest @ ..] => (*start, usize::from(*len), rest),
        _ => return None,
    };
    let (payload, behind) = rest.split_at_checked(len)?;
    Some(((start, payload), behind))
}
