//! From which web pages browsers may connect (RFC 6455 §10.2).

use std::fmt;
use std::str::FromStr;

use ws_proto::handshake::Field;

/// Origins whose pages may connect: `https://example.com`, `https://*.example.com`, `example.com:8443`,
/// `http://localhost:*`, `null`, or `*` for all.
///
/// Without a scheme, `http` and `https` are meant; without a port, the scheme's own; `:*` means any port.
/// `*.` stands for one or more names in front, not for none.
///
/// ```
/// use ws_mio_server::{OriginPattern, Server};
/// let pattern: OriginPattern = "https://*.example.com".parse()?;
/// let builder = Server::builder().allow_origin(pattern);
/// assert!("https://example.com/chat".parse::<OriginPattern>().is_err());
/// # Ok::<(), ws_mio_server::OriginPatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern(Pattern);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    Null,
    Host {
        /// `None`: `http` or `https`.
        scheme: Option<String>,
        /// In lower case.
        host: String,
        /// Whether names in front of the host are meant, not itself.
        below: bool,
        port: Port,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// The scheme's own.
    Default,
    Any,
    Number(u16),
}

/// A pattern of origins could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginPatternError;

impl fmt::Display for OriginPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an origin is due: a scheme, a host and a port without a path, such as https://example.com, \
             https://*.example.com or http://localhost:*; or null; or * for all",
        )
    }
}

impl std::error::Error for OriginPatternError {}

impl FromStr for OriginPattern {
    type Err = OriginPatternError;

    fn from_str(text: &str) -> Result<Self, OriginPatternError> {
        let text = text.to_ascii_lowercase();
        match text.as_str() {
            "*" => return Ok(Self(Pattern::Any)),
            "null" => return Ok(Self(Pattern::Null)),
            _ => {}
        }
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme.to_owned()), rest),
            Some(_) => return Err(OriginPatternError),
            None => (None, text.as_str()),
        };
        let (authority, below) = match authority.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (authority, false),
        };
        let (host, port) = split(authority).ok_or(OriginPatternError)?;
        let port = match port {
            None => Port::Default,
            Some("*") => Port::Any,
            Some(digits) => Port::Number(digits.parse().map_err(|_| OriginPatternError)?),
        };
        Ok(Self(Pattern::Host { scheme, host: host.to_owned(), below, port }))
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Any => f.write_str("*"),
            Pattern::Null => f.write_str("null"),
            Pattern::Host { scheme, host, below, port } => {
                if let Some(scheme) = scheme {
                    write!(f, "{scheme}://")?;
                }
                write!(f, "{}{host}", if *below { "*." } else { "" })?;
                match port {
                    Port::Default => Ok(()),
                    Port::Any => f.write_str(":*"),
                    Port::Number(port) => write!(f, ":{port}"),
                }
            }
        }
    }
}

impl OriginPattern {
    fn matches(&self, origin: &Origin) -> bool {
        match (&self.0, origin) {
            (Pattern::Any, _) | (Pattern::Null, Origin::Null) => true,
            (Pattern::Host { scheme, host, below, port }, Origin::Of(page)) => {
                let scheme_fits = match scheme {
                    Some(scheme) => *scheme == page.scheme,
                    None => matches!(page.scheme.as_str(), "http" | "https"),
                };
                let host_fits = match below {
                    false => *host == page.host,
                    true => page.host.strip_suffix(host.as_str()).is_some_and(|names| {
                        names.strip_suffix('.').is_some_and(|names| !names.is_empty())
                    }),
                };
                let port_fits = match port {
                    Port::Any => true,
                    Port::Default => page.port == default_port(&page.scheme),
                    Port::Number(port) => page.port == Some(*port),
                };
                scheme_fits && host_fits && port_fits
            }
            _ => false,
        }
    }
}

/// Why a page may not connect, for the log. It names what would let it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OriginRefused {
    Foreign(String),
    Malformed,
}

impl fmt::Display for OriginRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(origin) => {
                write!(
                    f,
                    "the origin {origin} is not of this host; to allow it: allow-origin {origin}"
                )
            }
            Self::Malformed => f.write_str("the Origin field is malformed, or comes twice"),
        }
    }
}

/// What a browser said about the page that wants to connect.
#[derive(Debug)]
enum Origin {
    /// A page without an origin: of a file, or in a sandbox.
    Null,
    Of(Page),
}

