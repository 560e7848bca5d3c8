//! The query of a request's target.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

/// A value of the query could not be understood: it has a `%` without two hexadecimal digits, or what they stand
/// for is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryError;

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the query's percent-encoding is malformed, or not of UTF-8")
    }
}

impl std::error::Error for QueryError {}

/// What stands behind the `?` of a target.
pub(crate) fn of(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query)
}

/// The value of the first parameter of this name, decoded as forms are encoded.
pub(crate) fn get<'q>(query: &'q str, name: &str) -> Result<Option<Cow<'q, str>>, QueryError> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    match pairs.find(|(key, _)| *key == name) {
        Some((_, value)) => decode(value).map(Some),
        None => Ok(None),
    }
}

fn decode(value: &str) -> Result<Cow<'_, str>, QueryError> {
    let digits = |part: &str| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !value.split('%').skip(1).all(digits) {
        return Err(QueryError);
    }
    if !value.contains('+') {
        return percent_decode_str(value).decode_utf8().map_err(|_| QueryError);
    }
    let value = value.replace('+', " ");
    let decoded = percent_decode_str(&value).decode_utf8().map_err(|_| QueryError)?;
    Ok(Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::{QueryError, get, of};

    #[test]
    fn values_are_decoded_and_the_first_counts() {
        let query = of("/chat/a?username=%EC%95%A8%20%F0%9F%90%8B&since=&x&username=b&y=a+b%2B=c");
        let value = |name| get(query, name).unwrap().map(|value| value.into_owned());
        assert_eq!(value("username").as_deref(), Some("앨 🐋"));
        assert_eq!(value("since").as_deref(), Some(""));
        assert_eq!(value("x").as_deref(), Some(""));
        assert_eq!(value("y").as_deref(), Some("a b+=c"));
        assert_eq!(value("user"), None);
        assert_eq!(get(of("/chat"), "x"), Ok(None));
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error_of_its_own() {
        for value in ["%", "%4", "%4g", "%ff", "%EC%95", "+%ff"] {
            assert_eq!(get(&format!("a=1&x={value}"), "x"), Err(QueryError), "{value}");
            assert!(get(&format!("a=1&x={value}"), "a").is_ok());
        }
    }
}
