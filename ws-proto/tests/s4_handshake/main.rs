//! RFC 6455 §4: the opening handshake, over header fields and over raw bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may panic"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod client;
mod heads;
mod limits;
mod refusals;
mod server;

use ws_proto::handshake::Field;

/// The nonce, key and proof of RFC 6455 §1.3.
const NONCE: [u8; 16] = *b"the sample nonce";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const REQUEST: [(&str, &str); 5] = [
    ("Host", "server.example"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
];

const RESPONSE: [(&str, &str); 3] =
    [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", ACCEPT)];

/// Header fields that a test changes.
#[derive(Clone, Debug)]
struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    fn of(fields: &[(&str, &str)]) -> Self {
        Self(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().into()))
                .collect(),
        )
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        self
    }

    fn and(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// With this value in place of whatever there was.
    fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).and(name, value)
    }

    fn borrow(&self) -> Vec<Field<'_>> {
        self.0.iter().map(|(name, value)| Field { name, value }).collect()
    }
}

fn request() -> Fields {
    Fields::of(&REQUEST)
}

fn response() -> Fields {
    Fields::of(&RESPONSE)
}
