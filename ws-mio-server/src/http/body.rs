//! The body of a request, as its bytes come in (RFC 9112 §6, §7). Whatever two readers could take for
//! different bodies is refused.

use std::fmt;

use ws_proto::handshake::Field;

use super::values;

/// How a request says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

/// A body that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    Length,
    TwoFramings,
    /// A transfer coding that is not `chunked`, or several.
    Coding,
    /// `chunked` in a version that does not know it.
    Version,
    TooLarge,
    Chunk,
    /// More beside the chunks than anybody needs.
    Beside,
}

impl BodyError {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Coding => 501,
            Self::TooLarge => 413,
            Self::Length | Self::TwoFramings | Self::Version | Self::Chunk | Self::Beside => 400,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "Content-Length must come once and be a decimal number",
            Self::TwoFramings => "Content-Length and Transfer-Encoding exclude each other",
            Self::Coding => "the only transfer coding that is known is `chunked`",
            Self::Version => "Transfer-Encoding needs HTTP/1.1",
            Self::TooLarge => "the body is larger than is accepted here",
            Self::Chunk => "a chunk of the body is malformed",
            Self::Beside => "the body has too many extensions or trailer fields",
        })
    }
}

impl Framing {
    /// What the fields of a request say; without any, there is no body.
    pub(crate) fn of(minor_version: u8, fields: &[Field<'_>]) -> Result<Self, BodyError> {
        let mut codings = values(fields, "Transfer-Encoding");
        let mut lengths = values(fields, "Content-Length");
        match (codings.next(), lengths.next()) {
            (None, None) => Ok(Self::Length(0)),
            (Some(_), Some(_)) => Err(BodyError::TwoFramings),
            (Some(_), None) if minor_version == 0 => Err(BodyError::Version),
            (Some(coding), None) => {
                let known = coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
                if known { Ok(Self::Chunked) } else { Err(BodyError::Coding) }
            }
            (None, Some(length)) => {
                let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
                let number = str::from_utf8(length).ok().and_then(|digits| digits.parse().ok());
                let number = number.filter(|_| is_number && lengths.next().is_none());
                number.map(Self::Length).ok_or(BodyError::Length)
            }
        }
    }
}

/// How many bytes there may be beside the chunks' own: extensions and trailer fields.
const BESIDE: usize = 8 * 1024;
/// The most digits of a chunk's size.
const DIGITS: u8 = 16;

/// Gathers a body as its bytes come in, in time linear in them however they are sliced.
#[derive(Debug)]
pub(crate) struct BodyReader {
    at: At,
    body: Vec<u8>,
    limit: usize,
    /// Bytes of extensions and trailer fields.
    beside: usize,
}

/// Where in the body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// So many bytes are due, and nothing behind them.
    Length(u64),
    Size {
        digits: u8,
        size: u64,
    },
    Extension {
        size: u64,
    },
    /// Behind the CR of a chunk's first line.
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the start of a trailer field's line, or of the empty one.
    Trailer,
    InTrailer,
    TrailerLf,
    LastLf,
    End,
}

impl BodyReader {
    /// For a body of at most `limit` bytes.
    pub(crate) fn new(framing: Framing, limit: usize) -> Result<Self, BodyError> {
        let at = match framing {
            Framing::Length(0) => At::End,
            Framing::Length(length) if usize::try_from(length).is_ok_and(|n| n <= limit) => {
                At::Length(length)
            }
            Framing::Length(_) => return Err(BodyError::TooLarge),
            Framing::Chunked => At::Size { digits: 0, size: 0 },
        };
        Ok(Self { at, body: Vec::new(), limit, beside: 0 })
    }

