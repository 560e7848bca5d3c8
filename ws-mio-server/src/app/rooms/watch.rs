//! What operators and proxies are told of other nodes: whether this one can reach them, and metrics.

use std::fmt::Write as _;
use std::sync::Arc;

use ws_mio_server::backplane::Stats;

use super::{Rooms, lock};

impl Rooms {
    /// Tells the server what there is of other nodes: whether it is ready, and metrics.
    pub(super) fn watch(&self) {
        if self.is_clustered() {
            self.tell_ready();
            let rooms = Arc::downgrade(&self.0);
            self.with(|handle| {
                handle.add_metrics(move |text| {
                    if let Some(inner) = rooms.upgrade() {
                        Self(inner).write_metrics(text);
                    }
                });
            });
        }
    }

    /// A server that refuses what is published should get no new clients.
    pub(super) fn tell_ready(&self) {
        let Some(cluster) = &self.0.cluster else { return };
        let is_ready = cluster.is_ready();
        self.with(|handle| handle.set_ready(is_ready));
    }

    fn write_metrics(&self, text: &mut String) {
        let Some(cluster) = &self.0.cluster else { return };
        let up = u64::from(cluster.is_up());
        let (stats, requests) = (self.cluster_stats(), cluster.waiting());
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        for (name, kind, help, value) in [
            ("up", "gauge", "Whether Redis can be reached.", up),
            ("rooms", "gauge", "Rooms that are attached.", number(stats.rooms)),
            (
                "requests_waiting",
                "gauge",
                "Requests that Redis has not answered.",
                number(requests),
            ),
            ("publishes_waiting", "gauge", "Messages that have no id yet.", number(stats.waiting)),
            ("appended_total", "counter", "Messages that have got an id.", stats.appended),
            ("appended_again_total", "counter", "Messages that were sent again.", stats.again),
            ("delivered_total", "counter", "Messages for members here.", stats.delivered),
            ("filled_total", "counter", "Messages that were read to fill gaps.", stats.filled),
            ("lost_total", "counter", "Messages that members here were told are gone.", stats.lost),
            ("resets_total", "counter", "Times that a room began a new epoch.", stats.resets),
        ] {
            // A string takes everything.
            let _ = writeln!(text, "# HELP wsmio_backplane_{name} {help}");
            let _ = writeln!(text, "# TYPE wsmio_backplane_{name} {kind}");
            let _ = writeln!(text, "wsmio_backplane_{name} {value}");
        }
    }

    /// What has been done with other nodes.
    fn cluster_stats(&self) -> Stats {
        let mut sum = Stats::default();
        for shard in self.0.shards.iter() {
            if let Some(node) = &lock(shard).node {
                sum = sum.plus(node.stats());
            }
        }
        sum
    }
}
