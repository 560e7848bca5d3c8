//! A plain request to a service: from its head until it is answered, or its stream of events has ended.

use std::mem;

use ws_proto::handshake::{Field, head};
use ws_proto::keepalive::Instant;
use ws_proto::{CloseCode, Sink as _};

use super::answer::{STOPPING, respond, shown_to};
use super::asking::Asked;
use super::open::tenths;
use super::opening::Opening;
use super::{Fate, Phase, Step};
use crate::context::{Context, Settings};
use crate::extra::Extra;
use crate::http::body::BodyReader;
use crate::http::{Answer, COMMENT, Call, CallId, Events, Reply, Written, closing};
use crate::id::Key;
use crate::peer::{EndedBy, Ending};
use crate::record::{Cause, CloseRecord, Last};
use crate::{Request, clock};

/// How many bytes of further requests are kept while one is served; with more, it is the last.
const BEHIND: usize = 16 * 1024;
/// How much memory the bodies of a worker's requests may take, all together; one may in any case.
const BODIES: usize = 64 * 1024 * 1024;

/// A request to a service.
#[derive(Debug)]
pub(super) struct Serving {
    asked: Asked,
    head: Vec<u8>,
    stage: Stage,
    since: Instant,
    /// What came behind the request.
    behind: Vec<u8>,
    /// What the call is named, once it is one.
    id: Option<CallId>,
}

#[derive(Debug)]
enum Stage {
    /// The body is due.
    Body(BodyReader),
    /// The answer is.
    Answer {
        by: Instant,
        otherwise: Answer,
    },
    Events {
        next_comment: Instant,
    },
    /// All is said: what is queued goes out. For a stream that this end has closed, how.
    Over {
        since: Instant,
        closed: Option<CloseCode>,
    },
}

impl Serving {
    /// A request whose head is good.
    pub(super) fn new(asked: Asked, body: BodyReader, head: &[u8], now: Instant) -> Self {
        let (head, stage) = (head.to_vec(), Stage::Body(body));
        Self { asked, head, stage, since: now, behind: Vec::new(), id: None }
    }

    /// Takes bytes of the peer; the next phase, if there is one, and how many of the bytes are not its.
    pub(super) fn receive(
        &mut self,
        key: Key,
        bytes: &[u8],
        extra: &mut Option<Box<Extra>>,
        context: &mut Context,
    ) -> Option<Step> {
        match &mut self.stage {
            Stage::Body(reader) => {
                if mem::take(&mut self.asked.expects) && bytes.is_empty() {
                    // The cork takes everything.
                    let _ = context.cork.put(b"HTTP/1.1 100 Continue\r\n\r\n", &[]);
                }
                let before = reader.memory();
                let taken = reader.push(bytes);
                let memory = reader.memory();
                context.bodies = context.bodies.saturating_sub(before).saturating_add(memory);
                let is_complete = reader.is_complete();
                match taken {
                    Ok(_) if context.bodies > BODIES && context.bodies > memory => {
                        let reason = "too many bodies come at once; try again";
                        self.refuse(503, &[Field::new("Retry-After", "1")], reason, context);
                        None
                    }
                    Ok(taken) if is_complete => {
                        let phase = self.call(key, extra, context);
                        if phase.is_none() {
                            self.keep(bytes.get(taken..).unwrap_or_default());
                        }
                        Some(Step { phase: phase?, taken })
                    }
                    Ok(_) => None,
                    Err(error) => {
                        self.refuse(error.status(), &[], &error.to_string(), context);
                        None
                    }
                }
            }
            Stage::Answer { .. } => {
                self.keep(bytes);
                None
            }
            Stage::Events { .. } | Stage::Over { .. } => None,
        }
    }

