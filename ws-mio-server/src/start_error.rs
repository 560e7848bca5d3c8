//! Why a server could not be started.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A route's path, and what is wrong with it.
    Route(String, String),
    /// A number of workers that is not from 1 to 1024.
    Workers(u16),
    /// An address that could not be understood or resolved, and why.
    Address(String, String),
    /// An address that could not be bound, and why.
    Bind(SocketAddr, io::Error),
    /// A Unix socket that could not be bound, and why.
    BindUnix(PathBuf, io::Error),
    /// A socket that was to be adopted, by its number from 1 on, and why it can't be.
    Adopt(usize, io::Error),
    /// A directory in which connections were to be recorded, and why they can't be.
    Record(PathBuf, io::Error),
    /// Addresses for TLS, and no certificate for them.
    Certificate,
    /// The operating system refused an event loop.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(path, reason) => write!(f, "the route {path} can't be served: {reason}"),
            Self::Workers(workers) => write!(f, "{workers} workers: 1 to 1024 are possible"),
            Self::Address(address, reason) => write!(f, "the address {address}: {reason}"),
            Self::Bind(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "{address} is taken: another program listens there")
            }
            Self::Bind(address, error) => write!(f, "{address} can't be bound: {error}"),
            Self::BindUnix(path, error) if error.kind() == io::ErrorKind::AddrInUse => {
                let path = path.display();
                write!(f, "{path} is taken: a program listens there, or it is no socket")
            }
            Self::BindUnix(path, error) => write!(f, "{} can't be bound: {error}", path.display()),
            Self::Adopt(number, error) => {
                write!(f, "socket {number} of those that were passed can't be served: {error}")
            }
            Self::Record(path, error) => {
                write!(f, "connections can't be recorded in {}: {error}", path.display())
            }
            Self::Certificate => f.write_str("there is no certificate for TLS"),
            Self::System(error) => write!(f, "the event loop could not be made: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(_, error)
            | Self::BindUnix(_, error)
            | Self::Adopt(_, error)
            | Self::Record(_, error)
            | Self::System(error) => Some(error),
            Self::Route(..) | Self::Workers(_) | Self::Address(..) | Self::Certificate => None,
        }
    }
}
