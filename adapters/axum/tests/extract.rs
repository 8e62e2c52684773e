//! What each extractor lets in, what it refuses, and in which order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::connect_info::MockConnectInfo;
use axum::extract::{FromRef, Request};
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use latchbook_axum::{
    AnyEnvironment, AnyOf, AnyPrincipal, EntityContext, Gate, Home, MaybeEntity, MaybePrincipal, Principal,
    RequireScope, Sandboxed,
};
use latchbook_core::authority::{self, Actor, Exchange};
use latchbook_core::check::NewKey;
use latchbook_core::model::{AnyScope, Metadata, ScopeSet, Source};

use support::scopes::{LedgerRead, LedgerWrite};
use support::{Holder, LIVE, SANDBOX, World, assert_refused, get as get_with, request, send};

#[derive(Clone)]
struct App {
    gate: Gate,
}

impl FromRef<App> for Gate {
    fn from_ref(app: &App) -> Self {
        app.gate.clone()
    }
}

fn app(gate: &Gate) -> Router {
    fn who(principal: &authority::Principal) -> String {
        format!("{} {}", principal.environment(), principal.developer().id)
    }
    Router::new()
        .route("/principal", get(|p: Principal| async move { who(&p) }))
        .route("/principal/sandbox", get(|p: Principal<Sandboxed>| async move { who(&p) }))
        .route("/principal/any", get(|p: Principal<AnyEnvironment>| async move { who(&p) }))
        .route("/scope", get(|p: RequireScope<LedgerWrite>| async move { who(&p) }))
        .route("/scope/all", get(|p: RequireScope<(LedgerRead, LedgerWrite)>| async move { who(&p) }))
        .route("/scope/one", get(|p: RequireScope<AnyOf<(LedgerRead, LedgerWrite)>>| async move { who(&p) }))
        .route("/scope/sandbox", get(|p: RequireScope<LedgerRead, Sandboxed>| async move { who(&p) }))
        .route("/either", get(|p: AnyPrincipal| async move { who(&p) }))
        .route("/maybe", get(|p: MaybePrincipal| async move { p.as_ref().map_or_else(|| "nobody".to_owned(), who) }))
        .route("/entity", get(|e: EntityContext| async move { e.entity_id().to_string() }))
        .route("/entity/write", get(|e: EntityContext<LedgerWrite>| async move { e.entity_id().to_string() }))
        .route(
            "/entity/any",
            get(|e: EntityContext<AnyScope, AnyEnvironment>| async move { e.entity_ref().to_string() }),
        )
        .route(
            "/entity/maybe",
            get(|e: MaybeEntity<LedgerRead>| async move {
                let entity = e.entity().map_or("none", |entity| entity.entity_id().as_str());
                format!("{} {entity}", who(e.principal()))
            }),
        )
        .with_state(App { gate: gate.clone() })
}

struct Cast {
    world: World,
    app: Router,
    holder: Holder,
    developer_token: String,
    entity_token: String,
    sandbox_token: String,
}

async fn cast() -> Cast {
    let world = World::open().await;
    let holder = world.holder(LIVE, "acme").await;
    let sandboxed = world.holder(SANDBOX, "acme").await;
    for id in ["ent_a", "ent_b"] {
        world.entity(&holder.developer, id).await;
    }
    world.entity(&sandboxed.developer, "ent_s").await;
    let developer_token = world.token(&holder).await;
    let entity_token = world.token_for(&holder, Some("ent_a"), None).await;
    let sandbox_token = world.token(&sandboxed).await;
    let app = app(&Gate::new(world.authority.clone()));
    Cast { world, app, holder, developer_token, entity_token, sandbox_token }
}

#[tokio::test]
async fn h1_no_credential_is_refused_everywhere_but_where_it_may_be_missing() {
    let cast = cast().await;
    for path in [
        "/principal",
        "/principal/sandbox",
        "/principal/any",
        "/scope",
        "/scope/all",
        "/scope/one",
        "/either",
        "/entity?entityId=ent_a",
        "/entity/any?entityId=ent_a",
        "/entity/maybe",
    ] {
        assert_refused(&send(&cast.app, request("GET", path, None)).await, 401, "missing_credentials");
        assert_refused(&get_with(&cast.app, path, "a.b.c").await, 401, "token_invalid");
    }
    let nobody = send(&cast.app, request("GET", "/maybe", None)).await;
    assert_eq!((nobody.status, nobody.text()), (200, "nobody"));
    assert_refused(&get_with(&cast.app, "/maybe", "a.b.c").await, 401, "token_invalid");
}

