//! `X-Forwarded-For` and `Forwarded` (RFC 7239).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use ws_proto::handshake::Field;

use super::ProxyHeader;

/// The addresses that proxies tell, that of the nearest proxy first; `None`: one that can't be understood.
pub(super) fn nearest_first(header: ProxyHeader, fields: &[Field<'_>]) -> VecDeque<Option<IpAddr>> {
    let name = match header {
        ProxyHeader::XForwardedFor => "X-Forwarded-For",
        ProxyHeader::Forwarded => "Forwarded",
    };
    let mut told = VecDeque::new();
    for field in fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)) {
        let Ok(value) = str::from_utf8(field.value) else {
            told.push_front(None);
            continue;
        };
        match header {
            ProxyHeader::XForwardedFor => {
                for element in value.split(',') {
                    told.push_front(node(element.trim()));
                }
            }
            ProxyHeader::Forwarded => {
                for element in outside_quotes(value, ',') {
                    told.push_front(of_element(element));
                }
            }
        }
    }
    told
}

/// The address of an element of `Forwarded`: `for=192.0.2.1;proto=https`.
fn of_element(element: &str) -> Option<IpAddr> {
    let mut found = outside_quotes(element, ';').into_iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    });
    let value = found.next()?;
    // A parameter must not come twice (RFC 7239 §4).
    if found.next().is_some() {
        return None;
    }
    match value.strip_prefix('"') {
        Some(quoted) => node(quoted.strip_suffix('"')?),
        None => node(value),
    }
}

/// An address with or without a port.
fn node(text: &str) -> Option<IpAddr> {
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse::<IpAddr>().ok().or_else(in_brackets).or_else(with_port)?;
    Some(address.to_canonical())
}

/// Parts between separators that do not stand in quotes.
fn outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let parts = text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    });
    parts.collect()
}
