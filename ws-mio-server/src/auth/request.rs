//! A request, as a check of who may connect sees it.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use ws_proto::handshake::Field;

use super::Denied;

/// The name of the subprotocol that is offered in front of a token.
pub(crate) const BEARER: &str = "bearer";

/// A request that wants to open a connection.
///
/// It prints without what may be secret.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    target: &'r str,
    fields: &'r [Field<'r>],
    unix_time: u64,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl<'r> Request<'r> {
    pub(crate) const fn new(target: &'r str, fields: &'r [Field<'r>], unix_time: u64) -> Self {
        Self { target, fields, unix_time }
    }

    pub(crate) const fn target(&self) -> &'r str {
        self.target
    }

    /// The target without the query, as it was sent.
    #[must_use]
    pub fn path(&self) -> &'r str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of a field that came once, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'r str> {
        let mut values = self.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some(field), None) => str::from_utf8(field.value).ok().map(str::trim_ascii),
            _ => None,
        }
    }

    /// The value of a parameter of the query, decoded; of several of this name, the first.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<Cow<'r, str>> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        percent_decode_str(value).decode_utf8().ok()
    }

    /// Seconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn unix_time(&self) -> u64 {
        self.unix_time
    }

    /// The token that came with the request: from `Authorization: Bearer TOKEN`, from the subprotocols
    /// `bearer, TOKEN`, or from `?token=TOKEN`.
    ///
    /// # Errors
    /// None came, or several.
    pub fn token(&self) -> Result<Cow<'r, str>, Denied> {
        let of_field = self.header("Authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case(BEARER).then(|| Cow::Borrowed(token.trim_ascii()))
        });
        let ways = [of_field, self.subprotocol_token().map(Cow::Borrowed), self.query("token")];
        let mut tokens = ways.into_iter().flatten();
        match (tokens.next(), tokens.next()) {
            (Some(token), None) => Ok(token),
            (None, _) => Err(Denied::missing()),
            (Some(_), Some(_)) => Err(Denied::new("tokens came in more than one way")),
        }
    }

    /// What is offered as a subprotocol right behind `bearer`.
    pub(crate) fn subprotocol_token(&self) -> Option<&'r str> {
        let is_offer =
            |field: &&Field<'_>| field.name.eq_ignore_ascii_case("Sec-WebSocket-Protocol");
        let offers = self.fields.iter().filter(is_offer);
        let mut names = offers
            .filter_map(|field| str::from_utf8(field.value).ok())
            .flat_map(|value| value.split(','))
            .map(str::trim_ascii)
            .filter(|name| !name.is_empty());
        names.find(|name| *name == BEARER)?;
        names.next()
    }
}

#[cfg(test)]
mod tests {
    use super::Request;
    use ws_proto::handshake::Field;

    fn token(target: &str, fields: &[(&str, &str)]) -> Result<String, String> {
        let fields: Vec<_> = fields.iter().map(|(name, value)| Field::new(name, value)).collect();
        let found = Request::new(target, &fields, 0).token();
        found.map(|token| token.into_owned()).map_err(|denied| denied.to_string())
    }

    #[test]
    fn a_token_comes_in_one_of_three_ways() {
        let offer = "Sec-WebSocket-Protocol";
        for (target, fields) in [
            ("/", &[("authorization", "bearer t.o.k")][..]),
            ("/", &[("Authorization", "Bearer  t.o.k ")]),
            ("/", &[(offer, "chat, bearer,t.o.k")]),
            ("/", &[(offer, "bearer"), (offer, ", t.o.k, chat")]),
            ("/a?b=c&token=t%2Eo.k&d", &[]),
        ] {
            assert_eq!(token(target, fields), Ok("t.o.k".to_owned()), "{target} {fields:?}");
        }
        for (target, fields) in [
            ("/", &[][..]),
            ("/?tokens=a", &[]),
            ("/", &[("Authorization", "Basic abc")]),
            ("/", &[("Authorization", "Bearer a"), ("Authorization", "Bearer b")]),
            ("/", &[(offer, "chat, bearer")]),
            ("/", &[(offer, "chat")]),
        ] {
            assert!(token(target, fields).unwrap_err().contains("no token"), "{target} {fields:?}");
        }
        let twice = token("/?token=a", &[("Authorization", "Bearer a")]);
        assert!(twice.unwrap_err().contains("more than one way"));
    }

    #[test]
    fn what_is_printed_holds_no_secret() {
        let fields = [Field::new("Authorization", "Bearer secret")];
        let shown = format!("{:?}", Request::new("/a?token=secret", &fields, 0));
        assert!(shown.contains("/a") && !shown.contains("secret"), "{shown}");
    }
}