#[tokio::test]
async fn a_developer_token_is_let_in_with_what_it_holds() {
    let cast = cast().await;
    let read = cast.world.token_for(&cast.holder, None, Some("ledger:read")).await;
    for (path, token, want) in [
        ("/principal", &cast.developer_token, "live acme"),
        ("/principal/any", &cast.developer_token, "live acme"),
        ("/principal/any", &cast.sandbox_token, "sandbox acme"),
        ("/principal/sandbox", &cast.sandbox_token, "sandbox acme"),
        ("/scope", &cast.developer_token, "live acme"),
        ("/scope/all", &cast.developer_token, "live acme"),
        ("/scope/one", &read, "live acme"),
        ("/scope/sandbox", &cast.sandbox_token, "sandbox acme"),
        ("/either", &cast.developer_token, "live acme"),
        ("/maybe", &cast.developer_token, "live acme"),
        ("/entity?entityId=ent_b", &cast.developer_token, "ent_b"),
        ("/entity/any?entityId=ent_s", &cast.sandbox_token, "sandbox/acme/ent_s"),
        ("/entity/maybe", &read, "live acme none"),
        ("/entity/maybe?entityId=ent_b", &read, "live acme ent_b"),
    ] {
        let answer = get_with(&cast.app, path, token).await;
        assert_eq!((answer.status, answer.text()), (200, want), "{path}");
    }
    for path in ["/scope", "/scope/all"] {
        let answer = get_with(&cast.app, path, &read).await;
        assert_refused(&answer, 403, "insufficient_scope");
    }
    let challenge = get_with(&cast.app, "/scope/all", &read).await;
    assert!(challenge.challenge().unwrap().contains("scope=\"ledger:read ledger:write\""), "{challenge:?}");
}

