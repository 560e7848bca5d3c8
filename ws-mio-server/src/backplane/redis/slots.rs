//! Slots of a Redis Cluster: which one a room is in, and where it is.

use redis::Value;

/// How many there are.
pub(super) const SLOTS: u16 = 16384;

/// CRC-16/XMODEM, by which a Cluster spreads its keys.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// The slot of keys that have this text between their first braces.
pub(super) fn slot_of(tag: &[u8]) -> u16 {
    crc16(tag) & (SLOTS - 1)
}

/// Slots from one to another, both included, and the host and port of their master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) host: String,
    pub(super) port: u16,
}

/// What `CLUSTER SLOTS` answers. A node that does not know its own name has the one that was asked.
pub(super) fn parse_slots(answer: &Value, asked: &str) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else { return None };
    ranges.iter().map(|range| parse_range(range, asked)).collect()
}

fn parse_range(range: &Value, asked: &str) -> Option<Range> {
    let Value::Array(fields) = range else { return None };
    let [from, to, Value::Array(master), ..] = fields.as_slice() else { return None };
    let [host, port, ..] = master.as_slice() else { return None };
    let number = |value: &Value| match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    };
    let (from, to) = (number(from)?, number(to)?);
    if from > to || to >= SLOTS {
        return None;
    }
    let host = match host {
        Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
        Value::SimpleString(host) => host.clone(),
        Value::Nil => String::new(),
        _ => return None,
    };
    let host = if host.is_empty() || host == "?" { asked.to_owned() } else { host };
    Some(Range { from, to, host, port: number(port)? })
}

/// Where a slot has gone, of the rest of an error `MOVED` or `ASK`: `SLOT HOST:PORT`.
pub(super) fn parse_redirect(rest: &str, asked: &str) -> Option<(u16, String, u16)> {
    let (slot, address) = rest.split_once(' ')?;
    let slot = slot.parse().ok().filter(|slot| *slot < SLOTS)?;
    let (host, port) = address.rsplit_once(':')?;
    let host = if host.is_empty() || host == "?" { asked } else { host };
    Some((slot, host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Range, parse_redirect, parse_slots, slot_of};
    use redis::Value;

    #[test]
    fn slots_are_those_of_redis() {
        // As `CLUSTER KEYSLOT` says.
        assert_eq!(slot_of(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"foo"), 12182);
        assert_eq!(slot_of(b""), 0);
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn ranges_of_slots_have_their_masters() {
        let master = |host| Value::Array(vec![host, Value::Int(7000), bulk("id")]);
        let range = |to, host| Value::Array(vec![Value::Int(0), Value::Int(to), master(host)]);
        let parsed = |to, host| parse_slots(&Value::Array(vec![range(to, host)]), "asked");
        let expected =
            |host: &str| Some(vec![Range { from: 0, to: 9, host: host.to_owned(), port: 7000 }]);
        assert_eq!(parsed(9, bulk("a")), expected("a"));
        assert_eq!(parsed(9, Value::Nil), expected("asked"));
        assert_eq!(parsed(9, bulk("")), expected("asked"));
        assert_eq!(parsed(16384, bulk("a")), None);
        assert_eq!(parsed(-1, bulk("a")), None);
        assert_eq!(parsed(9, Value::Int(1)), None);
        assert_eq!(parse_slots(&Value::Okay, "asked"), None);
    }

    #[test]
    fn redirects_name_slot_and_address() {
        let parsed = |rest| parse_redirect(rest, "asked");
        assert_eq!(parsed("5 10.0.0.1:7000"), Some((5, "10.0.0.1".to_owned(), 7000)));
        assert_eq!(parsed("5 :7000"), Some((5, "asked".to_owned(), 7000)));
        assert_eq!(parsed("5 ::1:7000"), Some((5, "::1".to_owned(), 7000)));
        for wrong in ["", "5", "5 a", "16384 a:1", "x a:1", "5 a:70000"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
