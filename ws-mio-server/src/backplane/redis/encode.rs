//! What is asked, as commands of Redis.

use std::time::Duration;

use super::names::{Part, Prefix, RoomNames};
use super::scripts::{Script, Scripts};
use crate::backplane::wire::{Append, Ask};
use crate::hub::Epoch;

/// The most bytes of messages in one answer; a message that is larger comes alone.
const MOST_BYTES: &str = "8388608";
/// A room keeps its messages no longer than this: ten years.
const MOST_AGE: u64 = 10 * 365 * 24 * 60 * 60 * 1000;
/// For how long it is known who is in a room in which that does not change.
const PRESENCE_LIFETIME: &str = "604800000";
/// What stands for "no key" in a message.
const NO_KEY: u16 = u16::MAX;

/// Writes a command as Redis reads it.
pub(super) fn command(parts: &[&[u8]], out: &mut Vec<u8>) {
    head(b'*', parts.len(), out);
    for part in parts {
        head(b'$', part.len(), out);
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

fn head(kind: u8, number: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Writes commands of one engine.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) prefix: Prefix,
    pub(super) scripts: Scripts,
    /// Whether channels are sharded.
    pub(super) is_cluster: bool,
}

impl Encoder {
    fn publish(&self) -> &'static [u8] {
        if self.is_cluster { b"SPUBLISH" } else { b"PUBLISH" }
    }

    fn script(&self, script: &Script, keys: &[Vec<u8>], arguments: &[&[u8]], out: &mut Vec<u8>) {
        let count = keys.len().to_string();
        let mut parts: Vec<&[u8]> = vec![b"EVALSHA", script.hash.as_bytes(), count.as_bytes()];
        parts.extend(keys.iter().map(Vec::as_slice));
        parts.extend(arguments);
        command(&parts, out);
    }

    /// Subscribes to rooms, or ends that. Returns how many commands it took.
    pub(super) fn subscriptions(&self, channels: &[&[u8]], end: bool, out: &mut Vec<u8>) -> usize {
        let name: &[u8] = match (self.is_cluster, end) {
            (false, false) => b"SUBSCRIBE",
            (false, true) => b"UNSUBSCRIBE",
            (true, false) => b"SSUBSCRIBE",
            (true, true) => b"SUNSUBSCRIBE",
        };
        if self.is_cluster {
            // One command may be about one slot only.
            channels.iter().for_each(|channel| command(&[name, channel], out));
            return channels.len();
        }
        command(&[&[name], channels].concat(), out);
        1
    }

    /// Writes what is asked, which goes to the link of a Redis of this run. An [`Ask::Attach`] is written as if it
    /// were subscribed; nothing is written for what subscriptions do alone.
    pub(super) fn ask(&self, ask: &Ask, run: u64, out: &mut Vec<u8>) {
        let run = &*run.to_string();
        match ask {
            Ask::Append(append) => self.append(append, run, out),
            Ask::Attach { room, after, run: known, most, epoch } => {
                let names = self.prefix.room(room);
                let keys = [Part::Room, Part::Log, Part::Keys, Part::Sent, Part::Who];
                let (seen, offset) = match after {
                    Some(id) => (id.epoch.to_string(), id.offset.to_string()),
                    None => (String::new(), "0".to_owned()),
                };
                let (epoch, known) = (Epoch::from_entropy(*epoch).to_string(), known.to_string());
                let most = most.to_string();
                let arguments = [run, &epoch, &seen, &offset, &known, &most, MOST_BYTES];
                let keys = keys.map(|part| names.key(part));
                self.script(&self.scripts.attach, &keys, &arguments.map(str::as_bytes), out);
            }
            Ask::Read { room, from, to, most, newest, epoch } => {
                let names = self.prefix.room(room);
                let keys = [Part::Room, Part::Log, Part::Keys, Part::Sent];
                let epoch = Epoch::from_entropy(*epoch).to_string();
                let (from, to, most) = (from.to_string(), to.to_string(), most.to_string());
                let newest = if *newest { "1" } else { "0" };
                let arguments = [run, &epoch, &from, &to, &most, MOST_BYTES, newest];
                let keys = keys.map(|part| names.key(part));
                self.script(&self.scripts.read, &keys, &arguments.map(str::as_bytes), out);
            }
            Ask::Whisper { room, from, payload } => {
                let payload = [b"W", from.as_bytes(), b"\0", payload].concat();
                command(&[self.publish(), &self.prefix.room(room).channel, &payload], out);
            }
            Ask::Present { room, node, users } => {
                let names = self.prefix.room(room);
                let counts: Vec<_> = users.iter().map(|(_, count)| count.to_string()).collect();
                let mut arguments: Vec<&[u8]> = vec![
                    &names.channel,
                    self.publish(),
                    node.as_bytes(),
                    PRESENCE_LIFETIME.as_bytes(),
                ];
                for ((user, _), count) in users.iter().zip(&counts) {
                    arguments.extend([user.as_bytes(), count.as_bytes()]);
                }
                self.script(&self.scripts.present, &[names.key(Part::Who)], &arguments, out);
            }
            Ask::People { room } => {
                command(&[b"HGETALL", &self.prefix.room(room).key(Part::Who)], out);
            }
            Ask::Sweep { room, node } => {
                let keys = [self.prefix.room(room).key(Part::Who)];
                self.script(&self.scripts.sweep, &keys, &[node.as_bytes()], out);
            }
            Ask::Renew { node, lease } => {
                let lease = millis(*lease).to_string();
                let arguments: [&[u8]; 2] = [node.as_bytes(), lease.as_bytes()];
                self.script(&self.scripts.renew, &[self.prefix.nodes()], &arguments, out);
            }
            Ask::Resign { node } => {
                command(&[b"ZREM", &self.prefix.nodes(), node.as_bytes()], out);
            }
            Ask::List { node, lease, rooms } => {
                let lease = millis(*lease).to_string();
                let counts: Vec<_> = rooms.iter().map(|(_, count)| count.to_string()).collect();
                let mut arguments: Vec<&[u8]> = vec![node.as_bytes(), lease.as_bytes()];
                for ((room, _), count) in rooms.iter().zip(&counts) {
                    arguments.extend([room.as_bytes(), count.as_bytes()]);
                }
                self.script(&self.scripts.list, &self.prefix.list(node), &arguments, out);
            }
            Ask::Unlist { node, most } => {
                let most = most.to_string();
                let arguments: [&[u8]; 2] = [node.as_bytes(), most.as_bytes()];
                self.script(&self.scripts.unlist, &self.prefix.list(node), &arguments, out);
            }
            Ask::Rooms { skip, most } => {
                let [rooms, ..] = self.prefix.list("");
                let (skip, most) = (skip.to_string(), most.to_string());
                let arguments: [&[u8]; 2] = [skip.as_bytes(), most.as_bytes()];
                self.script(&self.scripts.rooms, &[rooms], &arguments, out);
            }
            Ask::Listed { room } => {
                let [rooms, ..] = self.prefix.list("");
                command(&[b"ZSCORE", &rooms, room.as_bytes()], out);
            }
            Ask::Shout { from, payload } => {
                let payload = [from.as_bytes(), b"\0", payload].concat();
                command(&[b"PUBLISH", &self.prefix.all(), &payload], out);
            }
            Ask::Listen { .. } | Ask::Detach { .. } => {}
        }
    }

    fn append(&self, append: &Append, run: &str, out: &mut Vec<u8>) {
        let Append { room, user, key, name, content, at, keep, epoch } = append;
        let names: RoomNames = self.prefix.room(room);
        let keys = [Part::Room, Part::Log, Part::Keys, Part::Sent];
        let name = match (key, name) {
            (Some(key), _) => ["k", user, "\0", key].concat(),
            (None, Some(name)) => ["n", user, "\0", name].concat(),
            (None, None) => String::new(),
        };
        let digest =
            if name.is_empty() { String::new() } else { format!("{:016x}", digest(content)) };
        let age = millis(keep.age).min(MOST_AGE);
        // Who keeps nothing for any time keeps nothing.
        let count = if age == 0 { 0 } else { keep.count };
        let (epoch, at) = (Epoch::from_entropy(*epoch).to_string(), at.to_string());
        let (count, age, bytes) = (count.to_string(), age.to_string(), keep.bytes.to_string());
        let arguments: [&[u8]; 11] = [
            &names.channel,
            self.publish(),
            run.as_bytes(),
            epoch.as_bytes(),
            at.as_bytes(),
            name.as_bytes(),
            digest.as_bytes(),
            &body(user, key.as_deref(), content),
            count.as_bytes(),
            age.as_bytes(),
            bytes.as_bytes(),
        ];
        self.script(&self.scripts.append, &keys.map(|part| names.key(part)), &arguments, out);
    }
}

