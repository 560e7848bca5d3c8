//! How many may be here: places that workers give out together.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::bucket::Bucket;

/// How many may be here. Nothing is looked up for what is not limited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) connections: Option<usize>,
    pub(crate) per_address: Option<u32>,
    pub(crate) per_user: Option<u32>,
    /// In a second.
    pub(crate) handshakes: Option<u32>,
}

/// Who is here, on all workers.
#[derive(Debug, Default)]
pub(crate) struct Register {
    open: AtomicUsize,
    named: Mutex<Named>,
}

#[derive(Debug, Default)]
struct Named {
    addresses: HashMap<IpAddr, u32>,
    users: HashMap<Box<str>, u32>,
    handshakes: Bucket,
}

/// A connection's entries in the register, for as long as it is there.
#[derive(Debug)]
pub(crate) struct Place {
    register: Arc<Register>,
    address: Option<IpAddr>,
    user: Option<Box<str>>,
}

/// A limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Connections,
    Address,
    User,
    Handshakes,
}

impl Full {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Connections | Self::Handshakes => 503,
            Self::Address | Self::User => 429,
        }
    }

    /// What the peer is told.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Connections => "the server is full; try again later",
            Self::Address => "too many connections from this address",
            Self::User => "too many connections of this user",
            Self::Handshakes => "too many connect at once; try again",
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = match self {
            Self::Connections => "max-connections",
            Self::Address => "max-connections-per-address",
            Self::User => "max-connections-per-user",
            Self::Handshakes => "max-handshakes-per-second",
        };
        write!(f, "{setting} is reached")
    }
}

impl Register {
    /// Lets a connection in: it counts until [`leave`](Self::leave), and by its names as long as its place
    /// lasts. `running` is how long the server has run.
    pub(crate) fn enter(
        self: &Arc<Self>,
        limits: &Limits,
        address: Option<IpAddr>,
        user: Option<&str>,
        running: Duration,
    ) -> Result<Option<Box<Place>>, Full> {
        let more = |open: usize| {
            open.checked_add(1).filter(|open| limits.connections.is_none_or(|limit| *open <= limit))
        };
        let counted = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.map_err(|_| Full::Connections)?;
        let address = address.filter(|_| limits.per_address.is_some());
        let user = user.filter(|_| limits.per_user.is_some());
        if address.is_none() && user.is_none() && limits.handshakes.is_none() {
            return Ok(None);
        }
        let entered = self.enter_by_name(limits, address, user, running);
        if entered.is_err() {
            self.leave();
        }
        entered
    }

    fn enter_by_name(
        self: &Arc<Self>,
        limits: &Limits,
        address: Option<IpAddr>,
        user: Option<&str>,
        running: Duration,
    ) -> Result<Option<Box<Place>>, Full> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = address.and_then(|address| named.addresses.get(&address).copied());
        if limits.per_address.is_some_and(|limit| of_address.unwrap_or(0) >= limit) {
            return Err(Full::Address);
        }
        let of_user = user.and_then(|user| named.users.get(user).copied());
        if limits.per_user.is_some_and(|limit| user.is_some() && of_user.unwrap_or(0) >= limit) {
            return Err(Full::User);
        }
        if limits.handshakes.is_some_and(|rate| !named.handshakes.take(rate, running)) {
            return Err(Full::Handshakes);
        }
        let user = user.map(Box::from);
        if let Some(address) = address {
            one_more(&mut named.addresses, address);
        }
        if let Some(user) = &user {
            one_more(&mut named.users, Clone::clone(user));
        }
        let is_named = address.is_some() || user.is_some();
        Ok(is_named.then(|| Box::new(Place { register: Arc::clone(self), address, user })))
    }

    /// A connection that was let in has ended.
    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut named = self.register.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = self.address {
            one_less(&mut named.addresses, address);
        }
        if let Some(user) = self.user.take() {
            one_less(&mut named.users, user);
        }
    }
}

fn one_more<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn one_less<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Full, Limits, Register};
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    const A: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    const B: Option<IpAddr> = Some(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST));

    #[test]
    fn places_are_given_out_and_come_back() {
        let register = Arc::new(Register::default());
        let limits = Limits {
            connections: Some(4),
            per_address: Some(2),
            per_user: Some(1),
            handshakes: None,
        };
        let enter = |address, user| register.enter(&limits, address, user, Duration::ZERO);
        let first = enter(A, Some("alice")).unwrap();
        assert_eq!(enter(B, Some("alice")).unwrap_err(), Full::User);
        let second = enter(A, None).unwrap();
        assert_eq!(enter(A, Some("bob")).unwrap_err(), Full::Address);
        let others = [enter(B, Some("bob")).unwrap(), enter(None, None).unwrap()];
        assert_eq!(enter(None, None).unwrap_err(), Full::Connections);
        assert!(others[1].is_none(), "nothing of it is limited");
        // By its names it is here until its place is gone.
        register.leave();
        assert_eq!(enter(A, None).unwrap_err(), Full::Address);
        drop((first, second));
        enter(A, Some("alice")).unwrap();
        drop(others);
        let named = register.named.lock().unwrap();
        assert!(named.addresses.is_empty() && named.users.is_empty());
        assert_eq!(register.open.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn handshakes_are_limited_by_time() {
        let register = Arc::new(Register::default());
        let limits = Limits { handshakes: Some(10), ..Limits::default() };
        let at = |millis| register.enter(&limits, A, None, Duration::from_millis(millis));
        assert_eq!((0..100).filter(|_| at(0).is_ok()).count(), 10);
        assert_eq!(at(99).unwrap_err(), Full::Handshakes);
        assert!(at(100).unwrap().is_none());
        assert_eq!(at(150).unwrap_err().status(), 503);
        assert_eq!((0..100).filter(|_| at(2000).is_ok()).count(), 10);
        // Who was refused is not here.
        assert_eq!(register.open.load(Ordering::Relaxed), 21);
    }
}
