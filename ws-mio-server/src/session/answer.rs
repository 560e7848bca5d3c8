//! Answers to requests: opening handshakes and pages.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ws_proto::deflate::Agreement;
use ws_proto::handshake::head::{self, RequestHead};
use ws_proto::handshake::{Agreed, Choice, Field, Reject, Response, Upgrade};
use ws_proto::{CloseCode, Config, Connection, Pongs, Server};

use super::asking::{Asked, Door, ask};
use super::{Handlers, Phase};
use crate::admission::Place;
use crate::auth::{BEARER, OnDenied};
use crate::clock;
use crate::context::{Context, Settings};
use crate::deflate::Reserved;
use crate::http::body::BodyReader;
use crate::listener::Serves;
use crate::metrics;
use crate::origin::{self, OriginRefused};
use crate::query;
use crate::route::{Page, Params, Route};
use crate::{Denied, Identity, Request};

/// What a complete request has come to.
pub(super) enum Answered {
    /// All is said.
    Done,
    /// A WebSocket is open.
    Opened(Opened),
    /// A service is to answer it, when its body has come.
    Asked(Asked, BodyReader),
}

/// A request that was accepted.
pub(super) struct Opened {
    pub(super) route: u16,
    pub(super) params: Params,
    pub(super) deflate: Option<Agreement>,
    pub(super) memory: Option<Reserved>,
    pub(super) identity: Option<Box<Identity>>,
    pub(super) place: Option<Box<Place>>,
    pub(super) connection: Connection<Server>,
}

/// An opening handshake that was accepted.
struct Upgraded {
    agreed: Agreed,
    memory: Option<Reserved>,
    /// Who it is, or why it may not be here all the same.
    identity: Result<Option<Box<Identity>>, Denied>,
    place: Option<Box<Place>>,
}

/// Refuses a request that has not come in whole when the server stops.
pub(super) fn refuse_stopping(context: &mut Context) -> Phase {
    context.client = None;
    respond(503, &[Field::new("Retry-After", "1")], STOPPING, b"", context)
}

pub(super) const STOPPING: &str = "the server is shutting down";

/// The `Content-Type` of a line of text.
const TEXT: &str = "text/plain; charset=utf-8";

/// Closes a connection of somebody who may not be here, where that is not told by a status of 401.
const UNAUTHORIZED: u16 = 4401;

/// Answers a complete request.
pub(super) fn answer(
    head: &[u8],
    nearest: Option<IpAddr>,
    serves: Serves,
    handlers: &Handlers,
    context: &mut Context,
) -> Answered {
    match try_answer(head, nearest, serves, handlers, context) {
        Ok(answered) => answered,
        Err(Refusal { status, reason, fields, allow, origin, note }) => {
            let mut fields = fields.to_vec();
            fields.extend(allow.as_deref().map(|allow| Field::new("Allow", allow)));
            fields.extend(origin.as_deref().into_iter().flat_map(shown_to));
            respond(status, &fields, &reason, method(head), context);
            if let Some(note) = note {
                context.refused = Some((status, note));
            }
            Answered::Done
        }
    }
}

/// Lets the browser of a page of this origin show it a refusal.
pub(super) fn shown_to(origin: &str) -> [Field<'_>; 2] {
    [Field::new("Access-Control-Allow-Origin", origin), Field::new("Vary", "Origin")]
}

/// A response that refuses a request.
#[derive(Default)]
pub(super) struct Refusal {
    status: u16,
    reason: String,
    fields: &'static [Field<'static>],
    /// The methods that would have been served.
    allow: Option<String>,
    /// The origin of the page whose browser is to show it the refusal.
    origin: Option<String>,
    /// What is logged instead of the reason: the peer need not know.
    note: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, reason: impl ToString) -> Self {
        Self { status, reason: reason.to_string(), ..Self::default() }
    }

    /// The same, for a method beside these.
    pub(super) fn allowing(self, methods: &[&str]) -> Self {
        Self { allow: Some(methods.join(", ")), ..self }
    }

    /// The same, shown to the page of an origin.
    pub(super) fn shown_to(self, origin: Option<String>) -> Self {
        Self { origin, ..self }
    }
}