#[tokio::test]
async fn e21_an_entity_token_is_let_in_where_either_kind_is_and_nowhere_else() {
    let cast = cast().await;
    for (path, want) in [
        ("/either", "live acme"),
        ("/maybe", "live acme"),
        ("/entity", "ent_a"),
        ("/entity?entityId=ent_a", "ent_a"),
        ("/entity/write", "ent_a"),
        ("/entity/maybe", "live acme ent_a"),
    ] {
        let answer = get_with(&cast.app, path, &cast.entity_token).await;
        assert_eq!((answer.status, answer.text()), (200, want), "{path}");
    }
    for path in ["/principal", "/principal/any", "/scope", "/scope/all", "/scope/one"] {
        let answer = get_with(&cast.app, path, &cast.entity_token).await;
        assert_eq!(answer.verdict(), (403, "insufficient_scope".into()), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn e11_a_token_of_another_environment_is_refused_by_the_route() {
    let cast = cast().await;
    for (path, token) in [
        ("/principal", &cast.sandbox_token),
        ("/scope", &cast.sandbox_token),
        ("/either", &cast.sandbox_token),
        ("/maybe", &cast.sandbox_token),
        ("/entity?entityId=ent_s", &cast.sandbox_token),
        ("/entity/maybe", &cast.sandbox_token),
        ("/principal/sandbox", &cast.developer_token),
        ("/scope/sandbox", &cast.developer_token),
    ] {
        assert_refused(&get_with(&cast.app, path, token).await, 401, "wrong_environment");
    }
    // E13: what it may not do there, it may not do here either.
    let answer = get_with(&cast.app, "/entity/any?entityId=ent_s", &cast.developer_token).await;
    assert_refused(&answer, 403, "entity_forbidden");
}

#[tokio::test]
async fn an_entity_context_checks_credential_environment_scope_and_entity_in_this_order() {
    let cast = cast().await;
    let read = cast.world.token_for(&cast.holder, None, Some("ledger:read")).await;
    let read_a = cast.world.token_for(&cast.holder, Some("ent_a"), Some("ledger:read")).await;
    let malformed = "/entity/write?entityId=&entityId=x";
    assert_refused(&send(&cast.app, request("GET", malformed, None)).await, 401, "missing_credentials");
    for (target, token, status, code) in [
        (malformed, "a.b.c", 401, "token_invalid"),
        (malformed, &*cast.sandbox_token, 401, "wrong_environment"),
        (malformed, &*read, 403, "insufficient_scope"),
        (malformed, &*read_a, 403, "insufficient_scope"),
        ("/entity/write?entityId=ent_b", &*read_a, 403, "insufficient_scope"),
        (malformed, &*cast.developer_token, 400, "invalid_request"),
        (malformed, &*cast.entity_token, 400, "invalid_request"),
        ("/entity/write", &*cast.developer_token, 400, "missing_entity"),
        ("/entity/write?entityId=nowhere", &*cast.developer_token, 403, "entity_forbidden"),
        ("/entity/write?entityId=ent_b", &*cast.entity_token, 403, "entity_mismatch"),
    ] {
        assert_refused(&get_with(&cast.app, target, token).await, status, code);
    }
}

#[tokio::test]
async fn separate_extractors_run_in_the_order_of_arguments() {
    async fn scope_first(_: RequireScope<LedgerWrite>, _: Principal<Sandboxed>) {}
    async fn environment_first(_: Principal<Sandboxed>, _: RequireScope<LedgerWrite>) {}
    let cast = cast().await;
    let read = cast.world.token_for(&cast.holder, None, Some("ledger:read")).await;
    let app = Router::new()
        .route("/scope-first", get(scope_first))
        .route("/environment-first", get(environment_first))
        .with_state(Gate::new(cast.world.authority.clone()));
    assert_refused(&get_with(&app, "/scope-first", &read).await, 403, "insufficient_scope");
    assert_refused(&get_with(&app, "/environment-first", &read).await, 401, "wrong_environment");
}

#[tokio::test]
async fn a_principal_planted_in_extensions_is_not_trusted() {
    async fn record(planted: Principal, either: AnyPrincipal, entity: EntityContext) -> String {
        let (planted, either, entity) = (planted.into_inner(), either.into_inner(), entity.into_inner());
        PLANTED.set((planted, either, entity)).map_or("set before", |()| "set").to_owned()
    }
    static PLANTED: std::sync::OnceLock<(authority::Principal, authority::Principal, authority::EntityContext)> =
        std::sync::OnceLock::new();

    async fn plant(mut request: Request, next: Next) -> axum::response::Response {
        if let Some((principal, either, entity)) = PLANTED.get() {
            request.extensions_mut().insert(principal.clone());
            request.extensions_mut().insert(Some(either.clone()));
            request.extensions_mut().insert(entity.clone());
        }
        next.run(request).await
    }

    let cast = cast().await;
    let recorder = Router::new().route("/", get(record)).with_state(Gate::new(cast.world.authority.clone()));
    assert_eq!(get_with(&recorder, "/?entityId=ent_a", &cast.developer_token).await.text(), "set");

    let app = cast.app.clone().layer(from_fn(plant));
    for path in ["/principal", "/scope", "/either", "/entity?entityId=ent_a", "/entity/maybe"] {
        assert_refused(&send(&app, request("GET", path, None)).await, 401, "missing_credentials");
    }
    assert_eq!(send(&app, request("GET", "/maybe", None)).await.text(), "nobody");
    assert_eq!(get_with(&app, "/entity", &cast.entity_token).await.text(), "ent_a");
}

#[tokio::test]
async fn e20_two_gates_in_one_app_do_not_mix() {
    let (one, two) = (cast().await, cast().await);
    let app = Router::new().nest("/one", one.app.clone()).nest("/two", two.app.clone());
    for (path, token, status) in [
        ("/one/principal", &one.developer_token, 200),
        ("/two/principal", &two.developer_token, 200),
        ("/two/principal", &one.developer_token, 401),
        ("/one/principal", &two.developer_token, 401),
        ("/two/entity", &one.entity_token, 401),
        ("/two/entity", &two.entity_token, 200),
    ] {
        assert_eq!(get_with(&app, path, token).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_callers_address_is_the_sockets() {
    let cast = cast().await;
    let new = NewKey {
        name: "From the office".into(),
        scopes: ScopeSet::parse("ledger:read").unwrap(),
        expires_at: None,
        allowed_ips: vec!["192.0.2.0/24".parse().unwrap()],
        metadata: Metadata::default(),
    };
    let authority = &cast.world.authority;
    let made = authority.keys().create(&Actor::Host, Source::UNKNOWN, &cast.holder.developer, &new).await.unwrap();
    let exchange = Exchange {
        developer: "acme",
        api_key: &made.text,
        entity: None,
        scope: None,
        lifetime: None,
        source: Source::at([192, 0, 2, 1].into()),
    };
    let token = authority.exchange(&exchange).await.unwrap().token.expose().to_owned();
    let from = |address: [u8; 4]| cast.app.clone().layer(MockConnectInfo(SocketAddr::from((address, 4711))));
    assert_eq!(get_with(&from([192, 0, 2, 200]), "/principal", &token).await.status, 200);
    assert_refused(&get_with(&from([198, 51, 100, 1]), "/principal", &token).await, 401, "token_invalid");
    // Where nobody says who calls, no range contains it; a header does not say it (H16).
    assert_refused(&get_with(&cast.app, "/principal", &token).await, 401, "token_invalid");
    let mut forwarded = request("GET", "/principal", Some(&token));
    forwarded.headers_mut().insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
    assert_refused(&send(&cast.app, forwarded).await, 401, "token_invalid");
}

#[tokio::test]
async fn l1_extractors_clone_and_print_without_the_token() {
    async fn print(
        one: Principal,
        two: RequireScope<LedgerRead>,
        three: AnyPrincipal<Home>,
        four: MaybePrincipal,
        five: EntityContext,
        six: MaybeEntity,
    ) -> String {
        format!(
            "{:?} {:?} {:?} {:?} {:#?} {:?}",
            one.clone(),
            two.clone(),
            three.clone(),
            four.clone(),
            five.clone(),
            six.clone()
        )
    }
    let cast = cast().await;
    let app = Router::new().route("/", get(print)).with_state(Gate::new(cast.world.authority.clone()));
    let printed = get_with(&app, "/?entityId=ent_a", &cast.developer_token).await;
    assert!(printed.text().contains("acme") && printed.text().contains("ent_a"), "{printed:?}");
    for part in cast.developer_token.split('.') {
        assert!(!printed.text().contains(part), "{printed:?}");
    }
}
