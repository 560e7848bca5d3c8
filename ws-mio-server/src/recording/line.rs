//! The lines of a recording.

use std::fmt::Write as _;
use std::time::Duration;

use ws_proto::deflate::{Agreement, Context};

/// A line, as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line<'a> {
    Came(&'a [u8]),
    Sent(&'a [u8]),
    WebSocket { head: usize, max_message: u64, deflate: Option<Agreement> },
    Eof,
    Broken(&'a str),
    Closed,
    Full,
    Lost,
}

impl Line<'_> {
    pub(super) fn write(self, time: Duration, out: &mut String) {
        // A string takes everything.
        let _ = write!(out, "{:.6} ", time.as_secs_f64());
        match self {
            Self::Came(bytes) => {
                out.push_str("> ");
                escape(bytes, out);
            }
            Self::Sent(bytes) => {
                out.push_str("< ");
                escape(bytes, out);
            }
            Self::WebSocket { head, max_message, deflate } => {
                let _ = write!(out, "websocket head={head} max-message={max_message}");
                if let Some(Agreement { sent, received }) = deflate {
                    let [received, sent] = [received, sent].map(context);
                    let _ = write!(out, " deflate={received}/{sent}");
                }
            }
            Self::Eof => out.push_str("eof"),
            Self::Broken(reason) => {
                out.push_str("broken ");
                escape(reason.as_bytes(), out);
            }
            Self::Closed => out.push_str("closed"),
            Self::Full => out.push_str("full"),
            Self::Lost => out.push_str("lost"),
        }
        out.push('\n');
    }
}

fn context(Context { window, takeover }: Context) -> String {
    format!("{}{}", window.get(), if takeover { '+' } else { '-' })
}

/// Appends bytes as ASCII in one line.
pub(super) fn escape(bytes: &[u8], out: &mut String) {
    let last = bytes.len().saturating_sub(1);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            // What stands at the end of a line is easily lost.
            b' ' if at == last => out.push_str("\\x20"),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => _ = write!(out, "\\x{byte:02x}"),
        }
    }
}
