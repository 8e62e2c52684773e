//! Routes of actix-web 4: the application is called as a server would, without a socket.

use std::rc::Rc;

use actix_http::Request;
use actix_web::dev::ServiceRequest;
use actix_web::error::{ErrorForbidden, ErrorUnauthorized};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{Data, get, resource};
use actix_web::{App, Error, HttpMessage as _};
use actix_web_httpauth::extractors::bearer::BearerAuth;
use actix_web_httpauth::middleware::HttpAuthentication;
use latchbook::Gate;
use latchbook::actix::{AnyPrincipal, EntityContext, MaybeEntity, configure};

use super::{Fields, gate, with_entity};
use crate::claims::ENTITY;
use crate::harness::{Part, Prepared, Table};
use crate::keys::Algorithm;
use crate::peers::{Reads, eleven, nine};
use crate::world::scopes::LedgerRead;
use crate::world::{ROOM, ready};

pub const PART: Part =
    Part { title: "Routes of actix, in process", fill, figures: |times| super::figures("actix", times) };

/// Requests that are made before a chunk of calls is timed.
const CHUNK: usize = 32;

/// A route behind actix-web-httpauth around a peer.
macro_rules! read_by {
    ($version:ident, $algorithm:expr) => {{
        async fn check(request: ServiceRequest, bearer: BearerAuth) -> Result<ServiceRequest, (Error, ServiceRequest)> {
            let Some(reader) = request.app_data::<Data<$version::Reader>>() else {
                return Err((ErrorUnauthorized("no reader"), request));
            };
            match reader.read(bearer.token()) {
                Some(claims) if claims.allow("ledger:read", ENTITY) => {
                    request.extensions_mut().insert(claims);
                    Ok(request)
                }
                Some(_) => Err((ErrorForbidden("scope"), request)),
                None => Err((ErrorUnauthorized("token"), request)),
            }
        }
        let route = resource("/").wrap(HttpAuthentication::bearer(check)).route(get().to(async || "pong"));
        App::new().app_data(Data::new($version::Reader::new($algorithm))).service(route)
    }};
}

/// Routes behind a gate, and an open one that has it as well.
macro_rules! guarded {
    ($gate:expr) => {
        App::new()
            .configure(configure(&$gate))
            .route("/open", get().to(async |_: Data<Gate>| "pong"))
            .route("/any", get().to(async |_: AnyPrincipal| "pong"))
            .route("/entity", get().to(async |_: EntityContext<LedgerRead>| "pong"))
            .route("/maybe-entity", get().to(async |_: MaybeEntity<LedgerRead>| "pong"))
    };
}

/// Calls a route of an application. A macro, since the type of an application has no name.
macro_rules! calls {
    ($app:expr, $path:expr, $field:expr, $status:expr) => {{
        let (app, path, field) = (Rc::clone($app), $path.to_owned(), $field.to_owned());
        Prepared {
            state: Vec::with_capacity(CHUNK),
            chunk: CHUNK,
            prepare: move |requests: &mut Vec<Option<Request>>| {
                requests.clear();
                requests.resize_with(CHUNK, || {
                    Some(TestRequest::with_uri(&path).insert_header((AUTHORIZATION, field.as_str())).to_request())
                });
            },
            operation: move |requests: &mut Vec<Option<Request>>, number: usize| {
                let answer = ready(call_service(&*app, requests[number].take().expect("a request")));
                assert_eq!(answer.status(), $status);
                answer
            },
        }
    }};
}

fn fill(table: &mut Table) {
    let fields = Fields::new();
    let open = Rc::new(ready(init_service(App::new().route("/", get().to(async || "pong")))));
    table.add("actix: open", || calls!(&open, "/", &fields.entity, StatusCode::OK));
    let ours = Rc::new(ready(init_service(guarded!(gate(ROOM >> 4)))));
    let forgetful = Rc::new(ready(init_service(guarded!(gate(0)))));
    let entity = with_entity();
    for (name, path, field, status) in [
        ("open, with state", "/open", &fields.entity, StatusCode::OK),
        ("guarded", "/any", &fields.entity, StatusCode::OK),
        ("guarded, scope and entity token", "/entity", &fields.entity, StatusCode::OK),
        ("guarded, developer token", "/maybe-entity", &fields.developer, StatusCode::OK),
        ("guarded, developer token with entityId", &entity, &fields.developer, StatusCode::OK),
        ("refused, garbage", "/any", &fields.garbage, StatusCode::UNAUTHORIZED),
    ] {
        table.add(format!("actix: {name}"), || calls!(&ours, path, field, status));
    }
    table.add("actix: guarded, token first seen each time", || {
        calls!(&forgetful, "/any", &fields.entity, StatusCode::OK)
    });
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let field = fields.of(algorithm);
        table.add(format!("actix: {} {}", nine::NAME, algorithm.name()), || {
            calls!(&Rc::new(ready(init_service(read_by!(nine, algorithm)))), "/", field, StatusCode::OK)
        });
        table.add(format!("actix: {} {}", eleven::NAME, algorithm.name()), || {
            calls!(&Rc::new(ready(init_service(read_by!(eleven, algorithm)))), "/", field, StatusCode::OK)
        });
    }
}