    /// Asks the service, for all has come; the next phase, if there is one.
    fn call(
        &mut self,
        key: Key,
        extra: &mut Option<Box<Extra>>,
        context: &mut Context,
    ) -> Option<Phase> {
        let over = Stage::Over { since: context.now, closed: None };
        let (stage, bytes) = (mem::replace(&mut self.stage, over), mem::take(&mut self.head));
        let (Stage::Body(body), Ok(request)) = (stage, head::request(&bytes)) else { return None };
        let id = CallId::new(context.worker, key, context.next_call());
        self.id = Some(id);
        let call = Call {
            id,
            method: request.method,
            request: Request::new(request.target, &request.fields, clock::unix_time()),
            params: &self.asked.params,
            body: body.body(),
            identity: self.asked.identity.as_deref(),
            address: self.asked.client,
        };
        let mut services = mem::take(&mut context.services);
        let reply = services.get_mut(self.asked.service).map(|service| service.on_call(&call));
        context.services = services;
        context.bodies = context.bodies.saturating_sub(body.memory());
        match reply? {
            Reply::Now(answer) => self.answer(&answer, context),
            Reply::Later { within, otherwise } => {
                self.stage = Stage::Answer { by: context.now.after(within), otherwise };
                None
            }
            Reply::Events { .. } if context.stopping => {
                self.refuse(503, &[Field::new("Retry-After", "1")], STOPPING, context);
                self.end(context);
                None
            }
            Reply::Events { retry } => {
                let origin = self.asked.origin.as_deref();
                Events { origin, retry }.write(&mut context.cork);
                let next_comment = context.now.after(context.settings.event_heartbeat);
                self.stage = Stage::Events { next_comment };
                context.counters.streams_opened.add_one();
                context.has_begun_stream = true;
                if self.asked.identity.is_some() || self.asked.forwarded.is_some() {
                    let extra = extra.get_or_insert_default();
                    extra.about.identity = self.asked.identity.take();
                    extra.about.client = self.asked.forwarded;
                }
                None
            }
        }
    }

    /// Answers the request; the next phase, if there is one.
    fn answer(&mut self, answer: &Answer, context: &mut Context) -> Option<Phase> {
        let keeps = self.asked.keeps && !context.stopping;
        let (origin, is_head) = (self.asked.origin.as_deref(), self.asked.is_head);
        answer.write(&Written { origin, keeps, is_head }, &mut context.cork);
        context.counters.answered.add(answer.status());
        self.finish(context);
        keeps
            .then(|| Phase::Opening(Opening::kept(context.now, self.asked.serves, self.asked.told)))
    }

    /// Answers a request that has come to nothing.
    fn refuse(&mut self, status: u16, fields: &[Field<'_>], reason: &str, context: &mut Context) {
        let shown_to = self.asked.origin.as_deref().into_iter().flat_map(shown_to);
        let fields = fields.iter().copied().chain(shown_to).collect::<Vec<_>>();
        let method = if self.asked.is_head { &b"HEAD"[..] } else { b"" };
        context.client = self.asked.forwarded;
        respond(status, &fields, reason, method, context);
        self.finish(context);
    }

    /// The service is answered to `number`, if that is the one that waits; the next phase, if there is one, and
    /// what came meanwhile.
    pub(super) fn answer_late(
        &mut self,
        number: u32,
        answer: &Answer,
        context: &mut Context,
    ) -> Option<(Phase, Vec<u8>)> {
        if self.id.is_none_or(|id| id.number != number)
            || !matches!(self.stage, Stage::Answer { .. })
        {
            return None;
        }
        let phase = self.answer(answer, context);
        self.end(context);
        Some((phase?, mem::take(&mut self.behind)))
    }

    /// Keeps bytes until this request is answered.
    fn keep(&mut self, bytes: &[u8]) {
        let len = self.behind.len().saturating_add(bytes.len());
        if !matches!(self.stage, Stage::Answer { .. }) || !self.asked.keeps {
            return;
        }
        if len > BEHIND {
            self.asked.keeps = false;
            self.behind = Vec::new();
        } else {
            self.behind.extend_from_slice(bytes);
        }
    }

    /// Ends what this end has not ended yet.
    pub(super) fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        extra: &mut Option<Box<Extra>>,
        context: &mut Context,
    ) {
        let waits = matches!(self.stage, Stage::Answer { .. });
        match &self.stage {
            Stage::Body(_) | Stage::Answer { .. } => {
                let stops = code == CloseCode::GOING_AWAY || code == CloseCode::SERVICE_RESTART;
                let reason = if stops { STOPPING } else { "the server has closed the connection" };
                self.refuse(503, &[Field::new("Retry-After", "1")], reason, context);
                if waits {
                    self.end(context);
                }
            }
            Stage::Events { .. } => {
                // The cork takes everything.
                let _ = context.cork.put(&closing(code, reason), &[]);
                let extra = extra.get_or_insert_default();
                extra.about.cause = Some(Box::new(Cause::new(code, reason, extra.outbox.len())));
                self.finish(context);
                self.stage = Stage::Over { since: context.now, closed: Some(code) };
                self.end(context);
            }
            Stage::Over { .. } => {}
        }
    }

