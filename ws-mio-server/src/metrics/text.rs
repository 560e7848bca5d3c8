//! Metrics as Prometheus reads them (its text format, version 0.0.4).

use std::fmt::{self, Display, Write as _};
use std::sync::atomic::Ordering;

use super::histogram::BOUNDS;
use super::{Counters, Drops, Handshakes, Histogram, Metrics, SlowPeers};

/// The `Content-Type` of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        head(f, "build_info", "gauge", "The server's version.")?;
        writeln!(f, "wsmio_build_info{{version=\"{version}\"}} 1")?;
        self.gauges(f)?;
        self.counters(f)?;
        self.refused(f)?;
        self.answered(f)?;
        self.closed(f)?;
        self.slow(f)?;
        self.tls(f)?;
        let turns = "How long turns of the event loops took, in seconds.";
        self.histogram(f, "turn_seconds", turns, |worker| &worker.turns)?;
        let deliveries = "How long messages to topics took until they were sent, in seconds, \
                          once for each worker with subscribers.";
        self.histogram(f, "delivery_seconds", deliveries, |worker| &worker.deliveries)?;
        let mut text = String::new();
        if let Some(metrics) = self.said.metrics.get() {
            metrics(&mut text);
        }
        f.write_str(&text)
    }
}

impl Metrics {
    fn gauges(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "connections", "gauge", "Connections that are open, in whatever state.")?;
        for (number, worker) in self.workers.iter().enumerate() {
            let count = worker.connections.load(Ordering::Relaxed);
            writeln!(f, "wsmio_connections{{worker=\"{number}\"}} {count}")?;
        }
        let open = |worker: &Counters| worker.accepted.get().wrapping_sub(worker.closed.total());
        let streams = |worker: &Counters| {
            worker.streams_opened.get().wrapping_sub(worker.streams_ended.get())
        };
        let queued = |worker: &Counters| {
            u64::try_from(worker.queued.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
        };
        let reserved = self.deflate_reserved.load(Ordering::Relaxed);
        for (name, help, value) in [
            ("websockets", "WebSockets that are open.", self.sum(open)),
            ("event_streams", "Streams of events that are open.", self.sum(streams)),
            ("queued_bytes", "Bytes that wait for peers to take them.", self.sum(queued)),
            (
                "deflate_reserved_bytes",
                "Memory that connections may come to need for compression.",
                u64::try_from(reserved).unwrap_or(u64::MAX),
            ),
        ] {
            head(f, name, "gauge", help)?;
            writeln!(f, "wsmio_{name} {value}")?;
        }
        Ok(())
    }

