//! Complete heads, parsed line by line.

use heapless::Vec;

use super::{HeadError, RequestHead, ResponseHead, names_http};
use crate::handshake::Field;
use crate::handshake::header::is_token;

pub(super) fn request<const N: usize>(head: &[u8]) -> Result<RequestHead<'_, N>, HeadError> {
    let mut lines = Lines(head);
    let mut words = lines.first()?.splitn(3, |&b| b == b' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, target, version) = (word(), word(), word());
    if !is_token(method) || target.is_empty() || target.contains(&b'\t') {
        return Err(HeadError::FirstLine);
    }
    let text = |bytes| str::from_utf8(bytes).map_err(|_| HeadError::FirstLine);
    let (method, target, mut fields) = (text(method)?, text(target)?, Vec::new());
    let minor_version = match version {
        b"HTTP/1.0" => 0,
        b"HTTP/1.1" => 1,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', ..] => {
            return Err(HeadError::LineEnd);
        }
        _ => return Err(not_a_version(version)),
    };
    while let Some(field) = lines.field()? {
        fields.push(field).map_err(|_| HeadError::TooManyFields)?;
    }
    Ok(RequestHead { method, target, minor_version, fields })
}

pub(super) fn response(head: &[u8]) -> Result<ResponseHead<'_>, HeadError> {
    let (status, mut lines) = status(head)?;
    let mut fields = Vec::new();
    while let Some(field) = lines.field()? {
        fields.push(field).map_err(|_| HeadError::TooManyFields)?;
    }
    Ok(ResponseHead { status, fields })
}

/// The status code of a response, and the lines of its fields.
pub(in crate::handshake) fn status(head: &[u8]) -> Result<(u16, Lines<'_>), HeadError> {
    let mut lines = Lines(head);
    let line = lines.first()?;
    let Some([b' ', code @ ..]) = line.strip_prefix(b"HTTP/1.1") else {
        return Err(not_a_version(line));
    };
    let (digits, [] | [b' ', ..]) = code.split_at_checked(3).ok_or(HeadError::FirstLine)? else {
        return Err(HeadError::FirstLine);
    };
    let mut status = 0u16;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(HeadError::FirstLine);
        }
        status = status.wrapping_mul(10).wrapping_add(u16::from(digit & 0xf));
    }
    Ok((status, lines))
}

fn not_a_version(bytes: &[u8]) -> HeadError {
    if names_http(bytes) { HeadError::Version } else { HeadError::FirstLine }
}

/// The lines that are left of a head.
pub(in crate::handshake) struct Lines<'h>(&'h [u8]);

impl<'h> Lines<'h> {
    /// The first line that is not empty (RFC 9112 §2.2).
    fn first(&mut self) -> Result<&'h [u8], HeadError> {
        loop {
            let line = self.line()?;
            if !line.is_empty() {
                return Ok(line);
            }
        }
    }

    /// The field on the next line; `None` at the empty line that ends the head.
    pub(in crate::handshake) fn field(&mut self) -> Result<Option<Field<'h>>, HeadError> {
        let line = self.line()?;
        if line.is_empty() {
            return Ok(None);
        }
        let colon = line.iter().position(|&b| b == b':').ok_or(HeadError::FieldName)?;
        let (name, value) = line.split_at_checked(colon).ok_or(HeadError::FieldName)?;
        let name = str::from_utf8(name).map_err(|_| HeadError::FieldName)?;
        let field = Field { name, value: value.get(1..).unwrap_or_default().trim_ascii() };
        if !is_token(name.as_bytes()) {
            return Err(HeadError::FieldName);
        }
        if field.is_legal() { Ok(Some(field)) } else { Err(HeadError::FieldValue) }
    }

    fn line(&mut self) -> Result<&'h [u8], HeadError> {
        let ends = |b: &u8| matches!(b, b'\r' | b'\n');
        let end = self.0.iter().position(ends).ok_or(HeadError::Incomplete)?;
        let (line, rest) = self.0.split_at_checked(end).ok_or(HeadError::Incomplete)?;
        match rest {
            [b'\r', b'\n', rest @ ..] => {
                self.0 = rest;
                Ok(line)
            }
            [b'\r'] => Err(HeadError::Incomplete),
            _ => Err(HeadError::LineEnd),
        }
    }
}
