//! Sockets that accept connections.

mod all;

pub use all::Adopted;
pub(crate) use all::Listeners;

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::system::Listener;

/// Whom the connections of a listener are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    Everyone,
    /// Those who run the server.
    Admin,
}

/// A socket that accepts connections, before an event loop has it.
#[derive(Debug)]
pub(crate) struct Bound<L = Acceptor> {
    pub(crate) socket: L,
    pub(crate) serves: Serves,
    pub(crate) is_tls: bool,
}

/// A socket that accepts connections.
#[derive(Debug)]
pub(crate) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener<TcpStream> for Acceptor {
    // What is done with a connection is the same for both kinds, but for addresses.
    fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| stream),
            Self::Unix(listener) => {
                listener.accept().map(|(stream, _)| TcpStream::from(OwnedFd::from(stream)))
            }
        }
    }

    fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl Acceptor {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(listener) => listener,
            Self::Unix(listener) => listener,
        }
    }
}

impl Source for Acceptor {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.source().register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.source().reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source().deregister(registry)
    }
}

/// The file of a Unix socket, which goes when it is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it stays, the next server replaces it.
        let _ = fs::remove_file(&self.0);
    }
}

/// Binds a Unix socket for `workers` loops, which all accept from it. A file that was left by a server that is
/// gone is replaced; one behind which somebody listens, or that is no socket, is not.
fn bind_unix(path: &Path, workers: u16) -> io::Result<(Vec<UnixListener>, SocketFile)> {
    let socket = || Socket::new(Domain::UNIX, Type::STREAM, None);
    let address = SockAddr::unix(path)?;
    let bound = socket()?;
    match bound.bind(&address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let is_socket = fs::symlink_metadata(path)?.file_type().is_socket();
            let asked = socket()?.connect(&address);
            let is_left = asked.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
            if !(is_socket && is_left) {
                return Err(error);
            }
            fs::remove_file(path)?;
            bound.bind(&address)?;
        }
        result => result?,
    }
    let file = SocketFile(path.to_owned());
    bound.listen(BACKLOG)?;
    bound.set_nonblocking(true)?;
    let listeners = (0..workers).map(|_| Ok(UnixListener::from(OwnedFd::from(bound.try_clone()?))));
    Ok((listeners.collect::<io::Result<_>>()?, file))
}

/// A socket that somebody else has bound.
pub(super) struct Taken {
    /// One for each loop.
    pub(super) sockets: Vec<Acceptor>,
    pub(super) address: Option<SocketAddr>,
    /// That of a Unix socket, which whoever has bound it also removes.
    pub(super) path: Option<PathBuf>,
}

/// Takes over a socket that listens, for `workers` loops, which all accept from it.
fn adopt(socket: OwnedFd, workers: u16) -> io::Result<Taken> {
    let socket = Socket::from(socket);
    let wrong = |what: &str| io::Error::new(ErrorKind::InvalidInput, what);
    if !socket.is_listener().map_err(|_| wrong("it is no socket"))? {
        return Err(wrong("it is not a socket that listens"));
    }
    if socket.r#type()? != Type::STREAM {
        return Err(wrong("it is not a socket of streams"));
    }
    let local = socket.local_addr()?;
    let (address, path) = (local.as_socket(), local.as_pathname().map(Path::to_path_buf));
    if address.is_none() && !local.is_unix() {
        return Err(wrong("it is neither a TCP nor a Unix socket"));
    }
    socket.set_nonblocking(true)?;
    let acceptor = |_| {
        let socket = socket.try_clone()?;
        Ok(match address {
            Some(_) => Acceptor::Tcp(TcpListener::from_std(socket.into())),
            None => Acceptor::Unix(UnixListener::from(OwnedFd::from(socket))),
        })
    };
    let sockets = (0..workers).map(acceptor).collect::<io::Result<_>>()?;
    Ok(Taken { sockets, address, path })
}

const BACKLOG: i32 = 4096;

/// Binds one address for `workers` loops: the kernel spreads connections over their sockets.
fn bind(address: SocketAddr, workers: u16) -> io::Result<Vec<TcpListener>> {
    let shared = workers > 1;
    if shared && address.port() != 0 {
        // With SO_REUSEPORT the kernel would let two servers share a port, and their users never know
        // which they get. Without it, a port that is taken is refused.
        socket(address, false)?;
    }
    let first = socket(address, shared)?;
    let bound = first.local_addr()?.as_socket().unwrap_or(address);
    let mut sockets = vec![first];
    for _ in 1..workers {
        sockets.push(socket(bound, shared)?);
    }
    sockets
        .into_iter()
        .map(|socket| {
            socket.listen(BACKLOG)?;
            Ok(TcpListener::from_std(socket.into()))
        })
        .collect()
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier run that linger in TIME_WAIT don't keep the port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether accepting failed for want of descriptors or memory: trying again at once would spin.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    // ENOMEM, ENFILE, EMFILE, ENOBUFS.
    matches!(error.raw_os_error(), Some(12 | 23 | 24 | 105))
}

#[cfg(test)]
mod tests {
    use super::bind;
    use std::io::ErrorKind;

    #[test]
    fn a_port_that_is_taken_is_refused_with_any_number_of_workers() {
        for (holders, workers) in [(1, 1), (1, 3), (3, 1), (3, 3)] {
            let held = bind("127.0.0.1:0".parse().unwrap(), holders).unwrap();
            let address = held[0].local_addr().unwrap();
            assert_eq!(held.len(), usize::from(holders));
            assert!(held.iter().all(|listener| listener.local_addr().unwrap() == address));
            let error = bind(address, workers).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{holders} hold, {workers} ask");
        }
    }
}
