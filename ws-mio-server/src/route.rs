//! Which path leads where.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::http::Check;

/// What the server serves, by path.
#[derive(Debug, Default)]
pub(crate) struct Routes(matchit::Router<Route>);

/// What is behind a path.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// The handler with this number.
    WebSocket(u16),
    Page(Page),
    /// The service with this number, and who may call it.
    Service(u16, Check),
    /// That event loops run.
    Health,
    /// Whether the server takes new connections.
    Readiness,
    Metrics,
}

/// A small resource for plain GET requests.
///
/// ```
/// use ws_mio_server::{Page, Server};
/// let fields = &[("Content-Security-Policy", "default-src 'none'")];
/// let page = Page { content_type: "text/html; charset=utf-8", fields, body: b"<h1>It works</h1>" };
/// let builder = Server::builder().page("/", page);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// Further fields of the response's head, by name: what the page may load, how long it may be kept. The
    /// server writes `Content-Length` and `Connection` itself.
    pub fields: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: &'static [u8],
}

/// A request's path could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetError {
    /// It is not a path, nor a URI with one.
    NotAPath,
    /// It has a `%` without two hexadecimal digits, or what they stand for is not UTF-8.
    Encoding,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAPath => "the request target must be a path that starts with `/`",
            Self::Encoding => "the path's percent-encoding is malformed, or not of UTF-8",
        })
    }
}

/// Names and values of a route's parameters, decoded.
pub(crate) type Params = Vec<(String, String)>;

impl Routes {
    pub(crate) fn insert(&mut self, path: &str, route: Route) -> Result<(), matchit::InsertError> {
        self.0.insert(path, route)
    }

    /// The route of a request target: `None` for an unknown path.
    pub(crate) fn find(&self, target: &str) -> Result<Option<(&Route, Params)>, TargetError> {
        let path = path(target)?;
        let Ok(found) = self.0.at(path) else { return Ok(None) };
        let params = found.params.iter().map(|(name, value)| Ok((name.to_owned(), decode(value)?)));
        Ok(Some((found.value, params.collect::<Result<_, _>>()?)))
    }
}

/// The path of a target in origin form or absolute form (RFC 9112 §3.2), without the query.
fn path(target: &str) -> Result<&str, TargetError> {
    let rest = match target.split_once("://") {
        Some((scheme, rest)) if ["http", "https", "ws", "wss"].contains(&scheme) => {
            rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
        }
        _ => target,
    };
    let path = rest.split('?').next().unwrap_or_default();
    if !path.starts_with('/') || path.contains('#') {
        return Err(TargetError::NotAPath);
    }
    Ok(path)
}

fn decode(text: &str) -> Result<String, TargetError> {
    let digits = |part: &str| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(digits) {
        return Err(TargetError::Encoding);
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| TargetError::Encoding)?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Route, Routes, TargetError};

    fn routes() -> Routes {
        let mut routes = Routes::default();
        routes.insert("/echo", Route::WebSocket(0)).unwrap();
        routes.insert("/relay/{room}", Route::WebSocket(1)).unwrap();
        routes
    }

    fn find(target: &str) -> Result<Option<(u16, Vec<String>)>, TargetError> {
        Ok(routes().find(target)?.map(|(route, params)| {
            let Route::WebSocket(number) = route else { panic!("{route:?}") };
            (*number, params.into_iter().map(|(_, value)| value).collect())
        }))
    }

    #[test]
    fn paths_lead_to_routes() {
        assert_eq!(find("/echo"), Ok(Some((0, vec![]))));
        assert_eq!(find("/echo?x=1/2"), Ok(Some((0, vec![]))));
        assert_eq!(find("http://a.example/echo"), Ok(Some((0, vec![]))));
        assert_eq!(find("/relay/a%20b%2Fc"), Ok(Some((1, vec!["a b/c".to_owned()]))));
        assert_eq!(find("/relay/gr%C3%BCn"), Ok(Some((1, vec!["grün".to_owned()]))));
        for unknown in ["/", "/echo/", "/Echo", "/relay", "/relay/", "/relay/a/b", "ws://a"] {
            assert_eq!(find(unknown), Ok(None), "{unknown}");
        }
    }

    #[test]
    fn malformed_targets_are_refused() {
        for target in ["", "*", "echo", "a.example:80", "/echo#x", "http:/echo", "ftp://a/echo"] {
            assert_eq!(find(target), Err(TargetError::NotAPath), "{target}");
        }
        for target in ["/relay/%", "/relay/%4", "/relay/%4g", "/relay/%ff"] {
            assert_eq!(find(target), Err(TargetError::Encoding), "{target}");
        }
    }
}
