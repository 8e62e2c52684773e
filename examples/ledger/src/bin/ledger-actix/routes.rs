//! The ledger's routes on actix: what each demands of its caller, and nothing else.

use actix_web::guard::{Any, Get, Head as HeadMethod, fn_guard};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, X_FORWARDED_FOR};
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{Error, Handler, HttpRequest, Resource, Responder, Route};
use latchbook::actix::{
    AnyEnvironment, EntityContext, MaybeEntity, Principal, Refused, RequireScope, Sandboxed, configure,
};
use latchbook::http::{Head, Reply, body_cut_off, method_not_allowed, not_found, payload_too_large};
use latchbook::model::EntitiesManage;
use latchbook::{Gate, Source};
use latchbook_ledger::api::{Api, MAX_BODY, PONG};
use latchbook_ledger::scopes::{LedgerRead, LedgerWrite};

/// Every route of the program.
pub(crate) fn routes(api: Api) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    move |config| {
        let gate = api.gate.clone();
        let only = |path, allow| resource(path, &gate, allow);
        let missing = gate.clone();
        config
            .configure(configure(&gate))
            .app_data(Data::new(api.clone()))
            .app_data(PayloadConfig::new(MAX_BODY))
            .service(only("/ping", "GET, HEAD").route(get(async || pong())))
            .service(only("/v1/live/ping", "GET, HEAD").route(get(async |_: Principal| pong())))
            .service(only("/v1/sandbox/ping", "GET, HEAD").route(get(async |_: Principal<Sandboxed>| pong())))
            .service(only("/healthz", "GET, HEAD").route(get(async |api: Data<Api>| Refused::from(api.health().await))))
            .service(only("/metrics", "GET, HEAD").route(get(async |api: Data<Api>| Refused::from(api.metrics()))))
            .service(only("/v1/transactions", "GET, HEAD, POST").route(get(transactions)).route(web::post().to(post)))
            .service(only("/v1/categories", "GET, HEAD").route(get(categories)))
            .service(only("/v1/banks/accounts", "GET, HEAD").route(get(bank_accounts)))
            .service(only("/v1/reports/balances", "GET, HEAD").route(get(balances)))
            .service(
                only("/v1/entities", "GET, HEAD, POST, DELETE")
                    .route(get(entities))
                    .route(web::post().to(create_entity))
                    .route(web::delete().to(remove_entity)),
            )
            .default_service(web::to(move || {
                let reply = not_found(&missing);
                async move { Refused::from(reply) }
            }));
    }
}

/// The resource at `path`, as it is spelled there, with 405 for methods that it has no route for.
fn resource(path: &'static str, gate: &Gate, allow: &'static str) -> Resource {
    let gate = gate.clone();
    let other = move || {
        let reply = method_not_allowed(&gate, allow);
        async move { Refused::from(reply) }
    };
    // actix decodes a path before it looks for its resource; a path of this API is written in one way.
    let spelled = fn_guard(move |context| context.head().uri.path() == path);
    web::resource(path).guard(spelled).default_service(web::to(other))
}

/// A route for GET, which answers HEAD too.
fn get<F, Args>(handler: F) -> Route
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::route().guard(Any(Get()).or(HeadMethod())).to(handler)
}

fn pong() -> impl Responder {
    PONG.customize().insert_header((CONTENT_TYPE, "application/json"))
}

type Reading = EntityContext<LedgerRead, AnyEnvironment>;

async fn transactions(entity: Reading, api: Data<Api>, request: HttpRequest) -> Refused {
    api.transactions(&entity, request.uri().query()).await.into()
}

async fn post(
    entity: EntityContext<LedgerWrite, AnyEnvironment>,
    api: Data<Api>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Refused {
    match whole(&api, body) {
        Ok(body) => api.post(&entity, content_type(&request), &body).await.into(),
        Err(reply) => reply.into(),
    }
}

async fn categories(entity: Reading, api: Data<Api>) -> Refused {
    api.categories(&entity).await.into()
}

async fn bank_accounts(entity: Reading, api: Data<Api>) -> Refused {
    api.bank_accounts(&entity).await.into()
}

async fn balances(entity: Reading, api: Data<Api>, request: HttpRequest) -> Refused {
    api.balances(&entity, request.uri().query()).await.into()
}

async fn entities(caller: MaybeEntity<LedgerRead, AnyEnvironment>, api: Data<Api>, request: HttpRequest) -> Refused {
    let reply = match caller.entity() {
        Some(entity) => api.entity(entity).await,
        None => api.entities(caller.principal(), request.uri().query()).await,
    };
    reply.into()
}

async fn create_entity(
    developer: RequireScope<EntitiesManage, AnyEnvironment>,
    api: Data<Api>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Refused {
    let source = source(&api, &request);
    match whole(&api, body) {
        Ok(body) => api.create_entity(&developer, source, content_type(&request), &body).await.into(),
        Err(reply) => reply.into(),
    }
}

async fn remove_entity(
    entity: EntityContext<EntitiesManage, AnyEnvironment>,
    api: Data<Api>,
    request: HttpRequest,
) -> Refused {
    api.remove_entity(&entity, source(&api, &request)).await.into()
}

fn source(api: &Api, request: &HttpRequest) -> Source {
    let forwarded: Vec<_> = request.headers().get_all(X_FORWARDED_FOR).map(HeaderValue::as_bytes).collect();
    let peer = request.peer_addr().map(|address| address.ip());
    api.gate.source(&Head { authorization: &[], query: None, peer, forwarded_for: &forwarded })
}

fn content_type(request: &HttpRequest) -> Option<&[u8]> {
    request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes)
}

fn whole(api: &Api, body: Result<Bytes, Error>) -> Result<Bytes, Reply> {
    body.map_err(|error| {
        if error.as_response_error().status_code() == 413 {
            return payload_too_large(&api.gate);
        }
        body_cut_off(&api.gate)
    })
}