/// A message as it is kept and told: a version, the user and the key with their lengths, and the content.
fn body(user: &str, key: Option<&str>, content: &[u8]) -> Vec<u8> {
    // Names are far shorter; should they not be, they are cut where it does no harm to what follows.
    let short = |text: &str| {
        let len = u16::try_from(text.len()).unwrap_or(NO_KEY).min(NO_KEY.saturating_sub(1));
        let bytes = text.as_bytes().get(..usize::from(len)).unwrap_or_default().to_vec();
        (len, bytes)
    };
    let (user_len, user) = short(user);
    let (key_len, key) = key.map_or((NO_KEY, Vec::new()), short);
    let mut body = vec![1];
    body.extend_from_slice(&user_len.to_be_bytes());
    body.extend_from_slice(&user);
    body.extend_from_slice(&key_len.to_be_bytes());
    body.extend_from_slice(&key);
    body.extend_from_slice(content);
    body
}

/// FNV-1a: the same on every node, whatever it was built with.
fn digest(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What [`body`] has written: user, key and content.
pub(super) fn parse_body(body: &[u8]) -> Option<(&str, Option<&str>, &[u8])> {
    let (version, rest) = body.split_first()?;
    let (user, rest) = parse_name(rest)?;
    let (key, content) = parse_name(rest)?;
    (*version == 1).then_some((user?, key, content))
}

fn parse_name(bytes: &[u8]) -> Option<(Option<&str>, &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    match u16::from_be_bytes(*len) {
        NO_KEY => Some((None, rest)),
        len => {
            let (name, rest) = rest.split_at_checked(usize::from(len))?;
            Some((Some(std::str::from_utf8(name).ok()?), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{body, command, digest, parse_body};
    use proptest::prelude::*;

    #[test]
    fn commands_are_written_as_redis_reads_them() {
        let mut out = Vec::new();
        command(&[b"GET", b"a\r\n"], &mut out);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n");
    }

    #[test]
    fn digests_are_those_of_every_version() {
        assert_eq!(digest(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(b"foobar"), 0x8594_4171_f739_67e8);
    }

    proptest! {
        #[test]
        fn messages_are_read_as_they_are_written(user: String, key: Option<String>, content: Vec<u8>) {
            let written = body(&user, key.as_deref(), &content);
            prop_assert_eq!(parse_body(&written), Some((&*user, key.as_deref(), &*content)));
        }

        #[test]
        fn whatever_is_read_does_not_panic(bytes: Vec<u8>) {
            let _ = parse_body(&bytes);
        }
    }
}