    /// The connection is no more, or is about to be dropped.
    pub(super) fn lost(&mut self, extra: Option<&Extra>, context: &mut Context) {
        match self.stage {
            Stage::Body(_) | Stage::Over { closed: None, .. } => self.finish(context),
            Stage::Answer { .. } => {
                self.finish(context);
                self.end(context);
            }
            Stage::Events { .. } => {
                self.finish(context);
                self.end(context);
                self.record(EndedBy::Peer, 1005, extra, context);
            }
            Stage::Over { closed: Some(code), .. } => {
                self.finish(context);
                self.record(EndedBy::Server, code.get(), extra, context);
            }
        }
    }

    /// A deadline may have come; the next phase, if there is one.
    pub(super) fn expire(
        &mut self,
        extra: &mut Option<Box<Extra>>,
        context: &mut Context,
    ) -> (Fate, Option<Phase>) {
        let now = context.now;
        let due = self.deadline(extra.as_deref(), &context.settings) <= now;
        match &mut self.stage {
            _ if !due => {}
            Stage::Body(_) => self.refuse(408, &[], "the body did not come in time", context),
            Stage::Answer { otherwise, .. } => {
                let otherwise = mem::replace(otherwise, Answer::new(503));
                // What came meanwhile can't be served from here.
                self.asked.keeps &= self.behind.is_empty();
                let phase = self.answer(&otherwise, context);
                self.end(context);
                return (Fate::Lives, phase);
            }
            Stage::Events { next_comment } => {
                *next_comment = now.after(context.settings.event_heartbeat);
                // The cork takes everything.
                let _ = context.cork.put(COMMENT, &[]);
            }
            Stage::Over { .. } => return (Fate::Dies, None),
        }
        (Fate::Lives, None)
    }

    /// When [`expire`](Self::expire) is due next.
    pub(super) fn deadline(&self, extra: Option<&Extra>, settings: &Settings) -> Instant {
        match &self.stage {
            Stage::Body(_) => self.since.after(settings.body_timeout),
            Stage::Answer { by, .. } => *by,
            Stage::Events { next_comment } => *next_comment,
            // Whoever goes on to take the answer gets all of it.
            Stage::Over { since, .. } => {
                let progress = extra.filter(|extra| !extra.outbox.is_empty());
                let since = progress.map_or(*since, |extra| extra.progress.max(*since));
                since.after(settings.timing.close_within)
            }
        }
    }

    pub(super) const fn since(&self) -> Instant {
        self.since
    }

    /// Whether it is a stream of events that goes on.
    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.stage, Stage::Events { .. })
    }

    /// Whether nothing will be sent after what is queued.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over { .. })
    }

    /// The request is over, and nobody counts for it any more.
    fn finish(&mut self, context: &mut Context) {
        let over = Stage::Over { since: context.now, closed: None };
        if let Stage::Body(body) = mem::replace(&mut self.stage, over) {
            context.bodies = context.bodies.saturating_sub(body.memory());
        }
        self.asked.place = None;
        if mem::take(&mut self.asked.is_entered) {
            context.register.leave();
        }
    }

    /// Tells the service that what it has begun is over.
    fn end(&self, context: &mut Context) {
        if let Some(id) = self.id
            && let Some(service) = context.services.get_mut(self.asked.service)
        {
            service.on_end(id);
        }
    }

    /// A stream has ended: what the log is to say.
    fn record(&self, by: EndedBy, code: u16, extra: Option<&Extra>, context: &mut Context) {
        context.counters.streams_ended.add_one();
        let ending = Ending { code, reason: "", by };
        context.closed = CloseRecord::of(&ending, extra, context.ended.is_wanted());
        if let Some(record) = &mut context.closed {
            let age = tenths(context.now).saturating_sub(tenths(self.since));
            record.complete(age, Last::Nothing, None);
        }
    }
}
