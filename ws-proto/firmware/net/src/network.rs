//! The interface, its one socket, and how to wait for them.

use core::fmt;

use board::{Clock, Ethernet};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};

use crate::device::Device;
use crate::stream::Stream;

/// This device, as QEMU's user network has it; a real one would ask DHCP.
const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const PREFIX: u8 = 24;
/// The router, behind which QEMU has the host: a port of it is one of the host's loopback interface.
pub const HOST: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);

/// How long a connection may be silent while something is waited for, in milliseconds.
pub(crate) const SILENCE_MS: u64 = 60_000;
/// How long the other end may take to accept or to end a connection, in milliseconds.
pub(crate) const HANDSHAKE_MS: u64 = 10_000;
/// The longest sleep, so that the clock is looked at, in milliseconds.
const NAP_MS: u64 = 500;

/// Local ports (RFC 6335 §6: dynamic ones).
const PORTS: core::ops::RangeInclusive<u16> = 49152..=65535;

/// Why the network fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no controller, or no cable.
    NoLink,
    /// The other end refused the connection, or broke it off.
    Reset,
    /// The other end did not answer.
    TimedOut,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLink => "there is no Ethernet",
            Self::Reset => "the connection was refused or reset",
            Self::TimedOut => "the other end is silent",
        })
    }
}

impl core::error::Error for Error {}

impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self {
            Self::NoLink => embedded_io::ErrorKind::NotConnected,
            Self::Reset => embedded_io::ErrorKind::ConnectionReset,
            Self::TimedOut => embedded_io::ErrorKind::TimedOut,
        }
    }
}

/// What the network is lent.
pub struct Memory<'a> {
    /// Bytes that have come and were not read; the window of TCP.
    pub received: &'a mut [u8],
    /// Bytes that were written and are not acknowledged.
    pub sent: &'a mut [u8],
    /// Room for the socket.
    pub socket: &'a mut [SocketStorage<'a>; 1],
}

/// The board's network.
pub struct Network<'a> {
    clock: Clock,
    device: Device,
    interface: Interface,
    sockets: SocketSet<'a>,
    socket: SocketHandle,
    port: u16,
}

impl<'a> Network<'a> {
    /// Switches it on. `seed` is entropy: numbers that others must not guess begin with it (RFC 6528).
    ///
    /// # Errors
    /// [`Error::NoLink`].
    pub fn new(memory: Memory<'a>, seed: u32) -> Result<Self, Error> {
        let mut clock = Clock::new();
        let mut ethernet = Ethernet::new().ok_or(Error::NoLink)?;
        let began = clock.now();
        while !ethernet.has_link() {
            if clock.now() - began > HANDSHAKE_MS {
                return Err(Error::NoLink);
            }
        }
        let mut config = Config::new(EthernetAddress(ethernet.address()).into());
        config.random_seed = seed.into();
        let mut device = Device::new(ethernet);
        let mut interface = Interface::new(config, &mut device, instant(clock.now()));
        interface.update_ip_addrs(|addresses| {
            let _ = addresses.push(IpCidr::new(ADDRESS.into(), PREFIX));
        });
        let _ = interface.routes_mut().add_default_ipv4_route(HOST);
        let (received, sent) = (SocketBuffer::new(memory.received), SocketBuffer::new(memory.sent));
        let mut socket = Socket::new(received, sent);
        // What is written is whole, and what comes is answered at once.
        socket.set_nagle_enabled(false);
        socket.set_timeout(Some(Duration::from_millis(SILENCE_MS)));
        let mut sockets = SocketSet::new(&mut memory.socket[..]);
        let socket = sockets.add(socket);
        let ports = PORTS.end() - PORTS.start();
        let port = PORTS.start() + (seed % u32::from(ports)) as u16;
        Ok(Self { clock, device, interface, sockets, socket, port })
    }

    /// Connects to a port of `address`.
    ///
    /// # Errors
    /// [`Error::Reset`] for a port that nobody listens on, [`Error::TimedOut`].
    pub fn connect(&mut self, address: Ipv4Address, port: u16) -> Result<Stream<'_, 'a>, Error> {
        let to = (address, port);
        // A new one each time: the other end may remember the last connection.
        self.port = if self.port == *PORTS.end() { *PORTS.start() } else { self.port + 1 };
        let context = self.interface.context();
        let socket = self.sockets.get_mut::<Socket<'_>>(self.socket);
        socket.connect(context, to, self.port).map_err(|_| Error::Reset)?;
        let connected = self.wait(HANDSHAKE_MS, |socket| match socket.state() {
            State::SynSent | State::SynReceived => None,
            State::Closed => Some(Err(Error::Reset)),
            _ => Some(Ok(())),
        });
        let stream = Stream::new(self);
        connected.and(Ok(stream))
    }

    pub(crate) fn socket(&mut self) -> &mut Socket<'a> {
        self.sockets.get_mut(self.socket)
    }

    /// Takes what has come, and sends what there is to send.
    pub(crate) fn poll(&mut self) {
        let Self { clock, device, interface, sockets, .. } = self;
        interface.poll(instant(clock.now()), device, sockets);
    }

    /// Waits until `ready` has a result, in sleep if nothing is to be done.
    pub(crate) fn wait<T>(
        &mut self,
        patience_ms: u64,
        mut ready: impl FnMut(&mut Socket<'a>) -> Option<Result<T, Error>>,
    ) -> Result<T, Error> {
        let began = self.clock.now();
        loop {
            self.poll();
            if let Some(result) = ready(self.socket()) {
                return result;
            }
            let now = self.clock.now();
            if now - began > patience_ms {
                return Err(Error::TimedOut);
            }
            let delay = self.interface.poll_delay(instant(now), &self.sockets);
            let delay = delay.map_or(NAP_MS, |delay| delay.total_millis().min(NAP_MS));
            self.device.sleep(&self.clock, delay as u32);
        }
    }
}

fn instant(ms: u64) -> Instant {
    Instant::from_millis(ms as i64)
}