fn try_answer(
    head: &[u8],
    nearest: Option<IpAddr>,
    serves: Serves,
    handlers: &Handlers,
    context: &mut Context,
) -> Result<Answered, Refusal> {
    let request = head::request(head).map_err(|error| Refusal::new(error.status(), error))?;
    let client = nearest.map(|nearest| context.settings.trust.client(nearest, &request.fields));
    context.client = client.filter(|client| Some(*client) != context.peer);
    let routes = Arc::clone(match serves {
        Serves::Everyone => &context.routes,
        Serves::Admin => &context.admin,
    });
    let (route, params) = match routes.find(request.target) {
        Ok(Some(found)) => found,
        Ok(None) => return Err(Refusal::new(404, "nothing is served at this path")),
        Err(error) => return Err(Refusal::new(400, error)),
    };
    match *route {
        Route::Page(Page { content_type, fields, body }) => {
            let fields = fields.iter().map(|(name, value)| Field::new(name, value));
            let fields: Vec<_> = [content(content_type)].into_iter().chain(fields).collect();
            serve_page(Response { status: 200, fields: &fields, body }, &request, context)?;
            Ok(Answered::Done)
        }
        Route::Health => {
            let fields = &[content(TEXT)];
            serve_page(Response { status: 200, fields, body: b"ok\n" }, &request, context)?;
            Ok(Answered::Done)
        }
        Route::Readiness => {
            let unready = context.metrics.said.unready.load(Ordering::Relaxed);
            let (status, body) = match (context.stopping, unready) {
                (false, false) => (200, &b"ready\n"[..]),
                (false, true) => (503, &b"not ready\n"[..]),
                (true, _) => (503, &b"draining\n"[..]),
            };
            let fields = &[content(TEXT)];
            serve_page(Response { status, fields, body }, &request, context)?;
            Ok(Answered::Done)
        }
        Route::Metrics => {
            let text = context.metrics.to_string();
            let (fields, body) = (&[content(metrics::CONTENT_TYPE)], text.as_bytes());
            serve_page(Response { status: 200, fields, body }, &request, context)?;
            Ok(Answered::Done)
        }
        Route::Service(service, ref check) => {
            let door = Door { service, check, serves, client };
            let asked = ask(door, params, &request, context)?;
            Ok(asked.map_or(Answered::Done, |(asked, body)| Answered::Asked(asked, body)))
        }
        Route::WebSocket(route) => {
            let Upgraded { agreed, memory, identity, place } =
                upgrade(route, client, &request, handlers, context)?;
            context.query.clear();
            context.query.push_str(query::of(request.target));
            let deflate = agreed.deflate();
            let memory = memory.and_then(|memory| context.pool.policy.settle(memory, deflate));
            let max_message = context.settings.max_message;
            let config = Config { max_message, pongs: Pongs::Automatic };
            let mut connection = Connection::new(Server, config, agreed);
            match identity {
                Ok(identity) => Ok(Answered::Opened(Opened {
                    route,
                    params,
                    deflate,
                    memory,
                    identity,
                    place,
                    connection,
                })),
                Err(denied) => {
                    close_denied(&mut connection, &denied, context);
                    Ok(Answered::Done)
                }
            }
        }
    }
}

fn upgrade(
    route: u16,
    client: Option<IpAddr>,
    request: &RequestHead<'_>,
    handlers: &Handlers,
    context: &mut Context,
) -> Result<Upgraded, Refusal> {
    if request.minor_version != 1 {
        return Err(Refusal::new(505, "WebSocket needs HTTP/1.1"));
    }
    let upgrade = Upgrade::parse(request.method, &request.fields).map_err(Refusal::from)?;
    if context.stopping {
        let fields = const { &[Field::new("Retry-After", "1")] };
        return Err(Refusal { fields, ..Refusal::new(503, STOPPING) });
    }
    origin::check(&context.settings.origins, &request.fields)?;
    let spoken = handlers.get(usize::from(route)).map(|handler| handler.subprotocols());
    let asked = Request::new(request.target, &request.fields, clock::unix_time());
    let identity = identify(&asked, &context.settings)?;
    let place = match &identity {
        Ok(identity) => enter(client, identity.as_deref(), context)?,
        // It is let in only to be told that it may not be here.
        Err(_) => None,
    };
    // A browser wants one of those that it offered, and a token can't be it.
    let bearer = asked.subprotocol_token().and_then(|_| upgrade.choose(&[BEARER]));
    let bearer = bearer.filter(|_| context.settings.guard.is_some());
    let subprotocol = upgrade.choose(spoken.unwrap_or_default()).or(bearer);
    let choice = Choice { subprotocol, fields: &[] };
    let (accepted, memory) = match context.pool.policy.offer() {
        Some((settings, memory)) => {
            (upgrade.accept_deflate(choice, &settings, &mut context.cork), Some(memory))
        }
        None => (upgrade.accept(choice, &mut context.cork), None),
    };
    let agreed = accepted.map_err(|error| {
        if identity.is_ok() {
            context.register.leave();
        }
        Refusal::new(500, error)
    })?;
    Ok(Upgraded { agreed, memory, identity, place })
}

