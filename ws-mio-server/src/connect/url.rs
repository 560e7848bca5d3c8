//! Where to connect to.

use std::fmt;
use std::str::FromStr;

/// A URL of the schemes `ws` and `wss` (RFC 6455 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) secure: bool,
    /// A name or an address; one of IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The path and the query, as they are sent.
    pub(crate) target: String,
}

impl Url {
    const fn default_port(&self) -> u16 {
        if self.secure { 443 } else { 80 }
    }

    /// What the request's `Host` says.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if *port == self.default_port() { host } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Url {
    /// Without the query, which may hold what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("a URL such as ws://127.0.0.1:8080/echo or wss://example.com/ is due")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err("only the schemes ws:// and wss:// are known".to_owned()),
        };
        // A fragment is not sent, and not allowed either (RFC 6455 §3).
        if rest.contains('#') {
            return Err("a WebSocket URL has no fragment: write %23 for `#`".to_owned());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("use --auth USER:PASSWORD, not a name in the URL".to_owned());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or("a `]` is due behind the IPv6 address")?,
            None => authority
                .find(':')
                .and_then(|at| authority.split_at_checked(at))
                .unwrap_or((authority, "")),
        };
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            Some(digits) => Some(digits.parse().map_err(|_| "a port is a number up to 65535")?),
            None => return Err("only `:PORT` may follow the IPv6 address".to_owned()),
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let url =
            Self { secure, host: host.to_owned(), port: 0, target: format!("{slash}{target}") };
        let port = port.unwrap_or_else(|| url.default_port());
        Ok(Self { port, ..url })
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    fn parts(text: &str) -> (bool, String, u16, String, String) {
        let url: Url = text.parse().unwrap();
        (url.secure, url.host.clone(), url.port, url.target.clone(), url.authority())
    }

    fn expect(text: &str, secure: bool, host: &str, port: u16, target: &str, authority: &str) {
        let due = (secure, host.to_owned(), port, target.to_owned(), authority.to_owned());
        assert_eq!(parts(text), due, "{text}");
    }

    #[test]
    fn urls_are_split() {
        expect("ws://a.example", false, "a.example", 80, "/", "a.example");
        expect("WSS://a.example/", true, "a.example", 443, "/", "a.example");
        expect("ws://a:8080/b/c?d=e/f", false, "a", 8080, "/b/c?d=e/f", "a:8080");
        expect("wss://a?token=x", true, "a", 443, "/?token=x", "a");
        expect("ws://[::1]:9001/echo", false, "::1", 9001, "/echo", "[::1]:9001");
        expect("wss://[::1]", true, "::1", 443, "/", "[::1]");
        expect("http://a:80/", false, "a", 80, "/", "a");
        assert_eq!("ws://a:1/b?token=x".parse::<Url>().unwrap().to_string(), "ws://a:1/b");
    }

    #[test]
    fn what_is_no_url_is_refused_with_what_is_due() {
        for (text, due) in [
            ("", "ws://"),
            ("127.0.0.1:8080", "ws://"),
            ("ftp://a", "wss://"),
            ("ws://", "host"),
            ("ws:///echo", "host"),
            ("ws://a:99999", "65535"),
            ("ws://a:b", "65535"),
            ("ws://[::1", "]"),
            ("ws://[::1]x", ":PORT"),
            ("ws://u:p@a/", "--auth"),
            ("ws://a/#b", "%23"),
        ] {
            let error = text.parse::<Url>().unwrap_err();
            assert!(error.contains(due), "{text}: {error}");
        }
    }
}
