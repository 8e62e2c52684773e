//! Routes of actix-web 4, called as a server would.

use std::net::TcpListener;

use actix_http::Request;
use actix_web::dev::{ServiceFactory, ServiceRequest};
use actix_web::error::{ErrorForbidden, ErrorUnauthorized};
use actix_web::http::header::AUTHORIZATION;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{Data, get, resource};
use actix_web::{App, Error, HttpMessage as _, HttpServer, rt};
use actix_web_httpauth::extractors::bearer::BearerAuth;
use actix_web_httpauth::middleware::HttpAuthentication;
use latchbook::Gate;
use latchbook::actix::{AnyPrincipal, EntityContext, MaybeEntity, configure};

use super::axum::CHUNK;
use super::gate;
use super::rows::{Guard, ROWS};
use crate::claims::ENTITY;
use crate::harness::{Part, Prepared, Table};
use crate::peers::{Reads, eleven, nine};
use crate::world::ready;
use crate::world::scopes::LedgerRead;

pub const PART: Part =
    Part { title: "Routes of actix, in process", fill, figures: |times| super::figures("actix", times) };

/// Makes the application behind a guard, and gives it to a macro. Macros, since the type of an application has no name.
/// It has `$path` alone where there is one: actix looks at one route after the other, and none should stand behind others.
macro_rules! with_app {
    ($guard:expr, $path:expr, $use:ident) => {
        match $guard {
            Guard::Open => $use!((), |_: &()| App::new().route("/", get().to(async || "pong"))),
            guard @ (Guard::Ours | Guard::Forgetful) => {
                $use!(gate(guard), |gate: &Gate| guarded(App::new().configure(configure(gate)), $path))
            }
            Guard::Nine(algorithm) => $use!(Data::new(nine::Reader::new(algorithm)), |reader: &Data<nine::Reader>| {
                let route = resource("/").wrap(HttpAuthentication::bearer(check::<nine::Reader>));
                App::new().app_data(reader.clone()).service(route.route(get().to(async || "pong")))
            }),
            Guard::Eleven(algorithm) => {
                $use!(Data::new(eleven::Reader::new(algorithm)), |reader: &Data<eleven::Reader>| {
                    let route = resource("/").wrap(HttpAuthentication::bearer(check::<eleven::Reader>));
                    App::new().app_data(reader.clone()).service(route.route(get().to(async || "pong")))
                })
            }
        }
    };
}

/// Adds the guarded routes, or the one of `path`.
fn guarded<T>(app: App<T>, path: Option<&str>) -> App<T>
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = Error, InitError = ()>,
{
    let routes = [
        ("/open", get().to(async |_: Data<Gate>| "pong")),
        ("/any", get().to(async |_: AnyPrincipal| "pong")),
        ("/entity", get().to(async |_: EntityContext<LedgerRead>| "pong")),
        ("/maybe-entity", get().to(async |_: MaybeEntity<LedgerRead>| "pong")),
    ];
    let wanted = routes.into_iter().filter(|(route, _)| path.is_none_or(|path| path == *route));
    wanted.fold(app, |app, (path, route)| app.route(path, route))
}

/// What a user writes around another crate, as actix-web-httpauth's documentation shows.
async fn check<R: Reads>(
    request: ServiceRequest,
    bearer: BearerAuth,
) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    let Some(reader) = request.app_data::<Data<R>>() else {
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

fn fill(table: &mut Table) {
    for row in ROWS {
        let name = format!("actix: {}", row.name);
        macro_rules! add {
            ($state:expr, $app:expr) => {
                table.add(name, || {
                    let (app, field) = (ready(init_service($app(&$state))), row.shows.field());
                    Prepared {
                        state: Vec::with_capacity(CHUNK),
                        chunk: CHUNK,
                        prepare: move |requests: &mut Vec<Option<Request>>| {
                            requests.clear();
                            requests.resize_with(CHUNK, || {
                                let request = TestRequest::with_uri(row.path);
                                Some(request.insert_header((AUTHORIZATION, field.as_str())).to_request())
                            });
                        },
                        operation: move |requests: &mut Vec<Option<Request>>, number: usize| {
                            let answer = ready(call_service(&app, requests[number].take().expect("a request")));
                            assert_eq!(answer.status().as_u16(), row.status);
                            answer
                        },
                    }
                })
            };
        }
        with_app!(row.guard, row.path.split('?').next(), add);
    }
}

/// Serves the routes behind `guard`, by one worker.
pub fn serve(guard: Guard, listener: TcpListener) -> std::io::Result<()> {
    macro_rules! run {
        ($state:expr, $app:expr) => {{
            let state = $state;
            let server = HttpServer::new(move || $app(&state)).workers(1).listen(listener)?;
            rt::System::new().block_on(server.run())
        }};
    }
    with_app!(guard, None, run)
}
