//! Streams of events (`text/event-stream`, the HTML standard §9.2).

use std::fmt::Write as _;
use std::time::Duration;

use ws_proto::{CloseCode, Sink};

use super::answer::shown_to;
use crate::cork::Cork;

/// What is sent so that the network, and proxies, see that a stream lives.
pub(crate) const COMMENT: &[u8] = b":\n\n";

/// The head of a stream.
pub(crate) struct Events<'a> {
    /// The origin of the page that asks, if its browser is to show it the stream.
    pub(crate) origin: Option<&'a str>,
    /// After what time the client is to connect again.
    pub(crate) retry: Option<Duration>,
}

impl Events<'_> {
    pub(crate) fn write(&self, cork: &mut Cork) {
        // It lasts as long as the connection, so it needs no framing of its own.
        let mut head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
                        X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n"
            .to_owned();
        shown_to(self.origin, &mut head);
        head.push_str("\r\n");
        match self.retry {
            // A string takes everything.
            Some(retry) => _ = write!(head, "retry: {}\n\n", retry.as_millis()),
            // Something comes at once, so that whoever passes it on knows that it has begun.
            None => head.push_str(":\n\n"),
        }
        // The cork takes everything.
        let _ = cork.put(head.as_bytes(), &[]);
    }
}

/// A text as one event: each of its lines is one of the event's.
pub(crate) fn event(id: Option<&str>, text: &str) -> Vec<u8> {
    let mut event = String::with_capacity(text.len().saturating_add(64));
    if let Some(id) = id {
        // A string takes everything.
        let _ = writeln!(event, "id: {id}");
    }
    data(text, &mut event);
    event.push('\n');
    event.into_bytes()
}

/// The last event of a stream that this end closes: what a Close frame would say, as JSON.
pub(crate) fn closing(code: CloseCode, reason: &str) -> Vec<u8> {
    let mut escaped = String::new();
    for c in reason.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    let code = code.get();
    format!("event: close\ndata: {{\"code\":{code},\"reason\":\"{escaped}\"}}\n\n").into_bytes()
}

fn data(text: &str, event: &mut String) {
    let mut rest = text;
    loop {
        let end = rest.find(['\r', '\n']);
        let (line, behind) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((line, behind)) => (line, Some(behind)),
            None => (rest, None),
        };
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
        let Some(behind) = behind else { break };
        rest = behind.strip_prefix("\r\n").unwrap_or_else(|| behind.get(1..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::{closing, event};
    use ws_proto::CloseCode;

    fn text(id: Option<&str>, text: &str) -> String {
        String::from_utf8(event(id, text)).unwrap()
    }

    #[test]
    fn a_text_is_one_event_whatever_its_lines_end_with() {
        assert_eq!(text(None, "{}"), "data: {}\n\n");
        assert_eq!(text(Some("e:1"), ""), "id: e:1\ndata: \n\n");
        let expected = "data: a\ndata: b\ndata: \ndata: c\ndata: d\ndata: \n\n";
        assert_eq!(text(None, "a\r\nb\n\nc\rd\n"), expected);
    }

    #[test]
    fn an_end_is_told_as_json() {
        let told = closing(CloseCode::TRY_AGAIN_LATER, "a \"b\" \\ \n\u{85}가");
        let told = String::from_utf8(told).unwrap();
        let due = "event: close\ndata: {\"code\":1013,\"reason\":\"a \\\"b\\\" \\\\   가\"}\n\n";
        assert_eq!(told, due);
    }
}
