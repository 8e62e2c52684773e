//! The routes of the wire contract, mounted on an app.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::guard::fn_guard;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::{self, Bytes, BytesMut, ServiceConfig};
use actix_web::{HttpRequest, Scope};
use futures_core::Stream as _;
use latchbook_http::{Endpoint, Gate, Reply, endpoints_by_path, not_found};

use crate::head::{fields, for_request, values};
use crate::path::{Template, parameter};
use crate::reply::respond;
use crate::unread::close_unless_read;

/// Every route of the wire contract that `gate` offers, and the gate itself for the extractors of the host's routes, for
/// [`App::configure`](actix_web::App::configure) or [`Scope::configure`](actix_web::Scope::configure).
///
/// The routes carry their gate with them. GET answers HEAD too; any other method gets 405 with `Allow`, OPTIONS among
/// them (CORS middleware in front answers preflights itself). A body beyond its route's limit gets 413 and is not read
/// to its end.
///
/// Write it before a scope of the host whose prefix is one of a path of the contract, such as `web::scope("/v1")`: actix
/// asks such a scope for everything below its prefix, and nobody after it. Where two routes have one path, the first
/// one answers.
///
/// ```
/// # use actix_web::{App, web};
/// # use latchbook_actix::{EntityContext, Gate, configure};
/// # async fn list(_: EntityContext) -> &'static str { "" }
/// # fn app(gate: Gate) {
/// let app = App::new()
///     .configure(configure(&gate))
///     .route("/v1/transactions", web::get().to(list));
/// # }
/// ```
pub fn configure(gate: &Gate) -> impl FnOnce(&mut ServiceConfig) + Clone + use<> {
    let gate = gate.clone();
    move |config| {
        let mut scopes: BTreeMap<&str, Vec<Mounted>> = BTreeMap::new();
        for (path, endpoints) in endpoints_by_path(&gate) {
            let (first, rest) = cut(path);
            let template = Template::new(path);
            scopes.entry(first).or_default().push(Mounted { template, rest, endpoints: endpoints.into() });
        }
        for (first, mounted) in scopes {
            config.service(scope(first, mounted, &gate));
        }
        config.app_data(web::Data::new(gate));
    }
}

/// A path of the contract, and what answers there.
struct Mounted {
    template: Template,
    /// What follows its first segment.
    rest: &'static str,
    endpoints: Rc<[Endpoint]>,
}

/// Those of the contract's paths that begin with the segment `first`. actix looks at one service after the other, also for
/// requests to the host's own routes: these are behind few, which let pass whatever is none of theirs.
fn scope(first: &str, mounted: Vec<Mounted>, gate: &Gate) -> Scope {
    let templates: Vec<_> = mounted.iter().map(|mounted| mounted.template).collect();
    let ours = fn_guard(move |context| {
        let sent = context.head().uri.path();
        templates.iter().any(|template| template.spells(sent))
    });
    mounted.into_iter().fold(web::scope(first).guard(ours), |scope, Mounted { template, rest, endpoints }| {
        let gate = gate.clone();
        let answering = move |request: HttpRequest, body: web::Payload| {
            let (gate, endpoints) = (for_request(&gate, &request).into_owned(), Rc::clone(&endpoints));
            async move {
                let mut body = body.into_inner();
                let response = respond(answer(&gate, &endpoints, &request, &mut body).await);
                if matches!(body, Payload::None) { response } else { close_unless_read(response, body) }
            }
        };
        let spelled = fn_guard(move |context| template.spells(context.head().uri.path()));
        scope.service(web::resource(rest).guard(spelled).to(answering))
    })
}

/// The first segment of `path`, with its slash, and the rest.
fn cut(path: &'static str) -> (&'static str, &'static str) {
    let end = path.get(1..).and_then(|path| path.find('/')).map_or(path.len(), |end| end + 1);
    path.split_at_checked(end).unwrap_or((path, ""))
}

/// The answer of the path that has `endpoints`.
async fn answer(gate: &Gate, endpoints: &[Endpoint], request: &HttpRequest, body: &mut Payload) -> Reply {
    let method = if request.method() == "HEAD" { "GET" } else { request.method().as_str() };
    let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.method == method) else {
        return endpoints.first().map_or_else(|| not_found(gate), |other| other.method_not_allowed(gate));
    };
    let body = match read(gate, endpoint, request, body).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let fields = fields(request, gate.trusts_proxies());
    let parameter = parameter(request.uri().path(), endpoint.path);
    let idempotency_key: Vec<&[u8]> = values(request.headers(), &IDEMPOTENCY_KEY).collect();
    let request = latchbook_http::Request {
        head: fields.head(),
        parameter: parameter.as_deref(),
        content_type: request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes),
        idempotency_key: &idempotency_key,
        body: &body,
    };
    endpoint.call(gate, request).await
}

/// The body, unless it is longer than the endpoint allows: then no more of it is read. Where that is 0, none is read.
async fn read(gate: &Gate, endpoint: &Endpoint, request: &HttpRequest, body: &mut Payload) -> Result<Bytes, Reply> {
    let longest = endpoint.max_body;
    if longest == 0 {
        return Ok(Bytes::new());
    }
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > longest as u64) {
        return Err(endpoint.payload_too_large(gate));
    }
    let mut whole = BytesMut::new();
    while let Some(chunk) = poll_fn(|context| Pin::new(&mut *body).poll_next(context)).await {
        let chunk = chunk.map_err(|_| endpoint.body_cut_off(gate))?;
        if chunk.len() > longest.saturating_sub(whole.len()) {
            return Err(endpoint.payload_too_large(gate));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
