//! Sockets that accept connections.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

/// Whom the connections of a listener are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    Everyone,
    /// Those who run the server.
    Admin,
}

/// A socket that accepts connections, before an event loop has it.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) socket: TcpListener,
    pub(crate) serves: Serves,
    pub(crate) is_tls: bool,
}

const BACKLOG: i32 = 4096;

/// Binds one address for `workers` loops: the kernel spreads connections over their sockets.
pub(crate) fn bind(address: SocketAddr, workers: u16) -> io::Result<Vec<TcpListener>> {
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