#[derive(Debug)]
struct Page {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// The parts are of few characters, so that they can stand in a log.
    fn parse(value: &[u8]) -> Option<Self> {
        let text =
            str::from_utf8(value).ok().filter(|text| text.len() <= 300)?.to_ascii_lowercase();
        if text == "null" {
            return Some(Self::Null);
        }
        let (scheme, authority) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme))?;
        let (host, port) = split(authority)?;
        let port = match port {
            None => default_port(scheme),
            Some(digits) => Some(digits.parse().ok()?),
        };
        Some(Self::Of(Page { scheme: scheme.to_owned(), host: host.to_owned(), port }))
    }

    /// Whether the page is of the host that the request names.
    fn is_of(&self, host: &[u8]) -> bool {
        let Self::Of(page) = self else { return false };
        let Ok(authority) = str::from_utf8(host) else { return false };
        let authority = authority.to_ascii_lowercase();
        let Some((host, port)) = split(&authority) else { return false };
        let port = match port {
            None => default_port(&page.scheme),
            Some(digits) => digits.parse().ok(),
        };
        host == page.host && port.is_some() && port == page.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Of(Page { scheme, host, port }) = self else { return f.write_str("null") };
        write!(f, "{scheme}://{host}")?;
        match port {
            Some(port) if Some(*port) != default_port(scheme) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// Whether a request may be served: it comes from no page, from a page of the same host, or from one that is
/// allowed.
pub(crate) fn check(allowed: &[OriginPattern], fields: &[Field<'_>]) -> Result<(), OriginRefused> {
    let values = |name| {
        let of_name = move |field: &&Field<'_>| field.name.eq_ignore_ascii_case(name);
        fields.iter().filter(of_name).map(|field| field.value.trim_ascii())
    };
    let mut origins = values("Origin");
    let origin = match (origins.next(), origins.next()) {
        (None, _) => return Ok(()),
        (Some(value), None) => Origin::parse(value).ok_or(OriginRefused::Malformed)?,
        (Some(_), Some(_)) => return Err(OriginRefused::Malformed),
    };
    let same_host = values("Host").next().is_some_and(|host| origin.is_of(host));
    if same_host || allowed.iter().any(|pattern| pattern.matches(&origin)) {
        return Ok(());
    }
    Err(OriginRefused::Foreign(origin.to_string()))
}

/// Whether what a request names as its host is an address, or this machine: nobody can have other names lead
/// here by these.
pub(crate) fn is_near(host: &[u8]) -> bool {
    let host = str::from_utf8(host).ok().and_then(split).map(|(host, _)| host);
    host.is_some_and(|host| {
        host.eq_ignore_ascii_case("localhost")
            || host.starts_with('[')
            || host.parse::<std::net::Ipv4Addr>().is_ok()
    })
}

/// A host, and what stands behind its colon. `None`: something is there that belongs to no host.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')?.checked_add(2)?,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let legal = match in_brackets {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let of_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            !host.is_empty() && host.bytes().all(of_name)
        }
    };
    if !legal {
        return None;
    }
    match port.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None => port.is_empty().then_some((host, None)),
    }
}

fn is_scheme(text: &str) -> bool {
    let of_scheme = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(of_scheme)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{OriginPattern, OriginRefused, check};
    use ws_proto::handshake::Field;

    fn may(allowed: &[&str], host: &str, origin: &str) -> bool {
        let allowed: Vec<OriginPattern> = allowed.iter().map(|p| p.parse().unwrap()).collect();
        let fields = [Field::new("host", host), Field::new("ORIGIN", origin)];
        check(&allowed, &fields).is_ok()
    }

    #[test]
    fn pages_of_the_same_host_may_connect() {
        for (host, origin) in [
            ("a.example", "http://a.example"),
            ("a.example", "https://A.Example"),
            ("A.example:443", "https://a.example"),
            ("a.example", "https://a.example:443"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:9", "http://[::1]:9"),
        ] {
            assert!(may(&[], host, origin), "{host} {origin}");
        }
        for (host, origin) in [
            ("a.example", "http://b.example"),
            ("a.example", "http://a.example:8080"),
            ("a.example:8080", "http://a.example"),
            ("a.example", "https://a.example.evil.example"),
            ("a.example", "https://b.a.example"),
            ("a.example", "null"),
            ("", "null"),
            ("null", "null"),
            ("a.example", "app://a.example"),
        ] {
            assert!(!may(&[], host, origin), "{host} {origin}");
        }
        // Who is no browser says no origin.
        assert_eq!(check(&[], &[Field::new("Host", "a")]), Ok(()));
    }

    #[test]
    fn patterns_allow_what_they_say() {
        for (pattern, origin, fits) in [
            ("*", "https://b.example", true),
            ("*", "null", true),
            ("null", "null", true),
            ("null", "http://null", false),
            ("https://b.example", "https://b.example:443", true),
            ("https://b.example", "http://b.example", false),
            ("https://b.example", "https://b.example:444", false),
            ("b.example", "https://b.example", true),
            ("b.example", "http://b.example", true),
            ("b.example", "app://b.example", false),
            ("b.example:8443", "https://b.example:8443", true),
            ("http://localhost:*", "http://localhost:3000", true),
            ("http://localhost:*", "http://localhost", true),
            ("https://*.b.example", "https://c.b.example", true),
            ("https://*.b.example", "https://d.c.B.example", true),
            ("https://*.b.example", "https://b.example", false),
            ("https://*.b.example", "https://evilb.example", false),
            ("https://*.b.example", "https://.b.example", false),
            ("app://c", "app://c", true),
            ("[::1]:*", "http://[::1]:3000", true),
        ] {
            assert_eq!(may(&[pattern], "a.example", origin), fits, "{pattern} {origin}");
            let parsed: OriginPattern = pattern.parse().unwrap();
            assert_eq!(parsed.to_string(), pattern);
        }
        for wrong in [
            "",
            "https://",
            "https://a/",
            "https://a/b",
            "a b",
            "*.",
            "a:b",
            "a:99999",
            "://a",
            "*a",
        ] {
            assert!(wrong.parse::<OriginPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_names_what_would_allow_it_and_nothing_else_of_the_peer() {
        let refused = |origins: &[&str]| {
            let fields: Vec<_> = origins.iter().map(|o| Field::new("Origin", o)).collect();
            check(&[], &fields).unwrap_err()
        };
        let text = refused(&["HTTPS://B.example:8443"]).to_string();
        assert!(text.ends_with("allow-origin https://b.example:8443"), "{text}");
        let long = format!("https://{}.example", "a".repeat(300));
        for wrong in [
            &["https://a\u{1b}b"][..],
            &["x"],
            &["https://a/b"],
            &["null", "null"],
            &[&long],
            &["http://a:b"],
        ] {
            assert_eq!(refused(wrong), OriginRefused::Malformed, "{wrong:?}");
        }
    }
}