    /// Whether all of the body has come.
    pub(crate) fn is_complete(&self) -> bool {
        self.at == At::End
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The memory that the body takes.
    pub(crate) const fn memory(&self) -> usize {
        self.body.capacity()
    }

    /// Takes bytes of the peer, and no more than belong to the body; how many those were.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<usize, BodyError> {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            match self.at {
                At::End => break,
                At::Length(left) | At::Data { left } => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let (data, others) = rest.split_at_checked(most).unwrap_or_default();
                    self.append(data);
                    let left = left.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
                    self.at = match (self.at, left) {
                        (At::Length(_), 0) => At::End,
                        (At::Length(_), left) => At::Length(left),
                        (_, 0) => At::DataCr,
                        (_, left) => At::Data { left },
                    };
                    rest = others;
                }
                _ => {
                    self.at = self.step(*first)?;
                    rest = behind;
                }
            }
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    /// Goes on by one byte that is none of the body's own.
    fn step(&mut self, byte: u8) -> Result<At, BodyError> {
        match (self.at, byte) {
            (At::Size { digits, size }, _) if byte.is_ascii_hexdigit() && digits < DIGITS => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                // No more digits than fit.
                let size = size.wrapping_mul(16).wrapping_add(digit);
                Ok(At::Size { digits: digits.saturating_add(1), size })
            }
            (At::Size { digits: 1.., size }, b';') => Ok(At::Extension { size }),
            (At::Size { digits: 1.., size } | At::Extension { size }, b'\r') => self.begin(size),
            (At::Extension { size }, _) if is_text(byte) => {
                self.count()?;
                Ok(At::Extension { size })
            }
            (At::SizeLf { size: 0 }, b'\n') => Ok(At::Trailer),
            (At::SizeLf { size }, b'\n') => Ok(At::Data { left: size }),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size { digits: 0, size: 0 }),
            (At::Trailer, b'\r') => Ok(At::LastLf),
            (At::Trailer, b' ' | b'\t' | b':') => Err(BodyError::Chunk),
            (At::InTrailer, b'\r') => Ok(At::TrailerLf),
            (At::Trailer | At::InTrailer, _) if is_text(byte) => {
                self.count()?;
                Ok(At::InTrailer)
            }
            (At::TrailerLf, b'\n') => Ok(At::Trailer),
            (At::LastLf, b'\n') => Ok(At::End),
            _ => Err(BodyError::Chunk),
        }
    }

    /// A chunk of this size is announced.
    fn begin(&self, size: u64) -> Result<At, BodyError> {
        let free = u64::try_from(self.limit.saturating_sub(self.body.len())).unwrap_or(u64::MAX);
        if size > free { Err(BodyError::TooLarge) } else { Ok(At::SizeLf { size }) }
    }

    fn count(&mut self) -> Result<(), BodyError> {
        self.beside = self.beside.saturating_add(1);
        if self.beside > BESIDE { Err(BodyError::Beside) } else { Ok(()) }
    }

    /// Memory grows by what has come, never by what was announced, and never beyond the limit.
    fn append(&mut self, data: &[u8]) {
        let len = self.body.len().saturating_add(data.len());
        if len > self.body.capacity() {
            let grown = self.body.capacity().saturating_mul(2).min(self.limit).max(len);
            self.body.reserve_exact(grown.saturating_sub(self.body.len()));
        }
        self.body.extend_from_slice(data);
    }
}

