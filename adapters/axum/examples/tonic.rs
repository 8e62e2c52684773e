//! A gRPC service behind the same guard: tonic's routes are tower services. `cargo run -p latchbook-axum --example tonic`
use axum::extract::{ConnectInfo, Request};
use axum::response::IntoResponse as _;
use latchbook::axum::{AnyEnvironment, Refused, fields_of, require_principal};
use latchbook::http::{SandboxAccess, Serves};
use latchbook::{Authority, Gate, Principal, key_store::MemoryStore, program::master_key};
use tonic::service::Routes;
use tonic::transport::server::{Server, TcpConnectInfo};
use tower::util::MapRequestLayer;

async fn gate() -> Result<Gate, Box<dyn std::error::Error>> {
    let builder = Authority::builder().store(MemoryStore::new()).issuer("http://127.0.0.1:8080");
    let authority = builder.master_key(master_key::fresh()?).build().await?;
    tokio::spawn(authority.upkeep());
    Ok(Gate::new(authority).sandbox(SandboxAccess::Open)) // for a trial, on loopback
}

/// Every method of the services needs a token; a method that is not there is `UNIMPLEMENTED` without one.
fn guarded(gate: &Gate) -> Routes {
    let (_, health) = tonic_health::server::health_reporter(); // your services
    let services = Routes::new(health).into_axum_router();
    let guard = require_principal(gate).serving::<AnyEnvironment>().answering_grpc();
    Routes::from(services.route_layer(guard).layer(MapRequestLayer::new(with_peer)))
}

/// tonic has the caller's address under another name; keys with `allowedIps` need it.
fn with_peer(mut request: Request) -> Request {
    if let Some(peer) = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr) {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    request
}

/// Who calls, for a method that wants to know; nothing is handed on by the guard.
pub async fn caller<T>(gate: &Gate, request: &tonic::Request<T>) -> Result<Principal, tonic::Status> {
    let fields = fields_of(request.metadata().as_ref(), request.remote_addr().map(|peer| peer.ip()));
    let found = gate.clone().answering_grpc().principal(&fields.head(), Serves::Any).await;
    found.map_err(|reply| {
        let answer = Refused::from(reply).into_response();
        tonic::Status::from_header_map(answer.headers()).unwrap_or_else(|| tonic::Status::unknown("refused"))
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Ok(Server::builder().add_routes(guarded(&gate().await?)).serve("127.0.0.1:8080".parse()?).await?)
}

#[tokio::test]
async fn a_call_without_a_token_is_unauthenticated() -> Result<(), Box<dyn std::error::Error>> {
    use latchbook::authority::{SandboxActor, SandboxOrder};
    use latchbook::model::{EnvironmentName, SandboxPreferences, Source};
    use tonic::{Code, transport::server::TcpIncoming};
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

    let gate = gate().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(Server::builder().add_routes(guarded(&gate)).serve_with_incoming(TcpIncoming::from(listener)));
    let mut client = HealthClient::new(tonic::transport::Channel::from_shared(url)?.connect().await?);

    let request = || tonic::Request::new(HealthCheckRequest::default());
    assert_eq!(client.check(request()).await.unwrap_err().code(), Code::Unauthenticated);
    let name = || "acme".to_owned();
    let order = SandboxOrder {
        environment: EnvironmentName::SANDBOX,
        name: name(),
        developer_id: name(),
        industry: None,
        preferences: SandboxPreferences::default(),
        idempotency_key: None,
    };
    let opened = gate.authority().sandboxes().create(&SandboxActor::Host, Source::UNKNOWN, &order).await?;
    let mut request = request();
    request.metadata_mut().insert("authorization", format!("Bearer {}", opened.token.expose()).parse()?);
    assert_eq!(caller(&gate, &request).await?.developer().id.as_str(), "acme");
    assert_eq!(client.check(request).await?.into_inner().status, 1); // SERVING
    Ok(())
}
