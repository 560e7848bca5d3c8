//! The rooms by plain HTTP: for those who have no WebSocket, for programs, and for those who run the server.

mod admin;
mod answers;
mod api;
mod batch;
mod fields;
mod keys;
mod poll;
mod recent;
mod sse;

pub(crate) use admin::Admin;
pub(crate) use api::Api;
pub(crate) use keys::{Keys, made, make_none};
pub(crate) use poll::Poll;
pub(crate) use sse::Sse;
