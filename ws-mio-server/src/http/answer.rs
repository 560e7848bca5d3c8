//! What is answered to a request.

use std::fmt::Write as _;

use ws_proto::Sink;

use crate::cork::Cork;

/// An answer to a plain request: status, fields, body.
///
/// The server adds `Content-Length`, `Connection` and, for pages of other origins that may ask, what their
/// browsers want to see. Unless the answer says otherwise, it is not to be stored (`Cache-Control: no-store`).
///
/// ```
/// use ws_mio_server::Answer;
/// let answer = Answer::json(404, r#"{"error":"no such room"}"#).with_field("X-Trace", "abc");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What the server has to add to an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written<'a> {
    /// The origin of the page that asks, if its browser is to show it the answer.
    pub(crate) origin: Option<&'a str>,
    /// Whether further requests are served on the connection.
    pub(crate) keeps: bool,
    /// Whether the body is left out, for HEAD asks so.
    pub(crate) is_head: bool,
}

impl Answer {
    /// An answer without a body. A status that is not one of 200 to 599 becomes 500.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        let status = if status < 200 || status > 599 { 500 } else { status };
        Self { status, fields: Vec::new(), body: Vec::new() }
    }

    /// An answer of JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status).with_body("application/json", body)
    }

    /// An answer of text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status).with_body("text/plain; charset=utf-8", body)
    }

    /// The same, with a body of this `Content-Type`.
    #[must_use]
    pub fn with_body(self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.with_field("Content-Type", content_type) }
    }

    /// The same, with one more field. Control characters of the value become spaces.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let mut value = value.into();
        if value.contains(|c: char| c.is_ascii_control()) {
            value = value.replace(|c: char| c.is_ascii_control(), " ");
        }
        self.fields.push((name, value));
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn write(&self, with: &Written<'_>, cork: &mut Cork) {
        let has =
            |name: &str| self.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        // Neither has a body, nor says that it has none (RFC 9110 §8.6).
        let is_bare = matches!(self.status, 204 | 304);
        // A string takes everything, here and below.
        if !is_bare {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        if !with.keeps {
            head.push_str("Connection: close\r\n");
        }
        if !has("Cache-Control") {
            head.push_str("Cache-Control: no-store\r\n");
        }
        if !self.body.is_empty() {
            head.push_str("X-Content-Type-Options: nosniff\r\n");
        }
        shown_to(with.origin, &mut head);
        for (name, value) in &self.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        let body = if is_bare || with.is_head { &[][..] } else { &self.body };
        // The cork takes everything.
        let _ = cork.put(head.as_bytes(), body);
    }
}

/// Lets the browser of a page of another origin show it the answer.
pub(super) fn shown_to(origin: Option<&str>, head: &mut String) {
    if let Some(origin) = origin {
        let expose = "Access-Control-Expose-Headers: Retry-After\r\n";
        let _ = write!(head, "Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n{expose}");
    }
}

/// The reason phrase (RFC 9110 §15).
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Written};
    use crate::cork::Cork;

    fn written(answer: &Answer, with: Written<'_>) -> String {
        let mut cork = Cork::default();
        answer.write(&with, &mut cork);
        String::from_utf8(cork.in_one_piece(&[]).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn an_answer_is_complete_and_holds_no_more_than_it_should() {
        let answer = Answer::json(200, "{}").with_field("X-A", "b\r\nX-C: d\0");
        let text = written(&answer, Written::default());
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Type: application/json\r\n\
             X-A: b  X-C: d \r\n\r\n{}"
        );
        let with = Written { origin: Some("https://a"), keeps: true, is_head: true };
        let text = written(&answer.with_field("Cache-Control", "max-age=9"), with);
        assert!(
            text.contains("\r\nAccess-Control-Allow-Origin: https://a\r\nVary: Origin\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nContent-Length: 2\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        assert!(!text.contains("no-store") && !text.contains("Connection"), "{text}");
    }

    #[test]
    fn statuses_without_a_body_have_none() {
        for status in [204, 304] {
            let text = written(&Answer::text(status, "body"), Written::default());
            assert!(!text.contains("Content-Length") && text.ends_with("\r\n\r\n"), "{text}");
        }
        assert!(written(&Answer::new(100), Written::default()).starts_with("HTTP/1.1 500 "));
    }
}
