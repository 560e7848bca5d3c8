//! What a connection accepts.

/// Settings of a [`Connection`](crate::Connection).
///
/// ```
/// use ws_proto::Config;
/// let config = Config { max_message: 64 * 1024, ..Config::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// The largest message that is accepted, in bytes of payload over all its fragments. Exact: a
    /// message of this size passes, one byte more is [`Error::MessageTooBig`](crate::Error). Default:
    /// 1 MiB.
    pub max_message: u64,
    /// Who answers pings. Default: [`Pongs::Automatic`].
    pub pongs: Pongs,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_message: 1024 * 1024, pongs: Pongs::Automatic }
    }
}

/// Who answers pings (RFC 6455 §5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Pongs {
    /// The connection does: [`poll_transmit`](crate::Connection::poll_transmit) sends the pong for
    /// the newest ping.
    Automatic,
    /// The caller does, with [`pong`](crate::Connection::pong).
    Manual,
}