    fn counters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        type Of = fn(&Counters) -> u64;
        let all: [(&str, &str, Of); 13] = [
            ("handshakes_accepted", "Opening handshakes accepted.", |c| c.accepted.get()),
            ("messages_received", "Messages received.", |c| c.messages.get()),
            ("messages_published", "Messages published to topics.", |c| c.published.get()),
            ("messages_delivered", "Copies of them queued for subscribers.", |c| c.delivered.get()),
            ("bytes_received", "Bytes read from sockets.", |c| c.bytes_received.get()),
            ("bytes_sent", "Bytes written to sockets.", |c| c.bytes_sent.get()),
            ("reads", "Reads from sockets.", |c| c.reads.get()),
            ("writes", "Writes to sockets.", |c| c.writes.get()),
            ("drained", "Connections closed because the server drains.", |c| c.drained.get()),
            ("abandoned", "Connections dropped when the server stopped.", |c| c.abandoned.get()),
            ("held_up", "Turns of an event loop of half a second or more.", |c| c.held_up.get()),
            ("tls_failed", "Connections by TLS that failed before a request.", |c| {
                c.tls_failed.get()
            }),
            ("accept_rests", "Rests of accepting: no descriptors or memory.", |c| c.rests.get()),
        ];
        for (name, help, of) in all {
            head(f, &format!("{name}_total"), "counter", help)?;
            writeln!(f, "wsmio_{name}_total {}", self.sum(of))?;
        }
        Ok(())
    }

    fn refused(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let help = "Requests refused, by status, or by code if accepted to tell.";
        head(f, "requests_refused_total", "counter", help)?;
        let mut sums = Vec::new();
        for worker in &*self.workers {
            add(&mut sums, worker.refused.each());
        }
        for (status, count) in sums {
            writeln!(f, "wsmio_requests_refused_total{{status=\"{status}\"}} {count}")?;
        }
        Ok(())
    }

    fn answered(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let help = "Plain requests that services answered, by the class of the status.";
        head(f, "requests_answered_total", "counter", help)?;
        let mut sums = Vec::new();
        for worker in &*self.workers {
            add(&mut sums, worker.answered.each());
        }
        for (status, count) in sums {
            writeln!(f, "wsmio_requests_answered_total{{status=\"{status}\"}} {count}")?;
        }
        Ok(())
    }

    fn closed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(
            f,
            "closed_total",
            "counter",
            "WebSockets that ended, by code and by who ended them.",
        )?;
        let mut sums = Vec::new();
        for worker in &*self.workers {
            add(&mut sums, worker.closed.each().map(|(by, code, count)| ((by, code), count)));
        }
        for ((by, code), count) in sums {
            writeln!(f, "wsmio_closed_total{{by=\"{by}\",code=\"{code}\"}} {count}")?;
        }
        Ok(())
    }

    fn tls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let help = "Connections by TLS that have agreed on keys, by version.";
        head(f, "tls_handshakes_total", "counter", help)?;
        for (i, (version, _)) in Handshakes::default().each().into_iter().enumerate() {
            let count = self.sum(|w| w.tls_agreed.each().get(i).map_or(0, |(_, count)| *count));
            writeln!(f, "wsmio_tls_handshakes_total{{version=\"{version}\"}} {count}")?;
        }
        Ok(())
    }

    fn slow(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let help = "How often too much waited for a peer, or for too long, by what happened.";
        head(f, "slow_peers_total", "counter", help)?;
        for (i, (limit, on_slow, _)) in SlowPeers::default().each().enumerate() {
            let (limit, policy) = (limit.name(), on_slow.name());
            let count = self.sum(|worker| worker.slow.each().nth(i).map_or(0, |(_, _, c)| c.get()));
            writeln!(f, "wsmio_slow_peers_total{{limit=\"{limit}\",policy=\"{policy}\"}} {count}")?;
        }
        type Of = fn(&Drops) -> Vec<(&'static str, u64)>;
        let all: [(&str, &str, Of); 2] = [
            ("dropped_messages_total", "Messages that were queued and not sent, by why.", |d| {
                d.each().map(|(cause, messages, _)| (cause, messages)).collect()
            }),
            ("dropped_bytes_total", "Bytes that were queued and not sent, by why.", |d| {
                d.each().map(|(cause, _, bytes)| (cause, bytes)).collect()
            }),
        ];
        for (name, help, of) in all {
            head(f, name, "counter", help)?;
            let mut sums = of(&Drops::default());
            for worker in &*self.workers {
                for ((_, sum), (_, count)) in sums.iter_mut().zip(of(&worker.drops)) {
                    *sum = sum.wrapping_add(count);
                }
            }
            for (cause, count) in sums {
                writeln!(f, "wsmio_{name}{{cause=\"{cause}\"}} {count}")?;
            }
        }
        Ok(())
    }

    fn histogram(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        help: &str,
        of: impl Fn(&Counters) -> &Histogram,
    ) -> fmt::Result {
        head(f, name, "histogram", help)?;
        let bounds = BOUNDS.iter().map(|bound| seconds(u64::from(*bound).saturating_mul(1000)));
        let bounds = bounds.chain(["+Inf".to_owned()]);
        let mut below: u64 = 0;
        for (i, bound) in bounds.enumerate() {
            let count = self.sum(|worker| of(worker).buckets().get(i).copied().unwrap_or(0));
            below = below.wrapping_add(count);
            writeln!(f, "wsmio_{name}_bucket{{le=\"{bound}\"}} {below}")?;
        }
        let sum = self.sum(|worker| of(worker).sum());
        writeln!(f, "wsmio_{name}_sum {}\nwsmio_{name}_count {below}", seconds(sum))
    }
}

fn head(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(f, "# HELP wsmio_{name} {help}\n# TYPE wsmio_{name} {kind}")
}

/// Adds counts to those of the same labels; what never happened is left out.
fn add<L: PartialEq>(sums: &mut Vec<(L, u64)>, counts: impl Iterator<Item = (L, u64)>) {
    for (labels, count) in counts.filter(|(_, count)| *count > 0) {
        match sums.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, sum)) => *sum = sum.wrapping_add(count),
            None => sums.push((labels, count)),
        }
    }
}

/// Nanoseconds as seconds, exactly.
fn seconds(nanos: u64) -> String {
    let mut text = (nanos / 1_000_000_000).to_string();
    // A string takes everything.
    let _ = write!(text, ".{:09}", nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
