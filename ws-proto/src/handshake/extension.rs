//! The list of extensions in `Sec-WebSocket-Extensions` (RFC 6455 §9.1).

use super::Field;
use super::header::is_token;

/// One element of the list: a name, and parameters with or without values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'h>(&'h [u8]);

/// The elements of the list, whose fields may span several lines.
pub(crate) fn extensions<'h>(fields: &[Field<'h>]) -> impl Iterator<Item = Extension<'h>> {
    fields
        .iter()
        .filter(|field| field.is("Sec-WebSocket-Extensions"))
        .flat_map(|field| Split { rest: Some(field.value), at: b',' })
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
        .map(Extension)
}

impl<'h> Extension<'h> {
    pub(crate) fn name(&self) -> &'h [u8] {
        Split { rest: Some(self.0), at: b';' }.next().unwrap_or_default().trim_ascii()
    }

    /// Names and values. What is malformed has a name that no parameter has.
    pub(crate) fn params(&self) -> impl Iterator<Item = (&'h [u8], Option<&'h [u8]>)> {
        Split { rest: Some(self.0), at: b';' }.skip(1).map(|param| {
            let mut parts = param.splitn(2, |&b| b == b'=').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            match parts.next().map(unquote) {
                _ if !is_token(name) => (&b""[..], None),
                None => (name, None),
                Some(Some(value)) => (name, Some(value)),
                Some(None) => (&b""[..], None),
            }
        })
    }
}

/// A value that is a token, or a token in quotes, which means the same (RFC 6455 §9.1).
fn unquote(value: &[u8]) -> Option<&[u8]> {
    let inner = value.strip_prefix(b"\"").map(|rest| rest.strip_suffix(b"\""));
    inner.unwrap_or(Some(value)).filter(|token| is_token(token))
}

/// Splits at a byte that does not stand in quotes.
struct Split<'h> {
    rest: Option<&'h [u8]>,
    at: u8,
}

impl<'h> Iterator for Split<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let rest = self.rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().position(|&b| {
            let is_end = !quoted && b == self.at;
            quoted ^= b == b'"' && !escaped;
            escaped = quoted && b == b'\\' && !escaped;
            is_end
        });
        let (part, rest) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((part, rest)) => (part, rest.get(1..)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, extensions};

    /// RFC 6455 §9.1: a value may be in quotes, and RFC 9110 §5.6.4 says what those enclose.
    #[test]
    fn s9_1_what_stands_in_quotes_ends_no_element_and_no_parameter() {
        let cases: [(&str, &[&str]); 8] = [
            ("x; y=z, p, q", &["x", "p", "q"]),
            (r#"x; y="z, p, q""#, &["x"]),
            (r#"x; y="z", p; y="z", q"#, &["x", "p", "q"]),
            (r#"x; y="\", p, q""#, &["x"]),
            (r#"x; y="\\", p, q"#, &["x", "p", "q"]),
            (r#"x; y="\\\", p", q"#, &["x", "q"]),
            // Outside of quotes, a backslash is like any other byte.
            (r#"x; \"y, p", q"#, &["x", "q"]),
            (r#"x; y="z, p, q"#, &["x"]),
        ];
        for (value, names) in cases {
            let fields = [Field::new("sec-websocket-extensions", value)];
            let found = extensions(&fields).map(|extension| extension.name());
            assert!(found.eq(names.iter().map(|name| name.as_bytes())), "{value}");
        }
        let fields = [Field::new("Sec-WebSocket-Extensions", r#"x; y="a;b=c"; z"#)];
        let params = extensions(&fields).next().map(|extension| extension.params().count());
        assert_eq!(params, Some(2));
    }
}
