//! Routes of axum 0.7 behind jwt-authorizer, which is for that version.

use axum07::Router;
use axum07::body::Body;
use axum07::extract::Request;
use axum07::http::header::{AUTHORIZATION, HOST};
use axum07::http::{HeaderValue, StatusCode};
use axum07::response::Response;
use axum07::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use jwt_authorizer::{IntoLayer as _, JwtAuthorizer, JwtClaims, Validation};
use tower::Service as _;

use super::axum::CHUNK;
use super::rows::Shows;
use crate::claims::{Claims, ENTITY, ISSUER};
use crate::figure::{Asked, figure};
use crate::harness::{Part, Prepared, Table, Times, Work};
use crate::keys::{Algorithm, SECRET};
use crate::world::ready;

pub const PART: Part = Part { title: "Routes of axum 0.7, in process", fill, figures };

/// Names, the algorithm of the layer where there is one, and what is shown.
pub const ROWS: &[(&str, Option<Algorithm>, Shows)] = &[
    ("open", None, Shows::Entity),
    ("jwt-authorizer EdDSA", Some(Algorithm::EdDsa), Shows::Entity),
    ("jwt-authorizer HS256", Some(Algorithm::Hs256), Shows::Hs256),
];

fn fill(table: &mut Table) {
    for (name, layer, shows) in ROWS {
        table.add(format!("axum 0.7: {name}"), || calls(router(*layer), *shows));
    }
}

/// A route at `/`, behind a layer that checks a scope and the entity too.
pub fn router(layer: Option<Algorithm>) -> Router {
    let builder = match layer {
        None => return Router::new().route("/", get(|| async { "pong" })),
        Some(Algorithm::Hs256) => JwtAuthorizer::<Claims>::from_secret(str::from_utf8(SECRET).expect("text")),
        Some(_) => JwtAuthorizer::<Claims>::from_ed_pem_text(&public_pem()),
    };
    let builder = builder.validation(Validation::new().iss(&[ISSUER]).aud(&[ISSUER]).nbf(true));
    let builder = builder.check(|claims: &Claims| claims.allow("ledger:read", ENTITY));
    let layer = block_on(builder.build()).expect("an authorizer").into_layer();
    Router::new().route("/", get(|_: JwtClaims<Claims>| async { "pong" }).layer(layer))
}

/// The Ed25519 key as SubjectPublicKeyInfo (RFC 8410 §4).
fn public_pem() -> String {
    let mut der = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    der.extend(Algorithm::EdDsa.public());
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

fn calls(mut router: Router, shows: Shows) -> impl Work + use<> {
    let field = HeaderValue::from_str(&shows.field()).expect("a field");
    let make = move || {
        let mut request = Request::new(Body::empty());
        request.headers_mut().insert(HOST, HeaderValue::from_static("127.0.0.1"));
        request.headers_mut().insert(AUTHORIZATION, field.clone());
        Some(request)
    };
    Prepared {
        state: Vec::with_capacity(CHUNK),
        chunk: CHUNK,
        prepare: move |requests: &mut Vec<Option<Request>>| {
            requests.clear();
            requests.resize_with(CHUNK, &make);
        },
        operation: move |requests: &mut Vec<Option<Request>>, number: usize| -> Response {
            let answer = ready(router.call(requests[number].take().expect("a request"))).unwrap_or_else(|e| match e {});
            assert_eq!(answer.status(), StatusCode::OK);
            answer
        },
    }
}

fn figures(times: &Times) {
    for (name, layer, _) in ROWS {
        if let (Some(_), Some(more)) = (layer, times.more(&format!("axum 0.7: {name}"), "axum 0.7: open")) {
            figure(format!("axum 0.7 in process, {name}, more than open"), Asked::Nothing, more, "ns");
        }
    }
}
