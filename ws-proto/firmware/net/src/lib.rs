//! TCP on the board's Ethernet, by smoltcp: one connection at a time, as a byte stream of `embedded-io`.
//!
//! Nothing runs behind the caller's back: frames come and go while a call waits, reads or flushes.
#![no_std]

mod device;
mod network;
mod stream;

pub use network::{Error, HOST, Memory, Network};
pub use smoltcp::iface::SocketStorage;
pub use stream::Stream;
