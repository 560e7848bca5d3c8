//! The C interface of `ws-proto`. `include/ws_proto.h` is generated from this crate, whose documentation is
//! the header's.
//!
//! All unsafe code of the project is here. `raw` holds the contract of the pointers, and nearly all that is
//! done with them.
#![no_std]
#![allow(non_camel_case_types, reason = "the names are those of C")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the contract is one for all functions, at the head of the header"
)]

mod client;
mod connection;
mod event;
mod handshake;
mod keepalive;
mod mask;
mod message;
mod output;
mod raw;
mod result;
mod server;

pub use client::*;
pub use connection::*;
pub use event::*;
pub use handshake::*;
pub use keepalive::*;
pub use mask::*;
pub use message::*;
pub use output::wsp_output;
pub use result::*;
pub use server::*;

/// Where a panic would end. None is left: the proof is that a program links where this calls a function that
/// nobody has. (What unwinds is a test, which has a handler.)
#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(feature = "_proof")]
    {
        unsafe extern "C" {
            fn wsp_a_panic_can_be_reached() -> !;
        }
        // SAFETY: there is no such function, so this is never linked.
        unsafe { wsp_a_panic_can_be_reached() }
    }
    #[cfg(not(feature = "_proof"))]
    loop {}
}

/// Can panic, for the negative control of the proof.
#[cfg(feature = "_control")]
#[unsafe(no_mangle)]
#[expect(clippy::indexing_slicing, reason = "it is what the proof must find")]
pub extern "C" fn wsp_control(n: usize) -> u8 {
    [1, 2, 3][n]
}
