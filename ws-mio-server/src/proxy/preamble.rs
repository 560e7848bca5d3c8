//! The header of the PROXY protocol, versions 1 and 2, with which a connection of a proxy begins.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// With this a header of version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, its line end included.
const LONGEST_LINE: usize = 107;
/// The most bytes behind the fixed part of version 2 that are accepted; proxies send some dozens.
const LONGEST: usize = 2048;

/// A header, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preamble {
    /// Whom the proxy speaks for; `None`: for itself, as for a health check, or it does not know.
    pub(crate) client: Option<SocketAddr>,
    /// Bytes of the header.
    pub(crate) len: usize,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PreambleError {
    Missing,
    Malformed,
    TooLong,
}

impl fmt::Display for PreambleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the connection does not begin with a PROXY protocol header",
            Self::Malformed => "the PROXY protocol header is malformed",
            Self::TooLong => "the PROXY protocol header is too long",
        })
    }
}

/// Reads the header that `bytes` begin with; `None`: it has not come in whole.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Preamble>, PreambleError> {
    let begins = |start: &[u8]| bytes.iter().zip(start).all(|(a, b)| a == b);
    if begins(&SIGNATURE) {
        version_2(bytes)
    } else if begins(b"PROXY ") {
        version_1(bytes)
    } else {
        Err(PreambleError::Missing)
    }
}

fn version_1(bytes: &[u8]) -> Result<Option<Preamble>, PreambleError> {
    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        let too_long = bytes.len() >= LONGEST_LINE;
        return if too_long { Err(PreambleError::TooLong) } else { Ok(None) };
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.and_then(|line| str::from_utf8(line).ok()).ok_or(PreambleError::Malformed)?;
    let client = match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family, source, target, source_port, target_port] => {
            let parsed = |address: &str| address.parse::<IpAddr>().ok();
            let (Some(source), Some(target)) = (parsed(source), parsed(target)) else {
                return Err(PreambleError::Malformed);
            };
            let right = match *family {
                "TCP4" => source.is_ipv4() && target.is_ipv4(),
                "TCP6" => source.is_ipv6() && target.is_ipv6(),
                _ => false,
            };
            match (right, port(source_port), port(target_port)) {
                (true, Some(port), Some(_)) => Some(SocketAddr::new(source, port)),
                _ => return Err(PreambleError::Malformed),
            }
        }
        _ => return Err(PreambleError::Malformed),
    };
    Ok(Some(Preamble { client, len: end.saturating_add(1) }))
}

/// Decimal digits without a leading zero.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

fn version_2(bytes: &[u8]) -> Result<Option<Preamble>, PreambleError> {
    let Some((&[command, family, high, low], rest)) =
        bytes.get(SIGNATURE.len()..).and_then(|rest| rest.split_first_chunk())
    else {
        return Ok(None);
    };
    let due = usize::from(u16::from_be_bytes([high, low]));
    if due > LONGEST {
        return Err(PreambleError::TooLong);
    }
    let speaks_for_itself = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(PreambleError::Malformed),
    };
    let Some(body) = rest.get(..due) else { return Ok(None) };
    let len = SIGNATURE.len().saturating_add(4).saturating_add(due);
    let client = match family {
        _ if speaks_for_itself => None,
        0x11 => Some(of_v4(body).ok_or(PreambleError::Malformed)?),
        0x21 => Some(of_v6(body).ok_or(PreambleError::Malformed)?),
        // Not TCP over IP: accepted, but nobody is known.
        _ => None,
    };
    Ok(Some(Preamble { client, len }))
}

/// Source, target, and their ports.
fn of_v4(body: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = body.split_first_chunk::<4>()?;
    let [_, _, _, _, high, low, _, _] = *rest.first_chunk::<8>()?;
    Some(SocketAddr::new(Ipv4Addr::from(*source).into(), u16::from_be_bytes([high, low])))
}

fn of_v6(body: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = body.split_first_chunk::<16>()?;
    let (_, ports) = rest.split_first_chunk::<16>()?;
    let [high, low, _, _] = *ports.first_chunk::<4>()?;
    Some(SocketAddr::new(Ipv6Addr::from(*source).into(), u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Preamble, PreambleError, SIGNATURE, parse};
    use proptest::prelude::*;

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &len, body].concat()
    }

    /// Reads a header with a request behind it, whole and byte by byte.
    fn read(header: &[u8]) -> Option<String> {
        let all = [header, b"GET / HTTP/1.1\r\n"].concat();
        for end in 0..header.len() {
            assert_eq!(parse(&all[..end]), Ok(None), "{end} bytes of {header:?}");
        }
        let Preamble { client, len } = parse(&all).unwrap().unwrap();
        assert_eq!(len, header.len());
        client.map(|client| client.to_string())
    }

    #[test]
    fn headers_of_both_versions_tell_the_client() {
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(read(b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n"), of("192.0.2.1:4711"));
        assert_eq!(read(b"PROXY TCP6 2001:db8::1 ::1 65535 0\r\n"), of("[2001:db8::1]:65535"));
        assert_eq!(read(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(read(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
        let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
        assert_eq!(read(&header(0x21, 0x11, &v4)), of("192.0.2.1:4711"));
        assert_eq!(read(&header(0x20, 0x11, &v4)), None);
        assert_eq!(read(&header(0x20, 0, &[])), None);
        assert_eq!(read(&header(0x21, 0x31, &[0; 216])), None);
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 1;
        v6[33] = 7;
        assert_eq!(read(&header(0x21, 0x21, &v6)), of("[2001::1]:7"));
        // What is behind the addresses is skipped.
        let extended = [&v4[..], &[4, 0, 3, 1, 2, 3]].concat();
        assert_eq!(read(&header(0x21, 0x11, &extended)), of("192.0.2.1:4711"));
    }

    #[test]
    fn what_is_no_header_is_refused_at_once() {
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        let unending = vec![b'x'; LONGEST + 1];
        for (bytes, error) in [
            (&b"GET / HTTP/1.1\r\n"[..], PreambleError::Missing),
            (b"P ", PreambleError::Missing),
            (b"\r\n\r\nG", PreambleError::Missing),
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\n", PreambleError::Malformed),
            (b"PROXY TCP4 ::1 10.0.0.1 1 2\r\n", PreambleError::Malformed),
            (b"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", PreambleError::Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", PreambleError::Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", PreambleError::Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 +2\r\n", PreambleError::Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", PreambleError::Malformed),
            (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", PreambleError::Malformed),
            (b"PROXY \r\n", PreambleError::Malformed),
            (&long, PreambleError::TooLong),
            (&header(0x22, 0x11, &[0; 12]), PreambleError::Malformed),
            (&header(0x11, 0x11, &[0; 12]), PreambleError::Malformed),
            (&header(0x21, 0x11, &[0; 11]), PreambleError::Malformed),
            (&header(0x21, 0x21, &[0; 35]), PreambleError::Malformed),
            (&header(0x21, 0x11, &unending), PreambleError::TooLong),
        ] {
            assert_eq!(parse(bytes), Err(error), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn any_split_comes_to_the_same(
            start in prop::sample::select(vec![
                Vec::new(),
                SIGNATURE.to_vec(),
                b"PROXY ".to_vec(),
                b"PROXY TCP4 1.2.3.4 ".to_vec(),
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..150),
        ) {
            let bytes = [start, rest].concat();
            let whole = parse(&bytes);
            for end in 0..bytes.len() {
                let part = parse(&bytes[..end]);
                prop_assert!(part == Ok(None) || part == whole, "{end}: {part:?}, {whole:?}");
            }
        }
    }
}
