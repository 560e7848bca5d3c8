//! What stands in for TLS where the crate is built without it: there are no such connections.

use std::fmt;
use std::io;

#[derive(Clone, Debug)]
pub(crate) enum Tls {}

#[derive(Debug)]
pub(crate) enum Stream {}

#[expect(dead_code, reason = "no connection has a version")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

#[derive(Debug)]
pub(crate) enum Failure {}

impl Failure {
    pub(crate) const fn is_plain(&self) -> bool {
        match *self {}
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Failure {}

impl Stream {
    pub(crate) const fn new(tls: &Tls) -> io::Result<Self> {
        match *tls {}
    }

    pub(crate) const fn is_handshaking(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn take_agreed(&mut self) -> Option<Version> {
        match *self {}
    }

    pub(crate) fn receive(
        &mut self,
        _: &mut [u8],
        _: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<bool>> {
        match *self {}
    }

    pub(crate) const fn read(&mut self, _: &mut [u8]) -> usize {
        match *self {}
    }

    pub(crate) const fn has_more(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn has_ended(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn write(&mut self, _: &[u8]) -> usize {
        match *self {}
    }

    pub(crate) const fn wants_write(&self) -> bool {
        match *self {}
    }

    pub(crate) fn send(&mut self, _: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<bool> {
        match *self {}
    }

    pub(crate) const fn close(&mut self) {
        match *self {}
    }
}