/// Whether a byte may stand in an extension or a trailer field.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::{BESIDE, BodyError, BodyReader, Framing};
    use ws_proto::handshake::Field;

    fn framing(version: u8, fields: &[(&str, &str)]) -> Result<Framing, BodyError> {
        let fields: Vec<_> = fields.iter().map(|(name, value)| Field::new(name, value)).collect();
        Framing::of(version, &fields)
    }

    #[test]
    fn what_two_readers_could_take_for_different_bodies_is_refused() {
        let (te, cl) = ("Transfer-Encoding", "Content-Length");
        assert_eq!(framing(1, &[]), Ok(Framing::Length(0)));
        assert_eq!(framing(0, &[("content-length", "12")]), Ok(Framing::Length(12)));
        assert_eq!(framing(1, &[("TRANSFER-ENCODING", "Chunked")]), Ok(Framing::Chunked));
        for (fields, error) in [
            (&[(te, "chunked"), (cl, "5")][..], BodyError::TwoFramings),
            (&[(cl, "5"), (te, "identity")], BodyError::TwoFramings),
            (&[(cl, "5"), (cl, "5")], BodyError::Length),
            (&[(cl, "5, 5")], BodyError::Length),
            (&[(cl, "")], BodyError::Length),
            (&[(cl, "+5")], BodyError::Length),
            (&[(cl, "-5")], BodyError::Length),
            (&[(cl, "0x5")], BodyError::Length),
            (&[(cl, "5 5")], BodyError::Length),
            (&[(cl, "18446744073709551616")], BodyError::Length),
            (&[(te, "gzip, chunked")], BodyError::Coding),
            (&[(te, "chunked, chunked")], BodyError::Coding),
            (&[(te, "chunked"), (te, "chunked")], BodyError::Coding),
            (&[(te, "xchunked")], BodyError::Coding),
            (&[(te, "chunked;q=1")], BodyError::Coding),
            (&[(te, "identity")], BodyError::Coding),
            (&[(te, "")], BodyError::Coding),
        ] {
            assert_eq!(framing(1, fields), Err(error), "{fields:?}");
        }
        assert_eq!(framing(0, &[(te, "chunked")]), Err(BodyError::Version));
    }

    /// The body, and how many bytes it took, in every slicing by one cut.
    fn read(framing: Framing, limit: usize, bytes: &[u8]) -> Result<(Vec<u8>, usize), BodyError> {
        let at = |cut: usize| {
            let mut reader = BodyReader::new(framing, limit)?;
            let mut taken = reader.push(&bytes[..cut])?;
            if taken == cut {
                taken = taken.saturating_add(reader.push(&bytes[cut..])?);
            }
            assert!(reader.memory() <= limit, "{} bytes", reader.memory());
            assert!(reader.is_complete(), "more is due");
            Ok((reader.body().to_vec(), taken))
        };
        let whole = at(bytes.len());
        for cut in 0..bytes.len() {
            assert_eq!(at(cut), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn bodies_end_where_they_say() {
        assert_eq!(read(Framing::Length(5), 5, b"helloGET /"), Ok((b"hello".to_vec(), 5)));
        assert_eq!(read(Framing::Length(0), 0, b"GET /"), Ok((vec![], 0)));
        assert_eq!(read(Framing::Length(6), 5, b"hello!"), Err(BodyError::TooLarge));
        for chunked in [
            &b"5\r\nhello\r\n0\r\n\r\n"[..],
            b"1\r\nh\r\n04;a=b;c=\"d\"\r\nello\r\n000\r\n\r\n",
            b"5;\r\nhello\r\n0;last\r\nA: b\r\nC:\r\n\r\n",
        ] {
            let behind = [chunked, b"GET / HTTP/1.1\r\n"].concat();
            let read = read(Framing::Chunked, 5, &behind);
            assert_eq!(read, Ok((b"hello".to_vec(), chunked.len())));
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for chunked in [
            &b"\r\nhello"[..],
            b"5\nhello\r\n",
            b"5 \r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"+5\r\nhello\r\n",
            b"-5\r\nhello\r\n",
            b"g\r\n",
            b";\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello\r0\r\n\r\n",
            b"5;a\nb\r\nhello\r\n",
            b"5;a\0\r\nhello\r\n",
            b"5\r\rhello\r\n",
            b"00000000000000005\r\nhello\r\n",
            b"0\r\n folded\r\n\r\n",
            b"0\r\n: b\r\n\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\n\rX",
        ] {
            assert_eq!(
                read(Framing::Chunked, 100, chunked),
                Err(BodyError::Chunk),
                "{}",
                String::from_utf8_lossy(chunked)
            );
        }
        for large in [&b"6\r\n"[..], b"5\r\nhello\r\n1\r\n", b"ffffffffffffffff\r\n"] {
            assert_eq!(read(Framing::Chunked, 5, large), Err(BodyError::TooLarge));
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let with = |n: usize| {
            let (extension, trailer) = ("x".repeat(n / 2), "y".repeat(n - n / 2));
            format!("0;{extension}\r\n{trailer}\r\n\r\n").into_bytes()
        };
        let read = |bytes: &[u8]| BodyReader::new(Framing::Chunked, 5)?.push(bytes);
        assert!(read(&with(BESIDE)).is_ok());
        assert_eq!(read(&with(BESIDE + 1)), Err(BodyError::Beside));
    }
}
