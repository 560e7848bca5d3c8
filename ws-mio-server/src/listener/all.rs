//! All sockets that a server listens on, for its workers.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::{Acceptor, Bound, Serves, SocketFile, adopt, bind, bind_unix};
use crate::StartError;

/// What is spoken on a socket that somebody else has bound, and who is served there
/// ([`Builder::adopt`](crate::Builder::adopt)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// Everyone, without encryption.
    Plain,
    /// Everyone, by TLS.
    Tls,
    /// Those who run the server, as at the address of [`Builder::admin`](crate::Builder::admin).
    Admin,
}

/// Sockets of each worker, and where they are.
#[derive(Debug)]
pub(crate) struct Listeners {
    of_workers: Vec<Vec<Bound>>,
    pub(crate) local_addrs: Vec<SocketAddr>,
    pub(crate) tls_addrs: Vec<SocketAddr>,
    pub(crate) admin_addr: Option<SocketAddr>,
    pub(crate) unix_paths: Vec<PathBuf>,
    /// The files of Unix sockets, as long as the server is there.
    pub(crate) files: Vec<SocketFile>,
}

impl Listeners {
    pub(crate) fn new(workers: u16) -> Self {
        Self {
            of_workers: (0..workers).map(|_| Vec::new()).collect(),
            local_addrs: Vec::new(),
            tls_addrs: Vec::new(),
            admin_addr: None,
            unix_paths: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Binds an address.
    pub(crate) fn bind(&mut self, address: SocketAddr, speaks: Adopted) -> Result<(), StartError> {
        let error = |error| StartError::Bind(address, error);
        let sockets = bind(address, self.count(speaks)).map_err(error)?;
        let bound = sockets.first().map_or(Ok(address), |socket| socket.local_addr());
        self.stands_at(bound.map_err(error)?, speaks);
        self.give(sockets.into_iter().map(Acceptor::Tcp), speaks);
        Ok(())
    }

    /// Binds a Unix socket.
    pub(crate) fn bind_unix(&mut self, path: PathBuf) -> Result<(), StartError> {
        let error = |error| StartError::BindUnix(path.clone(), error);
        let (sockets, file) = bind_unix(&path, self.count(Adopted::Plain)).map_err(error)?;
        self.files.push(file);
        self.unix_paths.push(path);
        self.give(sockets.into_iter().map(Acceptor::Unix), Adopted::Plain);
        Ok(())
    }

    /// Takes over a socket that somebody else has bound, the `number`th of those.
    pub(crate) fn adopt(
        &mut self,
        number: usize,
        socket: OwnedFd,
        speaks: Adopted,
    ) -> Result<(), StartError> {
        let adopted = adopt(socket, self.count(speaks));
        let adopted = adopted.map_err(|error| StartError::Adopt(number, error))?;
        if let Some(address) = adopted.address {
            self.stands_at(address, speaks);
        }
        self.unix_paths.extend(adopted.path);
        self.give(adopted.sockets.into_iter(), speaks);
        Ok(())
    }

    /// The sockets of each worker.
    pub(crate) fn take(&mut self) -> Vec<Vec<Bound>> {
        std::mem::take(&mut self.of_workers)
    }

    /// How many workers have such a socket: those who run the server are served by one.
    fn count(&self, speaks: Adopted) -> u16 {
        let all = u16::try_from(self.of_workers.len()).unwrap_or(u16::MAX);
        if speaks == Adopted::Admin { 1 } else { all }
    }

    fn stands_at(&mut self, address: SocketAddr, speaks: Adopted) {
        match speaks {
            Adopted::Plain => self.local_addrs.push(address),
            Adopted::Tls => self.tls_addrs.push(address),
            Adopted::Admin => self.admin_addr = Some(address),
        }
    }

    fn give(&mut self, sockets: impl Iterator<Item = Acceptor>, speaks: Adopted) {
        let serves = match speaks {
            Adopted::Plain | Adopted::Tls => Serves::Everyone,
            Adopted::Admin => Serves::Admin,
        };
        for (socket, listeners) in sockets.zip(&mut self.of_workers) {
            listeners.push(Bound { socket, serves, is_tls: speaks == Adopted::Tls });
        }
    }
}
