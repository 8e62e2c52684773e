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

use super::Fields;
use crate::claims::{Claims, ENTITY, ISSUER};
use crate::harness::{Part, Prepared, Table, Times, Work};
use crate::keys::{Algorithm, SECRET};
use crate::world::ready;

pub const PART: Part = Part { title: "Routes of axum 0.7 behind jwt-authorizer, in process", fill, figures };

const CHUNK: usize = 32;

fn fill(table: &mut Table) {
    let fields = Fields::new();
    let open = Router::new().route("/", get(|| async { "pong" }));
    table.add("axum 0.7: open", || calls(open, &fields.entity));
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        table.add(format!("axum 0.7: jwt-authorizer {}", algorithm.name()), || {
            calls(block_on(guarded(algorithm)), fields.of(algorithm))
        });
    }
}

/// A route behind its layer, which checks a scope and the entity too.
pub async fn guarded(algorithm: Algorithm) -> Router {
    let builder = match algorithm {
        Algorithm::Hs256 => JwtAuthorizer::<Claims>::from_secret(str::from_utf8(SECRET).expect("text")),
        _ => JwtAuthorizer::<Claims>::from_ed_pem_text(&public_pem()),
    };
    let builder = builder.validation(Validation::new().iss(&[ISSUER]).aud(&[ISSUER]).nbf(true));
    let builder = builder.check(|claims: &Claims| claims.allow("ledger:read", ENTITY));
    let layer = builder.build().await.expect("an authorizer").into_layer();
    Router::new().route("/", get(|_: JwtClaims<Claims>| async { "pong" }).layer(layer))
}

/// The Ed25519 key as SubjectPublicKeyInfo (RFC 8410 §4).
fn public_pem() -> String {
    let mut der = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    der.extend(Algorithm::EdDsa.public());
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

fn calls(mut router: Router, field: &str) -> impl Work + use<> {
    let field = HeaderValue::from_str(field).expect("a field");
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

/// Its own are in the rows of axum: another version of axum, so that times are not set side by side.
fn figures(_: &Times) {}
