//! Responses that refuse: complete, and readable for people.

use super::Fields;
use crate::harness::Wire;
use ws_proto::Full;
use ws_proto::handshake::{Field, Reject, Response, Upgrade};

/// A response, taken to pieces.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().to_owned();
        let fields = lines.map(|line| line.split_once(": ").unwrap());
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { status, fields, body: body.to_owned() }
    }

    /// The value of a field that comes once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} comes twice in {self:?}");
        Some(&value.1)
    }
}

const REJECTS: [Reject; 13] = [
    Reject::Method,
    Reject::NotAnUpgrade,
    Reject::Version,
    Reject::Missing("Upgrade"),
    Reject::Missing("Connection"),
    Reject::Missing("Sec-WebSocket-Version"),
    Reject::Repeated("Sec-WebSocket-Version"),
    Reject::Invalid("Host"),
    Reject::Invalid("Sec-WebSocket-Key"),
    Reject::Invalid("Sec-WebSocket-Protocol"),
    Reject::IllegalField,
    Reject::Body,
    Reject::Invalid("Content-Length"),
];

#[test]
fn every_refusal_is_a_complete_response_with_one_readable_line() {
    for reject in REJECTS {
        let mut wire = Wire::default();
        reject.write(&mut wire).unwrap();
        let answer = Answer::of(wire.bytes);
        let status = match reject {
            Reject::Method => "HTTP/1.1 405 Method Not Allowed",
            Reject::NotAnUpgrade | Reject::Version => "HTTP/1.1 426 Upgrade Required",
            _ => "HTTP/1.1 400 Bad Request",
        };
        assert_eq!(answer.status, status, "{reject:?}");
        assert!(answer.status.contains(&reject.status().to_string()));
        assert_eq!(answer.field("Content-Length"), Some(&*answer.body.len().to_string()));
        assert_eq!(answer.field("Content-Type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.field("Allow"), (reject == Reject::Method).then_some("GET"));
        let upgrade = matches!(reject, Reject::NotAnUpgrade | Reject::Version);
        assert_eq!(answer.field("Upgrade"), upgrade.then_some("websocket"));
        assert_eq!(answer.field("Sec-WebSocket-Version"), upgrade.then_some("13"));
        let connection = if upgrade { "close, upgrade" } else { "close" };
        assert_eq!(answer.field("Connection"), Some(connection));
        assert_eq!(answer.body, format!("{reject}\n"), "one line, and all of it");
        assert!(answer.body.len() > 20 && answer.body.is_ascii(), "{}", answer.body);
    }
}

#[test]
fn a_refusal_never_echoes_the_request() {
    let marked = |fields: Fields| {
        let fields = fields.borrow();
        let reject = Upgrade::parse("GET", &fields).map(drop).unwrap_err();
        let mut wire = Wire::default();
        reject.write(&mut wire).unwrap();
        let text = String::from_utf8(wire.bytes).unwrap();
        assert!(!text.to_ascii_lowercase().contains("<script>"), "{text}");
    };
    for name in [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Content-Length",
        "<script>",
    ] {
        marked(super::request().with(name, "<script> x"));
    }
}

#[test]
fn a_refusal_that_does_not_fit_is_not_begun() {
    for reject in REJECTS {
        let mut wire = Wire::default();
        reject.write(&mut wire).unwrap();
        let len = wire.bytes.len();
        let mut small = Wire::with_capacity(len - 1);
        assert_eq!(reject.write(&mut small), Err(Full));
        assert_eq!(small.bytes, b"");
        reject.write(&mut Wire::with_capacity(len)).unwrap();
    }
}

#[test]
fn a_response_has_what_it_is_given_and_no_more() {
    let fields = [Field::new("content-type", "text/html"), Field::new("Retry-After", "1")];
    let response = Response { status: 503, fields: &fields, body: b"<p>full" };
    let mut wire = Wire::default();
    response.write(&mut wire).unwrap();
    let whole = wire.take();
    let answer = Answer::of(whole.clone());
    assert_eq!(answer.status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(answer.field("Content-Type"), Some("text/html"));
    assert_eq!(answer.field("Retry-After"), Some("1"));
    assert_eq!(answer.field("Content-Length"), Some("7"));
    assert_eq!(answer.field("Connection"), Some("close"));
    assert_eq!((answer.fields.len(), &*answer.body), (4, "<p>full"));
    // The same for HEAD, without the body.
    response.write_head(&mut wire).unwrap();
    assert_eq!(wire.take(), whole[..whole.len() - 7]);
}

#[test]
fn every_status_has_its_line() {
    for (status, line) in [
        (200, "HTTP/1.1 200 OK"),
        (401, "HTTP/1.1 401 Unauthorized"),
        (403, "HTTP/1.1 403 Forbidden"),
        (404, "HTTP/1.1 404 Not Found"),
        (408, "HTTP/1.1 408 Request Timeout"),
        (414, "HTTP/1.1 414 URI Too Long"),
        (429, "HTTP/1.1 429 Too Many Requests"),
        (431, "HTTP/1.1 431 Request Header Fields Too Large"),
        (500, "HTTP/1.1 500 Internal Server Error"),
        (505, "HTTP/1.1 505 HTTP Version Not Supported"),
        // A phrase may be empty, the space before it not (RFC 9112 §4).
        (599, "HTTP/1.1 599 "),
        (u16::MAX, "HTTP/1.1 65535 "),
    ] {
        let mut wire = Wire::default();
        Response { status, fields: &[], body: b"" }.write(&mut wire).unwrap();
        let answer = Answer::of(wire.bytes);
        assert_eq!(answer.status, line);
        assert_eq!((answer.field("Content-Length"), &*answer.body), (Some("0"), ""));
    }
}
