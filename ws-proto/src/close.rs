//! Status codes of the closing handshake (RFC 6455 §7.4).

use core::fmt;

/// A status code that may stand in a Close frame: 1000–1003, 1007–1014 or 3000–4999.
///
/// Codes that must not be on the wire (1004, 1005, 1006, 1015 and every unassigned one) can't be
/// represented.
///
/// ```
/// use ws_proto::CloseCode;
/// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
/// assert_eq!(CloseCode::new(1006), None);
/// assert_eq!(CloseCode::new(4001).map(CloseCode::get), Some(4001));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server goes down or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: data of a kind that this endpoint can't accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: data that isn't what its kind says, such as text that isn't UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message that breaks a policy of this endpoint.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: a client misses an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: a condition that this endpoint did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; connect again (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; connect again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from upstream (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code, if it may stand in a Close frame (RFC 6455 §7.4.2).
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use super::CloseCode;

    #[test]
    fn exactly_the_codes_that_may_be_on_the_wire() {
        let allowed =
            |code| matches!(code, 1000..=1003 | 1007..=1014) || (3000..5000).contains(&code);
        for code in 0..=u16::MAX {
            assert_eq!(CloseCode::new(code).is_some(), allowed(code), "{code}");
        }
    }
}
