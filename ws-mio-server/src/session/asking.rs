//! The head of a request to a service: whether it may be asked, and what its body is to be.

use std::fmt::Write as _;
use std::net::IpAddr;

use ws_proto::Sink as _;
use ws_proto::handshake::head::RequestHead;
use ws_proto::handshake::{Field, Reject, Upgrade};

use super::answer::{Refusal, enter};
use crate::admission::Place;
use crate::context::Context;
use crate::http::body::{BodyError, BodyReader, Framing};
use crate::http::{Check, lists, values};
use crate::listener::Serves;
use crate::origin;
use crate::route::Params;
use crate::{Denied, Identity, Request, clock};

/// What the head of a request has told.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) serves: Serves,
    /// The number of the service.
    pub(super) service: u16,
    pub(super) params: Params,
    pub(super) identity: Option<Box<Identity>>,
    /// Whom a proxy speaks for in front of all requests.
    pub(super) told: Option<IpAddr>,
    /// The client's address.
    pub(super) client: Option<IpAddr>,
    /// The same, if a trusted proxy told it.
    pub(super) forwarded: Option<IpAddr>,
    /// The origin of the page that asks, if a browser does.
    pub(super) origin: Option<String>,
    /// Whether it counts among those who are here.
    pub(super) is_entered: bool,
    pub(super) place: Option<Box<Place>>,
    /// Whether further requests may come by the connection.
    pub(super) keeps: bool,
    pub(super) is_head: bool,
    /// Whether the client waits to be told that it may send the body.
    pub(super) expects: bool,
}

/// A service, as a route leads to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door<'r> {
    pub(super) service: u16,
    pub(super) check: &'r Check,
    pub(super) serves: Serves,
    pub(super) client: Option<IpAddr>,
}

/// What browsers of other origins' pages may send.
const ALLOWED_FIELDS: &str = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID";

/// Judges the head of a request; `None`: it is answered.
pub(super) fn ask(
    door: Door<'_>,
    params: Params,
    request: &RequestHead<'_>,
    context: &mut Context,
) -> Result<Option<(Asked, BodyReader)>, Refusal> {
    match Upgrade::parse(request.method, &request.fields) {
        Ok(_) => {
            let reason = "no WebSocket endpoint is at this path; it answers plain requests";
            return Err(Refusal::new(404, reason));
        }
        Err(Reject::NotAnUpgrade | Reject::Method) => {}
        Err(Reject::Missing("Host")) if request.minor_version == 0 => {}
        Err(reject) => return Err(reject.into()),
    }
    let framing = Framing::of(request.minor_version, &request.fields)?;
    let origin = check_origin(&door, &request.fields, context)?;
    let told = |refusal: Refusal| refusal.shown_to(origin.clone());
    let Some(service) = context.services.get_mut(door.service) else { return Ok(None) };
    let limit = service.max_body().unwrap_or(context.settings.max_body);
    let methods = service.methods();
    if request.method == "OPTIONS" {
        let mut head = format!("HTTP/1.1 204 No Content\r\nAllow: {}\r\n", methods.join(", "));
        if let Some(origin) = origin.as_deref() {
            // A string takes everything.
            let _ = write!(
                head,
                "Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n\
                 Access-Control-Allow-Methods: {}\r\nAccess-Control-Allow-Headers: {ALLOWED_FIELDS}\r\n\
                 Access-Control-Max-Age: 600\r\n",
                methods.join(", ")
            );
        }
        head.push_str("Connection: close\r\n\r\n");
        // The cork takes everything.
        let _ = context.cork.put(head.as_bytes(), &[]);
        return Ok(None);
    }
    if !methods.contains(&request.method) {
        let refusal = Refusal::new(405, "this method is not served here");
        return Err(told(refusal.allowing(methods)));
    }
    let identity = identify(&door, request, context).map_err(told)?;
    let body = BodyReader::new(framing, limit).map_err(|error| told(error.into()))?;
    let mut expectations = values(&request.fields, "Expect").filter(|value| !value.is_empty());
    let expects = match expectations.next() {
        None => false,
        Some(value) if value.eq_ignore_ascii_case(b"100-continue") => {
            request.minor_version == 1 && !body.is_complete()
        }
        Some(_) => return Err(told(Refusal::new(417, "the only expectation is 100-continue"))),
    };
    let is_entered = matches!(door.check, Check::Peers);
    let place = match is_entered {
        true => enter(door.client, identity.as_deref(), context).map_err(told)?,
        false => None,
    };
    let asked = Asked {
        serves: door.serves,
        service: door.service,
        params,
        identity,
        told: None,
        client: door.client,
        forwarded: context.client,
        origin,
        is_entered,
        place,
        keeps: request.minor_version == 1
            && !lists(&request.fields, "Connection", "close")
            && !context.settings.keep_alive.is_zero(),
        is_head: request.method == "HEAD",
        expects,
    };
    Ok(Some((asked, body)))
}

/// The origin of the page that asks, if a browser does, and if it may.
fn check_origin(
    door: &Door<'_>,
    fields: &[Field<'_>],
    context: &Context,
) -> Result<Option<String>, Refusal> {
    if matches!(door.check, Check::Operators) {
        // A page that has its own name lead to this machine is of the same host.
        let is_near = context.peer.is_some_and(|peer| peer.is_loopback());
        if is_near && !values(fields, "Host").all(origin::is_near) {
            let reason = "ask by the address, or by localhost";
            return Err(Refusal::new(403, reason));
        }
        origin::check(&[], fields)?;
        return Ok(None);
    }
    origin::check(&context.settings.origins, fields)?;
    let origin = values(fields, "Origin").next().and_then(|value| str::from_utf8(value).ok());
    Ok(origin.map(str::to_owned))
}

/// Who asks.
fn identify(
    door: &Door<'_>,
    request: &RequestHead<'_>,
    context: &Context,
) -> Result<Option<Box<Identity>>, Refusal> {
    let check = match door.check {
        Check::Operators => return Ok(None),
        Check::Own(number) => match context.settings.checks.0.get(*number) {
            Some(check) => check,
            None => return Err(Denied::new("nobody may ask here any more").into()),
        },
        Check::Peers => match &context.settings.guard {
            Some(guard) => &guard.check,
            None => return Ok(None),
        },
    };
    let asked = Request::new(request.target, &request.fields, clock::unix_time());
    Ok(Some(Box::new(check.authenticate(&asked)?)))
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::new(error.status(), error)
    }
}
