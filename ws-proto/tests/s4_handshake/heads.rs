//! Heads as raw bytes (RFC 9112): every row of the policy, at every chunk size.

use super::refusals::Answer;
use super::{ACCEPT, NONCE, REQUEST};
use crate::harness::{self, End, FIN, Got, Log, TEXT, Wire, frame, server_conn};
use ws_proto::Config;
use ws_proto::handshake::head::{self, HeadError, HeadReader};
use ws_proto::handshake::{Ask, Choice, HandshakeError, Pending, Upgrade};

/// A request as bytes: a line and fields.
fn raw(line: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("{line}\r\n{}\r\n", fields.collect::<String>()).into_bytes()
}

fn good() -> Vec<u8> {
    raw("GET /chat HTTP/1.1", &REQUEST)
}

/// Gives the reader all that has come after each chunk; the length of the head.
pub(crate) fn end_of(
    mut reader: HeadReader,
    bytes: &[u8],
    size: usize,
) -> Result<Option<usize>, HeadError> {
    for come in (size..bytes.len()).step_by(size).chain([bytes.len()]) {
        if let Some(end) = reader.end(&bytes[..come])? {
            // Neither does it change when more comes.
            assert_eq!(reader.end(bytes), Ok(Some(end)));
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// The status with which a host answers these bytes.
fn status_in_chunks(bytes: &[u8], size: usize) -> u16 {
    let end = match end_of(HeadReader::request(), bytes, size) {
        Ok(Some(end)) => end,
        // The peer has to hurry: Request Timeout.
        Ok(None) => return 408,
        Err(error) => return error.status(),
    };
    let request = match head::request(&bytes[..end]) {
        Ok(request) if request.minor_version == 1 => request,
        Ok(_) => return 400,
        Err(error) => return error.status(),
    };
    let mut wire = Wire::default();
    match Upgrade::parse(request.method, &request.fields) {
        Ok(upgrade) => {
            upgrade.accept(Choice::default(), &mut wire).unwrap();
            101
        }
        Err(reject) => {
            reject.write(&mut wire).unwrap();
            let answer = Answer::of(wire.bytes);
            assert!(answer.status.contains(&reject.status().to_string()));
            reject.status()
        }
    }
}

fn status(bytes: &[u8]) -> u16 {
    let whole = status_in_chunks(bytes, bytes.len().max(1));
    for size in 1..bytes.len() {
        let split = status_in_chunks(bytes, size);
        assert_eq!(split, whole, "{} in chunks of {size}", bytes.escape_ascii());
    }
    whole
}

#[test]
fn a_request_is_read_at_every_chunk_size() {
    assert_eq!(status(&good()), 101);
    assert_eq!(status(&raw("GET /chat?a=b&c=%20 HTTP/1.1", &REQUEST)), 101);
    // Empty lines before the first are skipped (RFC 9112 §2.2).
    assert_eq!(status(&[b"\r\n\r\n", &good()[..]].concat()), 101);
}

#[test]
fn the_parts_of_a_request_are_those_that_were_sent() {
    let bytes = b"GET /a%20b?c HTTP/1.1\r\nHost:a\r\nX-Y:  \t b \xff c\t \r\nEmpty:\r\n\r\n";
    let request = head::request(bytes).unwrap();
    assert_eq!((request.method, request.target), ("GET", "/a%20b?c"));
    assert_eq!(request.minor_version, 1);
    let fields: Vec<_> = request.fields.iter().map(|field| (field.name, field.value)).collect();
    assert_eq!(fields, [("Host", &b"a"[..]), ("X-Y", b"b \xff c"), ("Empty", b"")]);
    let old = head::request(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!((old.minor_version, old.fields.len()), (0, 0));
}

#[test]
fn refused_requests() {
    let first = |line: &str| raw(line, &REQUEST);
    let with = |field: &str| [&good()[..good().len() - 2], field.as_bytes(), b"\r\n\r\n"].concat();
    for (bytes, expected) in [
        // Versions.
        (first("GET /chat HTTP/1.0"), 400),
        (first("GET /chat HTTP/2.0"), 505),
        (first("GET /chat HTTP/1.2"), 505),
        (first("GET /chat HTTP/3"), 505),
        (first("GET /chat HTTP/0.9"), 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 505),
        (first("GET /chat"), 400),
        (first("GET /chat HTTPS/1.1"), 400),
        (first("GET /chat http/1.1"), 400),
        (first("GET /chat XHTTP/1.1"), 400),
        (first("GET /chat "), 400),
        // The first line.
        (first("GET"), 400),
        (first(" GET /chat HTTP/1.1"), 400),
        (first("GET  /chat HTTP/1.1"), 400),
        (first("GET  HTTP/1.1"), 400),
        (first("GET /ch\tat HTTP/1.1"), 400),
        (first("GET /chat  HTTP/1.1"), 400),
        (first("GET /chat HTTP/1.1 "), 400),
        (first("GET HTTP/2 now"), 400),
        (first("GET\t/chat\tHTTP/1.1"), 400),
        (first("G@T /chat HTTP/1.1"), 400),
        (first(""), 400),
        // Methods.
        (first("POST /chat HTTP/1.1"), 405),
        (first("get /chat HTTP/1.1"), 405),
        // Line ends and control characters.
        (with("X: a\0b"), 400),
        (with("X: a\rb"), 400),
        (with("X: a\nb"), 400),
        (with("X: a\x0bb"), 400),
        (with("X: a\x7fb"), 400),
        (with("X\0: a"), 400),
        (good().into_iter().filter(|byte| *byte != b'\r').collect(), 400),
        (good().into_iter().filter(|byte| *byte != b'\n').collect(), 400),
        ([b"\n", &good()[..]].concat(), 400),
        ([&good()[..good().len() - 2], b"\n"].concat(), 400),
        ([&good()[..good().len() - 2], b"\r\r\n"].concat(), 400),
        // Names.
        (with("X : a"), 400),
        (with("X\t: a"), 400),
        (with(": a"), 400),
        (with("X"), 400),
        (with("X Y: a"), 400),
        (with("X(Y): a"), 400),
        (with(" folded"), 400),
        (with("X: a\r\n folded"), 400),
        (with("X: a\r\n\tfolded"), 400),
        (raw("GET /chat HTTP/1.1\r\n folded", &REQUEST), 400),
        // Fields, for which the tests over fields are the complete ones.
        (with("Host: b.example"), 400),
        (with("Content-Length: 3"), 400),
        (with("Transfer-Encoding: chunked"), 400),
        (with("Sec-WebSocket-Version: 13"), 400),
        (raw("GET /chat HTTP/1.1", &REQUEST[1..]), 400),
        (raw("GET /chat HTTP/1.1", &REQUEST[..1]), 426),
        (raw("GET /chat HTTP/1.1", &[]), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client".to_vec(), 400),
        // What is not complete.
        (good()[..good().len() - 1].to_vec(), 408),
        (good()[..good().len() - 2].to_vec(), 408),
        (b"\r\n\r\n\r\n".to_vec(), 408),
        (b"GET /chat HTTP/1.1\r".to_vec(), 408),
        (b"G".to_vec(), 408),
        (Vec::new(), 408),
    ] {
        assert_eq!(status(&bytes), expected, "{}", bytes.escape_ascii());
    }
}

/// Found where it stands, not at the end of the head that may never come.
#[test]
fn an_illegal_byte_is_refused_at_once() {
    for byte in (0..=31u8).chain([127]).filter(|byte| !b"\t\r\n".contains(byte)) {
        for start in
            ["", "GE", "GET /ch", "GET /chat HT", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nX: "]
        {
            let bytes = [start.as_bytes(), &[byte]].concat();
            let mut reader = HeadReader::request();
            assert_eq!(reader.end(start.as_bytes()), Ok(None));
            assert_eq!(reader.end(&bytes), Err(HeadError::Control), "{start:?} {byte:#x}");
            // It is final.
            let more = [&bytes[..], b"\r\n\r\n"].concat();
            assert_eq!(reader.end(&more), Err(HeadError::Control));
            assert_eq!(HeadError::Control.status(), 400);
        }
    }
    for bad in ["\n", "GET / HTTP/1.1\n", "GET /\rx", "GET / HTTP/1.1\r\n\rx", "GET / HTTP/1.1\r\r"]
    {
        assert_eq!(
            end_of(HeadReader::request(), bad.as_bytes(), 1),
            Err(HeadError::LineEnd),
            "{bad:?}"
        );
    }
}

/// Policy: frames that arrive in the same read as the request are handled, in order, after the 101.
#[test]
fn frames_right_behind_the_request_are_the_connections() {
    let frames = [frame(End::Server, FIN | TEXT, b"one"), frame(End::Server, FIN | TEXT, b"two")];
    let bytes = [good(), frames.concat()].concat();
    for size in 1..=bytes.len() {
        let end = end_of(HeadReader::request(), &bytes, size).unwrap().unwrap();
        assert_eq!(end, good().len(), "in chunks of {size}");
        let request = head::request(&bytes[..end]).unwrap();
        let mut wire = Wire::default();
        Upgrade::parse(request.method, &request.fields)
            .unwrap()
            .accept(Choice::default(), &mut wire)
            .unwrap();
        let mut log = Log::default();
        harness::read(&mut server_conn(Config::default()), &bytes[end..], &mut log);
        assert_eq!(log.got, [Got::text("one"), Got::text("two")]);
    }
}

/// A client and a server of this crate, over raw bytes.
#[test]
fn client_and_server_agree() {
    let ask = Ask { target: "/chat", subprotocols: &["a", "b"], ..Ask::default() };
    let mut wire = Wire::default();
    let pending = Pending::request(ask, NONCE, &mut wire).unwrap();
    let asked = wire.take();
    assert_eq!(status(&asked), 101);
    let request = head::request(&asked).unwrap();
    assert_eq!(request.target, "/chat");
    let upgrade = Upgrade::parse(request.method, &request.fields).unwrap();
    let subprotocol = upgrade.choose(&["b", "a"]);
    upgrade.accept(Choice { subprotocol, ..Choice::default() }, &mut wire).unwrap();
    let answered = wire.take();
    for size in 1..=answered.len() {
        let bytes = [&answered[..], b"\x81\x02hi"].concat();
        assert_eq!(end_of(HeadReader::response(), &bytes, size), Ok(Some(answered.len())));
    }
    let response = head::response(&answered).unwrap();
    let accepted = pending.finish(response.status, &response.fields).unwrap();
    assert_eq!(accepted.subprotocol, Some("b"));
}

#[test]
fn responses() {
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n");
    let good =
        |line: &str| format!("{line}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n{accept}");
    let judge = |text: &str| {
        let bytes = text.as_bytes();
        let whole = end_of(HeadReader::response(), bytes, bytes.len());
        for size in 1..bytes.len() {
            assert_eq!(end_of(HeadReader::response(), bytes, size), whole, "{text}");
        }
        let end = whole?.ok_or(HeadError::Incomplete)?;
        let response = head::response(&bytes[..end]).inspect_err(|error| {
            let pending = Pending::request(Ask::default(), NONCE, &mut Wire::default()).unwrap();
            let judged = pending.finish_head(&bytes[..end]).map(drop);
            assert_eq!(judged, Err(HandshakeError::Head(*error)), "{text}");
        })?;
        let pending = || Pending::request(Ask::default(), NONCE, &mut Wire::default()).unwrap();
        let judged = pending().finish(response.status, &response.fields).map(drop);
        assert_eq!(pending().finish_head(&bytes[..end]).map(drop), judged, "{text}");
        Ok(judged)
    };
    assert_eq!(judge(&good("HTTP/1.1 101 Switching Protocols")), Ok(Ok(())));
    assert_eq!(judge(&good("HTTP/1.1 101 ")), Ok(Ok(())));
    for status in [100, 200, 302, 400, 401, 426, 503] {
        let refused = Ok(Err(HandshakeError::Status(status)));
        assert_eq!(judge(&good(&format!("HTTP/1.1 {status} Any"))), refused);
    }
    for (line, error) in [
        ("HTTP/1.0 101 Old", HeadError::Version),
        ("HTTP/2.0 101 New", HeadError::Version),
        ("HTTP/1.1 1O1 Any", HeadError::FirstLine),
        ("HTTP/1.1 10", HeadError::FirstLine),
        ("ICY 200 OK", HeadError::FirstLine),
        ("HTTP/1.1 101 Any\r\nX : y", HeadError::FieldName),
        ("HTTP/1.1 101 Any\r\nX: y\r\n folded", HeadError::FieldName),
        ("HTTP/1.1 101 Any\r\nX: \0", HeadError::Control),
        ("HTTP/1.1 101 Any\nX: y", HeadError::LineEnd),
    ] {
        assert_eq!(judge(&good(line)), Err(error), "{line}");
    }
    assert_eq!(judge("HTTP/1.1 101 Any\r\nX: y\r\n"), Err(HeadError::Incomplete));
}

#[test]
fn heads_that_end_too_early_are_incomplete() {
    let head = good();
    for len in 0..head.len() {
        let error = head::request(&head[..len]).map(drop);
        assert_eq!(error, Err(HeadError::Incomplete), "{len} bytes");
    }
}

#[test]
fn a_server_may_allow_fewer_fields() {
    let head = raw("GET / HTTP/1.1", &[("A", "b"); 3]);
    assert_eq!(head::request_of::<3>(&head).unwrap().fields.len(), 3);
    assert_eq!(head::request_of::<2>(&head), Err(HeadError::TooManyFields));
    assert_eq!(HeadError::TooManyFields.status(), 431);
}
