//! The vectors of ws-proto's own tests, replayed through the functions of the header: whatever the core does
//! about split input, they do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests may panic, and pass what the contract asks for"
)]

mod both;
#[path = "../../tests/harness/mod.rs"]
mod core_harness;
#[path = "../../tests/vectors/mod.rs"]
mod vectors;

/// The harness of those tests, with a [`replay`](harness::replay) of our own.
mod harness {
    pub(crate) use crate::core_harness::{
        BINARY, CLOSE, CONT, End, FIN, Got, KEY, Len, Log, PING, PONG, TEXT, close_frame, frame,
        header,
    };

    use crate::both::{Conn, Step};
    use ws_proto::{Config, State, Transport};

    pub(crate) fn replay<'r>(
        end: End,
        config: Config,
        reads: impl IntoIterator<Item = &'r [u8]>,
    ) -> (Log, State, Transport) {
        let mut conn = match end {
            End::Server => Conn::server(config),
            End::Client => Conn::client(config),
        };
        let mut log = Log::default();
        for read in reads {
            // Of its own length, so that tools see a byte too far.
            let mut bytes = read.to_vec().into_boxed_slice();
            let mut input = Conn::input(&mut bytes);
            loop {
                match conn.next_event(&mut input) {
                    Step::None => break,
                    Step::Event(event) => log.push(event),
                    Step::Failed(error) => {
                        assert_eq!(log.error.replace(error), None, "a second error")
                    }
                }
                conn.poll_transmit(&mut log.sent.bytes);
            }
            assert_eq!(input.len, 0, "WSP_NONE, and bytes are left");
            conn.poll_transmit(&mut log.sent.bytes);
        }
        (log, conn.state(), conn.transport())
    }
}

#[test]
fn all_vectors_in_chunks_of_every_size() {
    vectors::all().iter().for_each(vectors::Vector::check);
}

#[test]
fn all_vectors_cut_at_every_place() {
    vectors::all().iter().for_each(vectors::Vector::check_cuts);
}
