//! Header fields and the lists in them (RFC 9110 §5).

/// A header field of a request or response, as an HTTP parser read it or as it is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'h> {
    /// The name, in any case.
    pub name: &'h str,
    /// The value, without white space around it.
    pub value: &'h [u8],
}

impl<'h> Field<'h> {
    /// A field with a value of text.
    #[must_use]
    pub const fn new(name: &'h str, value: &'h str) -> Self {
        Self { name, value: value.as_bytes() }
    }

    /// Whether the name is a token, and the value holds no NUL, CR, LF or other control character
    /// but a tab (RFC 9110 §5.1, §5.5).
    pub(super) fn is_legal(&self) -> bool {
        is_token(self.name.as_bytes())
            && self.value.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7f))
    }

    /// Whether it is one that only the handshake itself may write.
    pub(super) fn is_of_handshake(&self) -> bool {
        let names = ["Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding"];
        let prefix = self.name.get(..14).unwrap_or_default();
        names.iter().any(|name| self.is(name)) || prefix.eq_ignore_ascii_case("Sec-WebSocket-")
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The elements of a value that is a list, of which some may be empty (RFC 9110 §5.6.1).
    pub(super) fn elements(&self) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        let elements = self.value.split(|&b| b == b',').map(<[u8]>::trim_ascii);
        elements.filter(|element| !element.is_empty())
    }

    /// Whether a value that is a list has `token`, in any case.
    pub(super) fn lists(&self, token: &str) -> bool {
        self.elements().any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }
}

/// How often a field that must come once is there.
#[derive(Clone, Copy, Default)]
pub(super) enum Once<'h> {
    #[default]
    Missing,
    /// Its value, without white space around it.
    Value(&'h [u8]),
    Repeated,
}

impl<'h> Once<'h> {
    /// The field is there, once more.
    pub(super) fn add(&mut self, value: &'h [u8]) {
        *self = match self {
            Self::Missing => Self::Value(value.trim_ascii()),
            Self::Value(_) | Self::Repeated => Self::Repeated,
        };
    }
}

pub(super) fn once<'h>(fields: &[Field<'h>], name: &str) -> Once<'h> {
    let mut once = Once::Missing;
    for field in fields.iter().filter(|field| field.is(name)) {
        once.add(field.value);
    }
    once
}

/// The elements of a list that may span several fields.
pub(super) fn elements<'h>(fields: &[Field<'h>], name: &str) -> impl Iterator<Item = &'h [u8]> {
    fields.iter().filter(move |field| field.is(name)).flat_map(Field::elements)
}

/// Whether a list has `token`, in any case.
pub(super) fn has_token(fields: &[Field<'_>], name: &str, token: &str) -> bool {
    fields.iter().any(|field| field.is(name) && field.lists(token))
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    let symbol = |b| matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
    !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_alphanumeric() || symbol(*b))
}

#[cfg(test)]
mod tests {
    use super::{Field, elements, has_token};

    #[test]
    fn lists_span_lines_and_hold_empty_elements() {
        let fields = [
            Field::new("connection", " ,keep-alive ,,\tUPGRADE"),
            Field::new("Other", "x"),
            Field::new("CONNECTION", ""),
            Field::new("Connection", "a b,"),
        ];
        let mut list = elements(&fields, "Connection");
        for expected in ["keep-alive", "UPGRADE", "a b"] {
            assert_eq!(list.next(), Some(expected.as_bytes()));
        }
        assert_eq!(list.next(), None);
        assert!(has_token(&fields, "connection", "upgrade"));
        assert!(!has_token(&fields, "connection", "a"));
    }
}
