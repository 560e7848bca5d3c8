//! What `autobahn/run` needs to test this project with Autobahn|Testsuite; `README.md` beside it tells
//! how that is done.
//!
//! - The judge, `autobahn-check`: which cases the suite has ([`suite`], [`selection`]), what `wstest`
//!   reported ([`report`]), what had to come out ([`expectation`]), and whether it did ([`judge`],
//!   [`table`]).
//! - Two peers on `ws-proto` over blocking sockets ([`wire`]): `autobahn-client`, an echo client, and
//!   `autobahn-control`, a server that is wrong on purpose ([`disguise`]).

pub mod disguise;
pub mod expectation;
pub mod judge;
pub mod report;
pub mod selection;
pub mod suite;
pub mod table;
pub mod wire;