/// Gives a place to who connects, if there is one.
pub(super) fn enter(
    client: Option<IpAddr>,
    identity: Option<&Identity>,
    context: &Context,
) -> Result<Option<Box<Place>>, Refusal> {
    let user = identity.map(Identity::user);
    let entered = context.register.enter(&context.settings.limits, client, user, context.turn);
    entered.map_err(|full| {
        let fields = const { &[Field::new("Retry-After", "1")] };
        let note = Some(full.to_string());
        Refusal { fields, note, ..Refusal::new(full.status(), full.told()) }
    })
}

/// Who it is that connects. The inner error is for a connection that is accepted, to be closed at once.
fn identify(
    request: &Request<'_>,
    settings: &Settings,
) -> Result<Result<Option<Box<Identity>>, Denied>, Refusal> {
    let Some(guard) = &settings.guard else { return Ok(Ok(None)) };
    match (guard.check.authenticate(request), guard.on_denied) {
        (Ok(identity), _) => Ok(Ok(Some(Box::new(identity)))),
        (Err(denied), OnDenied::Close) => Ok(Err(denied)),
        (Err(denied), OnDenied::Status) => Err(denied.into()),
    }
}

/// Closes a connection whose opening handshake was accepted only to tell why it can't stay.
fn close_denied(connection: &mut Connection<Server>, denied: &Denied, context: &mut Context) {
    if let Some(code) = CloseCode::new(UNAUTHORIZED) {
        // A vector takes everything, and nothing was closed before.
        let _ = connection.close(code, denied.told(), &mut context.cork);
    }
    context.refuse(UNAUTHORIZED, denied.to_string());
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Self { fields: reject.fields(), ..Self::new(reject.status(), reject) }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let note = Some(denied.to_string());
        Self { fields: denied.challenge(), note, ..Self::new(401, denied.told()) }
    }
}

impl From<OriginRefused> for Refusal {
    fn from(refused: OriginRefused) -> Self {
        let reason = "pages of this origin may not connect here";
        Self { note: Some(refused.to_string()), ..Self::new(403, reason) }
    }
}

/// Answers a plain request for a page. It may be of HTTP/1.0, as health checks often are.
fn serve_page(
    response: Response<'_>,
    request: &RequestHead<'_>,
    context: &mut Context,
) -> Result<(), Refusal> {
    match Upgrade::parse(request.method, &request.fields) {
        Ok(_) => {
            let reason = "no WebSocket endpoint is at this path, only a page";
            return Err(Refusal::new(404, reason));
        }
        Err(Reject::NotAnUpgrade | Reject::Method) => {}
        Err(Reject::Missing("Host")) if request.minor_version == 0 => {}
        Err(reject) => return Err(reject.into()),
    }
    if !matches!(request.method, "GET" | "HEAD") {
        let fields = const { &[Field::new("Allow", "GET, HEAD")] };
        let reason = "a page can only be read: GET or HEAD";
        return Err(Refusal { fields, ..Refusal::new(405, reason) });
    }
    write(&response, request.method.as_bytes(), context);
    Ok(())
}

fn content(kind: &str) -> Field<'_> {
    Field::new("Content-Type", kind)
}

/// Answers with a line of text and remembers what to log.
pub(super) fn respond(
    status: u16,
    fields: &[Field<'_>],
    reason: &str,
    method: &[u8],
    context: &mut Context,
) -> Phase {
    let body = format!("{reason}\n");
    write(&Response { status, fields, body: body.as_bytes() }, method, context);
    context.refuse(status, reason.to_owned());
    Phase::Ending { since: context.now }
}

/// The method of a request, or what stands in its place.
pub(super) fn method(mut head: &[u8]) -> &[u8] {
    // Empty lines may stand in front of it (RFC 9112 §2.2), and nothing else.
    while let Some(behind) = head.strip_prefix(b"\r\n") {
        head = behind;
    }
    head.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// No response to HEAD has a body, not even a refusal (RFC 9110 §9.3.2).
fn write(response: &Response<'_>, method: &[u8], context: &mut Context) {
    // A vector takes everything.
    let _ = match method {
        b"HEAD" => response.write_head(&mut context.cork),
        _ => response.write(&mut context.cork),
    };
}
