//! The layer in front of a tonic server: what a gRPC client sees of a refusal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use latchbook_adapter_tests::{LIVE, SANDBOX, World};
use latchbook_axum::testing::{RawRequest, assert_refused, send_raw};
use latchbook_axum::{Gate, require_principal};
use latchbook_core::authority;
use latchbook_core::model::Source;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// The health service behind the layer, on a free port, and a client.
async fn served(gate: &Gate) -> HealthClient<Channel> {
    let (_, health) = tonic_health::server::health_reporter();
    let services = Routes::new(health).into_axum_router().route_layer(require_principal(gate).answering_grpc());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder().add_routes(Routes::from(services));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    HealthClient::new(Channel::from_shared(url).unwrap().connect().await.unwrap())
}

async fn ask(client: &mut HealthClient<Channel>, fields: &[&str]) -> Result<i32, Status> {
    let mut request = Request::new(HealthCheckRequest::default());
    for field in fields {
        request.metadata_mut().append("authorization", field.parse().unwrap());
    }
    client.check(request).await.map(|answer| answer.into_inner().status)
}

#[tokio::test]
async fn a_refusal_reaches_a_grpc_client_as_its_status() {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let token = format!("Bearer {}", world.token(&holder).await);
    let sandbox = format!("Bearer {}", world.token(&world.holder(SANDBOX, "acme").await).await);
    let mut client = served(&Gate::new(world.authority.clone())).await;
    assert_eq!(ask(&mut client, &[&token]).await.unwrap(), 1);
    let refusals = [
        (&[][..], Code::Unauthenticated, "missing_credentials", "Bearer realm=\"latchbook\""),
        (&["Basic YTpi"], Code::Unauthenticated, "missing_credentials", "Bearer realm=\"latchbook\""),
        (&["Bearer a.b.c"], Code::Unauthenticated, "token_invalid", "error=\"invalid_token\""),
        (&[sandbox.as_str()], Code::Unauthenticated, "wrong_environment", "error=\"invalid_token\""),
        (&["Bearer"], Code::InvalidArgument, "invalid_request", "error=\"invalid_request\""),
        (&[token.as_str(), &token], Code::InvalidArgument, "invalid_request", "error=\"invalid_request\""),
    ];
    for (fields, code, error, challenge) in refusals {
        let refused = ask(&mut client, fields).await.unwrap_err();
        assert_eq!(refused.code(), code, "{fields:?}: {refused:?}");
        assert!(refused.message().starts_with(&format!("{error}: ")), "{refused:?}");
        let shown = refused.metadata().get("www-authenticate").unwrap().to_str().unwrap();
        assert!(shown.ends_with(challenge), "{shown}");
    }
    let keys = world.authority.keys();
    keys.revoke(&authority::Actor::Host, Source::UNKNOWN, &holder.developer, holder.key).await.unwrap();
    let revoked = ask(&mut client, &[&token]).await.unwrap_err();
    assert!(revoked.code() == Code::Unauthenticated && revoked.message().starts_with("token_revoked: "), "{revoked:?}");
}

#[tokio::test]
async fn a_route_layer_leaves_an_unknown_method_unimplemented_and_others_speak_http() {
    let world = World::open().await;
    let (_, health) = tonic_health::server::health_reporter();
    let gate = Gate::new(world.authority.clone());
    let app = Routes::new(health).into_axum_router().route_layer(require_principal(&gate).answering_grpc());
    let unknown = RawRequest::new("POST", "/any.Service/Call").header("content-type", "application/grpc");
    let answer = send_raw(&app, unknown).await.unwrap();
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("12")), "UNIMPLEMENTED");
    let known = RawRequest::new("POST", "/grpc.health.v1.Health/Check");
    let plain = send_raw(&app, known.clone()).await.unwrap();
    assert_eq!((plain.status, plain.header("grpc-status")), (401, None));
    let refused = send_raw(&app, known.header("content-type", "application/grpc+proto")).await.unwrap();
    assert_eq!((refused.status, refused.header("grpc-status")), (200, Some("16")));
    assert!(refused.body.is_empty() && refused.header("content-type") == Some("application/grpc"));
}

#[tokio::test]
async fn no_request_gets_a_200_for_a_refusal_where_the_host_did_not_say_grpc() {
    let world = World::open().await;
    let gate = Gate::new(world.authority.clone());
    let app = axum::Router::new().route("/auth", axum::routing::get(|| async {})).route_layer(require_principal(&gate));
    let asked = RawRequest::new("GET", "/auth").header("content-type", "application/grpc");
    assert_refused(&send_raw(&app, asked).await.unwrap(), 401, "missing_credentials");
}
