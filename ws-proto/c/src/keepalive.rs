//! When to ping, when to give up.

use core::ptr;
use core::time::Duration;

use ws_proto::keepalive::{Due, Instant, Keepalive, Timing};

use crate::raw::{self, Content};
use crate::result::{Outcome, wsp_result};

/// Tells when to ping a silent peer, when it is dead, and when a closing handshake took too long. It keeps no
/// clock: each call is told the time, in milliseconds since any fixed moment, which must not go backwards.
#[repr(C)]
pub struct wsp_keepalive {
    /// For the library.
    pub opaque: [u64; 3],
}

/// The deadlines, in milliseconds.
#[repr(C)]
pub struct wsp_timing {
    /// Silence of the peer after which it is pinged; 0: never. A good default: 30,000; behind a NAT that
    /// forgets sooner, less.
    pub ping_after: u32,
    /// Further silence after which a pinged peer counts as dead. A good default: 10,000.
    pub pong_within: u32,
    /// How long a closing handshake may take. A good default: 5,000.
    pub close_within: u32,
}

/// What is to be done now.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum wsp_due {
    /// Nothing before the moment that was told.
    WSP_DUE_NOTHING = 0,
    /// Send a ping. Said once; the pong's deadline runs from here.
    WSP_DUE_PING = 1,
    /// The peer is dead: it was silent for too long after a ping.
    WSP_DUE_DEAD = 2,
    /// The closing handshake took too long: drop the transport.
    WSP_DUE_CLOSE_EXPIRED = 3,
}

impl Content for Keepalive {
    const MAGIC: u32 = 0x3a1e_ca11;
}

/// Begins, when a connection is opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_keepalive_start(
    keepalive: *mut wsp_keepalive,
    now: u64,
) -> wsp_result {
    match raw::place(keepalive) {
        Ok(_) => {
            // SAFETY: the contract and `place`.
            unsafe { raw::init(keepalive, Keepalive::new(Instant::from_millis(now))) };
            wsp_result::WSP_OK
        }
        Err(result) => result,
    }
}

/// Bytes came from the peer, whatever they are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_keepalive_heard(
    keepalive: *mut wsp_keepalive,
    now: u64,
) -> wsp_result {
    // SAFETY: the contract.
    let keepalive = unsafe { object(keepalive) };
    keepalive.map(|keepalive| keepalive.heard(Instant::from_millis(now))).into()
}

/// The closing handshake has begun, on either side. A second call does not extend its deadline.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_keepalive_closing(
    keepalive: *mut wsp_keepalive,
    now: u64,
) -> wsp_result {
    // SAFETY: the contract.
    let keepalive = unsafe { object(keepalive) };
    keepalive.map(|keepalive| keepalive.closing(Instant::from_millis(now))).into()
}

/// Tells in `due` what is to be done now. If that is nothing, `next` tells when to call again if nothing is
/// heard before, `UINT64_MAX` for never: so long a device may sleep. `next` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_keepalive_poll(
    keepalive: *mut wsp_keepalive,
    timing: *const wsp_timing,
    now: u64,
    due: *mut wsp_due,
    next: *mut u64,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { poll(keepalive, timing, now, due, next) }.into()
}

/// # Safety
/// The contract (`raw`).
unsafe fn poll(
    ptr: *mut wsp_keepalive,
    timing: *const wsp_timing,
    now: u64,
    due: *mut wsp_due,
    next: *mut u64,
) -> Outcome<()> {
    let due_place = raw::place(due)?;
    let next_place = raw::places(next, usize::from(!next.is_null()))?;
    raw::apart(&[raw::place(ptr)?, raw::place(timing)?, due_place, next_place])?;
    // SAFETY: not null, aligned (`place`), there and written (the contract).
    let wsp_timing { ping_after, pong_within, close_within } = unsafe { ptr::read(timing) };
    let timing = Timing {
        ping_after: (ping_after != 0).then_some(duration(ping_after)),
        pong_within: duration(pong_within),
        close_within: duration(close_within),
    };
    // SAFETY: the contract.
    let (what, until) = match unsafe { object(ptr) }?.poll(&timing, Instant::from_millis(now)) {
        Due::Nothing(until) => (wsp_due::WSP_DUE_NOTHING, until),
        Due::Ping => (wsp_due::WSP_DUE_PING, None),
        Due::Dead => (wsp_due::WSP_DUE_DEAD, None),
        Due::CloseExpired => (wsp_due::WSP_DUE_CLOSE_EXPIRED, None),
    };
    // SAFETY: not null and aligned (`place`), and there (the contract).
    unsafe { due.write(what) };
    if !next.is_null() {
        // SAFETY: as before.
        unsafe { next.write(until.map_or(u64::MAX, Instant::as_millis)) };
    }
    Ok(())
}

/// Without a division of 64 bits, which small devices do by a large function.
const fn duration(millis: u32) -> Duration {
    let part = (millis % 1000).saturating_mul(1_000_000);
    // Widening casts, which `from` can't do in a `const fn`. The part is below a second.
    Duration::new((millis / 1000) as u64, part)
}

/// # Safety
/// The contract (`raw`).
unsafe fn object<'c>(ptr: *mut wsp_keepalive) -> Outcome<&'c mut Keepalive> {
    raw::place(ptr)?;
    // SAFETY: the contract and `place`; nothing else refers to it.
    unsafe { raw::content(ptr) }
}
