//! What is due when in a session, and what happens then.

use ws_proto::keepalive::Instant;

use super::{Phase, Session};
use crate::context::Context;

/// What a deadline has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Lives,
    /// The socket is to be dropped.
    Dies,
}

impl Session {
    /// A deadline may have come.
    pub(crate) fn expire(&mut self, context: &mut Context) -> Fate {
        let now = context.now;
        let stalls = self.stalls_at(context).is_some_and(|at| at <= now);
        if stalls && self.listens() {
            self.stalled(context);
        }
        let is_owing = self.queued() > 0;
        match &mut self.phase {
            Phase::Opening(opening) if opening.is_idle() && is_owing => {
                match stalls {
                    true => self.phase = Phase::Ending { since: now },
                    false => opening.wait_on(now),
                }
                Fate::Lives
            }
            Phase::Serving(serving) => {
                let (fate, phase) = serving.expire(&mut self.extra, context);
                if let Some(phase) = phase {
                    self.phase = phase;
                }
                fate
            }
            Phase::Opening(opening) => {
                if let Some(phase) = opening.expire(context) {
                    self.phase = phase;
                }
                Fate::Lives
            }
            Phase::Open(open) => open.expire(&mut self.extra, context),
            Phase::Ending { since } | Phase::Ended { since } => {
                let expired = since.after(context.settings.timing.close_within) <= now;
                if expired { Fate::Dies } else { Fate::Lives }
            }
        }
    }

    /// When [`expire`](Self::expire) is due next.
    pub(crate) fn deadline(&self, context: &Context) -> Option<Instant> {
        let settings = &context.settings;
        match &self.phase {
            Phase::Opening(opening) => earlier(self.delayed_until(), opening.deadline(settings)),
            Phase::Serving(serving) => {
                let due = serving.deadline(self.extra.as_deref(), settings);
                let due = earlier(self.delayed_until(), due);
                [due, self.stalls_at(context)].into_iter().flatten().min()
            }
            Phase::Open(open) => {
                let stalls = self.stalls_at(context);
                [stalls, open.deadline(settings), self.delayed_until()].into_iter().flatten().min()
            }
            Phase::Ending { since } | Phase::Ended { since } => {
                Some(since.after(settings.timing.close_within))
            }
        }
    }

    /// When the peer will have taken nothing for too long.
    fn stalls_at(&self, context: &Context) -> Option<Instant> {
        match &self.extra {
            Some(extra) if self.listens() || self.is_opening() => {
                extra.stalled_at(self.patience(context))
            }
            _ => None,
        }
    }
}

fn earlier(one: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(one.map_or(other, |one| one.min(other)))
}
