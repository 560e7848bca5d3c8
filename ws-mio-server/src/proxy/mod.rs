//! Who is behind a proxy: trusted networks, the PROXY protocol, and what proxies write into a request.

mod forwarded;
mod network;
pub(crate) mod preamble;

pub use network::{Network, NetworkError};

use std::net::IpAddr;

use ws_proto::handshake::Field;

/// The field of a request that tells whom a proxy speaks for. Proxies that write one leave the other as the
/// client sent it, so only one is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What a server believes of proxies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    pub(crate) networks: Vec<Network>,
    pub(crate) header: ProxyHeader,
    /// Whether every connection begins with a header of the PROXY protocol.
    pub(crate) preamble: bool,
}

impl Trust {
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Whom the request is from: the address nearest to us that is of no trusted proxy. `nearest` is the
    /// socket's, or that of the PROXY protocol.
    pub(crate) fn client(&self, nearest: IpAddr, fields: &[Field<'_>]) -> IpAddr {
        let mut client = nearest;
        let mut told = forwarded::nearest_first(self.header, fields);
        while self.trusts(client) {
            match told.pop_front() {
                Some(Some(address)) => client = address,
                // Nothing was told, or nothing that could be understood: it is the proxy itself.
                _ => break,
            }
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::{ProxyHeader, Trust};
    use ws_proto::handshake::Field;

    fn client(header: ProxyHeader, nearest: &str, fields: &[(&str, &str)]) -> String {
        let networks = ["10.0.0.0/8", "::1"].map(|network| network.parse().unwrap()).to_vec();
        let fields: Vec<_> = fields.iter().map(|(name, value)| Field::new(name, value)).collect();
        let trust = Trust { networks, header, preamble: false };
        trust.client(nearest.parse().unwrap(), &fields).to_string()
    }

    #[test]
    fn the_nearest_that_is_not_trusted_is_the_client() {
        let of = |nearest, value| {
            client(ProxyHeader::XForwardedFor, nearest, &[("x-forwarded-for", value)])
        };
        assert_eq!(of("10.0.0.1", "192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::1", "2001:db8::1"), "2001:db8::1");
        assert_eq!(of("10.0.0.1", "192.0.2.1, 10.0.0.2"), "192.0.2.1");
        // What the client itself says is further away than what the proxy says of it.
        assert_eq!(of("10.0.0.1", "10.9.9.9, 192.0.2.1"), "192.0.2.1");
        assert_eq!(of("10.0.0.1", "198.51.100.7,192.0.2.1"), "192.0.2.1");
        assert_eq!(of("10.0.0.1", "192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(of("10.0.0.1", "[2001:db8::1]:4711"), "2001:db8::1");
        // Who is not trusted is not believed.
        assert_eq!(of("192.0.2.9", "192.0.2.1"), "192.0.2.9");
        // What can't be understood is believed no further.
        for value in ["", "unknown", "192.0.2.1, x", "192.0.2", ",,", "192.0.2.1 10.0.0.1"] {
            assert_eq!(of("10.0.0.1", value), "10.0.0.1", "{value}");
        }
        assert_eq!(of("10.0.0.1", "10.0.0.2"), "10.0.0.2");
        let several = [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-For", "192.0.2.1")];
        assert_eq!(client(ProxyHeader::XForwardedFor, "10.0.0.1", &several), "192.0.2.1");
        // An address of IPv4 in one of IPv6 is that of IPv4.
        assert_eq!(of("::ffff:10.0.0.1", "192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        let of = |value| client(ProxyHeader::Forwarded, "10.0.0.1", &[("Forwarded", value)]);
        assert_eq!(of("for=192.0.2.1"), "192.0.2.1");
        assert_eq!(of("For=\"[2001:db8::1]:4711\"; proto=https"), "2001:db8::1");
        assert_eq!(of("proto=http;by=1.2.3.4;FOR=192.0.2.1, for=10.0.0.2"), "192.0.2.1");
        assert_eq!(of("for=192.0.2.1;host=\"a,b;for=1.2.3.4\""), "192.0.2.1");
        for value in [
            "for=unknown",
            "for=_hidden",
            "by=192.0.2.1",
            "for=\"192.0.2.1",
            "",
            "for=192.0.2.1;for=1.2.3.4",
        ] {
            assert_eq!(of(value), "10.0.0.1", "{value}");
        }
        let both = [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=198.51.100.7")];
        assert_eq!(client(ProxyHeader::Forwarded, "10.0.0.1", &both), "198.51.100.7");
        assert_eq!(client(ProxyHeader::XForwardedFor, "10.0.0.1", &both), "192.0.2.1");
    }
}
