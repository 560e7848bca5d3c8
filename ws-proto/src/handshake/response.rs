//! HTTP responses other than 101.

use core::fmt;

use super::Field;
use crate::{Full, Sink};

/// A complete HTTP response after which the connection is closed: a refusal, or a small page.
///
/// `Content-Length` and `Connection: close` are added.
///
/// ```
/// use ws_proto::handshake::Response;
/// use ws_proto::{Slice, Store};
/// let mut buffer = [0; 256];
/// let mut out = Slice::new(&mut buffer);
/// Response { status: 404, fields: &[], body: b"no such path\n" }.write(&mut out)?;
/// assert!(out.stored().starts_with(b"HTTP/1.1 404 Not Found\r\n"));
/// # Ok::<(), ws_proto::Full>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status code: 200 to 599.
    pub status: u16,
    /// Further fields; their names and values are the caller's to keep legal (RFC 9110 §5).
    pub fields: &'a [Field<'a>],
    /// The body. With a `Content-Type` among the fields it is that, else plain text.
    pub body: &'a [u8],
}

impl Response<'_> {
    /// Appends the response.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; nothing is appended then.
    pub fn write(&self, out: &mut impl Sink) -> Result<(), Full> {
        self.write_with(self.body, out)
    }

    /// Appends the response to a HEAD request: without the body (RFC 9110 §9.3.2).
    ///
    /// # Errors
    /// [`Full`] when it does not fit; nothing is appended then.
    pub fn write_head(&self, out: &mut impl Sink) -> Result<(), Full> {
        self.write_with(b"", out)
    }

    fn write_with(&self, body: &[u8], out: &mut impl Sink) -> Result<(), Full> {
        let typed = self.fields.iter().any(|field| field.is("Content-Type"));
        let upgrade = self.fields.iter().any(|field| field.is("Upgrade"));
        let mut start = heapless::String::<64>::new();
        let (status, len) = (self.status, self.body.len());
        fmt::write(&mut start, format_args!("HTTP/1.1 {status} {}\r\n", reason(status)))
            .map_err(|_| Full)?;
        let mut length = heapless::String::<40>::new();
        fmt::write(&mut length, format_args!("Content-Length: {len}\r\n")).map_err(|_| Full)?;
        // A field that names a protocol must be listed as a connection option (RFC 9110 §7.8).
        let connection =
            if upgrade { "Connection: close, upgrade\r\n" } else { "Connection: close\r\n" };
        let kind = if typed { "" } else { "Content-Type: text/plain; charset=utf-8\r\n" };
        let head = [start.as_bytes(), length.as_bytes(), connection.as_bytes(), kind.as_bytes()];
        write_all(out, &|put| {
            head.into_iter().for_each(&mut *put);
            self.fields.iter().for_each(|field| line(field, put));
            put(b"\r\n");
            put(body);
        })
    }
}

/// What takes the pieces that a head is composed of.
pub(super) type Put<'p> = dyn FnMut(&[u8]) + 'p;

/// Hands out a field's line.
pub(super) fn line(field: &Field<'_>, put: &mut Put<'_>) {
    for piece in [field.name.as_bytes(), b": ", field.value, b"\r\n"] {
        put(piece);
    }
}

/// Appends all the pieces that `compose` hands out, the same in each call, or none.
pub(super) fn write_all(out: &mut impl Sink, compose: &dyn Fn(&mut Put<'_>)) -> Result<(), Full> {
    let mut len = 0usize;
    compose(&mut |piece| len = len.saturating_add(piece.len()));
    if len > out.room() {
        return Err(Full);
    }
    let mut result = Ok(());
    compose(&mut |piece| result = result.and(out.put(piece, &[]).map(drop)));
    result
}

/// The reason phrase (RFC 9110 §15).
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
