//! TLS: whose certificate is shown, and one connection's encryption. It knows no sockets.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// What a server shows to those who connect by TLS (1.2 or 1.3).
#[derive(Clone, Debug)]
pub struct Tls(Arc<ServerConfig>);

/// Why a certificate or its key can't be used.
#[derive(Clone, Debug)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

impl Tls {
    /// A certificate, with those that vouch for it behind it, and its private key, as PEM.
    ///
    /// # Errors
    /// One of them can't be read, or they don't belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let failed = |error: &dyn fmt::Display| TlsError(error.to_string());
        let of = |what: &str, error: &dyn fmt::Display| TlsError(format!("{what}: {error}"));
        let certificates =
            CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|error| of("the certificate", &error))?;
        if certificates.is_empty() {
            return Err(TlsError("there is no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError("there is no private key".to_owned()),
            error => of("the private key", &error),
        })?;
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| failed(&e))?;
        let config = builder.with_no_client_auth().with_single_cert(certificates, key);
        let mut config = config.map_err(|error| failed(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// A configuration of rustls of one's own, to ask for certificates of clients for example. It should offer
    /// the protocol `http/1.1` and no other.
    #[must_use]
    pub const fn from_config(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }
}

/// How much may be taken in while that much waits to be read: rustls refuses to take more.
const UNREAD: usize = 12 * 1024;

/// Why a connection can't go on, other than that it is lost.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The peer does not speak TLS at all.
    NotTls,
    Broken(rustls::Error),
}

impl Failure {
    /// Whether the peer would understand an answer that is not encrypted.
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::NotTls)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls => f.write_str("this port speaks TLS: connect by wss:// or https://"),
            Self::Broken(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

/// The encryption of one connection.
#[derive(Debug)]
pub(crate) struct Stream {
    connection: ServerConnection,
    /// Whether nothing has come yet.
    fresh: bool,
    /// How much can be read.
    readable: usize,
    /// What came and was not taken in yet.
    unfed: Vec<u8>,
    ended: bool,
    /// Whether keys were agreed on, and that was not counted yet.
    agreed: bool,
}

impl Stream {
    pub(crate) fn new(tls: &Tls) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(&tls.0)).map_err(io::Error::other)?;
        Ok(Self {
            connection,
            fresh: true,
            readable: 0,
            unfed: Vec::new(),
            ended: false,
            agreed: false,
        })
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Once, when keys are agreed on: by which version of TLS.
    pub(crate) fn take_agreed(&mut self) -> Option<Version> {
        if !std::mem::take(&mut self.agreed) {
            return None;
        }
        Some(match self.connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => Version::Tls12,
            _ => Version::Tls13,
        })
    }

    /// Takes in what came, unless something can be read already: whether more of that may wait, or nothing at
    /// the peer's end.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        recv: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<bool>> {
        if self.readable > 0 {
            return Ok(Some(false));
        }
        if !self.unfed.is_empty() {
            let unfed = std::mem::take(&mut self.unfed);
            self.feed(&unfed)?;
            return Ok(Some(true));
        }
        let n = recv(buffer)?;
        let came = buffer.get(..n).unwrap_or_default();
        // The first record is one of a handshake.
        if self.fresh && came.first().is_some_and(|first| *first != 0x16) {
            return Err(io::Error::other(Failure::NotTls));
        }
        self.fresh = false;
        self.feed(came)?;
        Ok((n > 0).then_some(n == buffer.len()))
    }

    fn feed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.readable >= UNREAD {
                self.unfed = bytes.to_vec();
                return Ok(());
            }
            let broken = |error| io::Error::other(Failure::Broken(error));
            let was_handshaking = self.is_handshaking();
            let read = self.connection.read_tls(&mut bytes);
            // What it holds back is bounded, too.
            read.map_err(|error| broken(rustls::Error::General(error.to_string())))?;
            let state = self.connection.process_new_packets().map_err(broken)?;
            self.readable = state.plaintext_bytes_to_read();
            self.ended |= state.peer_has_closed();
            self.agreed |= was_handshaking && !self.is_handshaking();
        }
        Ok(())
    }

    /// Reads what was decrypted.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let n = self.connection.reader().read(buffer).unwrap_or(0);
        self.readable = self.readable.saturating_sub(n);
        n
    }

    /// Whether more can be had without that more comes.
    pub(crate) const fn has_more(&self) -> bool {
        self.readable > 0 || !self.unfed.is_empty()
    }

    /// Whether the peer has said that nothing more comes, and all was read.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended && self.readable == 0 && self.unfed.is_empty()
    }

    /// Encrypts the beginning of `plain`; how much of it.
    pub(crate) fn write(&mut self, plain: &[u8]) -> usize {
        self.connection.writer().write(plain).unwrap_or(0)
    }

    /// Whether something waits to be sent.
    pub(crate) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Hands what waits to `send`, until nothing is left or it takes no more: whether that is so.
    pub(crate) fn send(&mut self, send: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<bool> {
        let mut out = Out(send);
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut out) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Nothing will be written any more.
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
    }
}

struct Out<S>(S);

impl<S: Fn(&[u8]) -> io::Result<usize>> io::Write for Out<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
