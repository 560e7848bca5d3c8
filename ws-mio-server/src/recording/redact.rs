//! Takes what may be secret out of requests, byte for byte, wherever they are cut.

/// Fields whose values the handshake and the framing of bodies need, or that tell who the client is built by.
const KEPT: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "origin",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];

/// The longest name that is of interest.
const LONGEST: usize = 24;

/// Where in a request the next byte stands.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// In the first word of a line that may begin a request.
    #[default]
    Method,
    Target,
    Query,
    /// Behind the target.
    Version,
    /// In a field's name.
    Name,
    /// In the value of a field.
    Kept,
    Secret,
    /// In a line that begins no request.
    Other,
}

/// Replaces letters and digits by `*`, but for those of [`KEPT`] fields, names, methods, paths.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    place: Place,
    /// The word that has come so far of a method or a name, in small letters.
    word: Vec<u8>,
    /// Whether nothing has come of the line.
    is_line_new: bool,
    /// Whether the last byte was CR: a LF behind it ends no further line.
    was_return: bool,
}

impl Redactor {
    pub(super) fn redact(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if !self.keeps(*byte) && (byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
                *byte = b'*';
            }
        }
    }

    fn keeps(&mut self, byte: u8) -> bool {
        let was_return = std::mem::replace(&mut self.was_return, byte == b'\r');
        if byte == b'\n' && was_return {
            return true;
        }
        if matches!(byte, b'\r' | b'\n') {
            self.end_line();
            return true;
        }
        let is_first = std::mem::take(&mut self.is_line_new);
        match self.place {
            Place::Method => {
                if byte == b' ' && METHODS.iter().any(|method| method.as_bytes() == self.word) {
                    self.place = Place::Target;
                } else {
                    self.word.push(byte);
                    if !METHODS.iter().any(|method| method.as_bytes().starts_with(&self.word)) {
                        self.place = Place::Other;
                        return false;
                    }
                }
                true
            }
            Place::Target => {
                match byte {
                    b'?' => self.place = Place::Query,
                    b' ' => self.place = Place::Version,
                    _ => {}
                }
                true
            }
            Place::Query => {
                if byte == b' ' {
                    self.place = Place::Version;
                }
                false
            }
            Place::Version => true,
            // A folded line goes on with the value of the one before.
            Place::Name if is_first && matches!(byte, b' ' | b'\t') => {
                self.place = Place::Secret;
                true
            }
            Place::Name => {
                if byte == b':' {
                    let name = self.word.trim_ascii_end();
                    let is_kept = KEPT.iter().any(|kept| kept.as_bytes() == name);
                    self.place = if is_kept { Place::Kept } else { Place::Secret };
                    self.word.clear();
                } else if self.word.len() <= LONGEST {
                    self.word.push(byte.to_ascii_lowercase());
                }
                true
            }
            Place::Kept => true,
            Place::Secret | Place::Other => false,
        }
    }

    fn end_line(&mut self) {
        let is_blank = self.is_line_new;
        self.is_line_new = true;
        self.place = match self.place {
            // A body's lines are followed by others, and by the next request.
            Place::Method | Place::Other => Place::Method,
            // Behind an empty line a body comes, or a request.
            _ if is_blank => Place::Method,
            _ => Place::Name,
        };
        self.word.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Redactor;

    fn redacted(text: &str) -> String {
        let mut whole = text.as_bytes().to_vec();
        Redactor::default().redact(&mut whole);
        // The same, cut anywhere.
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            let (mut redactor, (one, other)) = (Redactor::default(), bytes.split_at_mut(at));
            redactor.redact(one);
            redactor.redact(other);
            assert_eq!(bytes, whole, "cut at {at}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn what_the_handshake_needs_is_kept_and_nothing_else() {
        for (text, due) in [
            (
                "GET /chat/a?username=b&token=s3cret.x HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /chat/a?********=*&*****=******.* HTTP/1.1\r\nHost: a\r\n\r\n",
            ),
            ("GET /a HTTP/1.1\r\nHOST:a\r\n\r\n", "GET /a HTTP/1.1\r\nHOST:a\r\n\r\n"),
            (
                "GET / HTTP/1.1\r\nAuthorization: Bearer abc.d\r\nCookie: id=7\r\n\r\n",
                "GET / HTTP/1.1\r\nAuthorization: ****** ***.*\r\nCookie: **=*\r\n\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nSec-WebSocket-Protocol: bearer, abc\r\n\r\n",
                "GET / HTTP/1.1\r\nSec-WebSocket-Protocol: ******, ***\r\n\r\n",
            ),
            // However it is written.
            ("GET / HTTP/1.1\nX : s3cret\n\n", "GET / HTTP/1.1\nX : ******\n\n"),
            ("GET / HTTP/1.1\r\nX:\r\n s3cret\r\n\r\n", "GET / HTTP/1.1\r\nX:\r\n ******\r\n\r\n"),
            ("GET / HTTP/1.1\r\nHost: a\rCookie: b", "GET / HTTP/1.1\r\nHost: a\rCookie: *"),
            ("GET / HTTP/1.1\r\nHost: a\r\n s3cret", "GET / HTTP/1.1\r\nHost: a\r\n ******"),
            // Bodies, and requests behind them.
            (
                "POST / HTTP/1.1\r\n\r\n{\"content\":\"s3cret: x\"}",
                "POST / HTTP/1.1\r\n\r\n{\"*******\":\"******: *\"}",
            ),
            (
                "POST / HTTP/1.1\r\n\r\nsecret: x\r\nsecret\r\nGET /b HTTP/1.1\r\nHost: b\r\nA: s3",
                "POST / HTTP/1.1\r\n\r\n******: *\r\n******\r\nGET /b HTTP/1.1\r\nHost: b\r\nA: **",
            ),
            // What is no request.
            ("PROXY TCP4 10.0.0.1\r\nGET /a HTTP/1.1", "P**** **** **.*.*.*\r\nGET /a HTTP/1.1"),
            ("get / HTTP/1.1\r\nA: b", "*** / ****/*.*\r\n*: *"),
        ] {
            assert_eq!(redacted(text), due);
        }
    }
}
