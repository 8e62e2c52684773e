//! The stage: an app that every adapter builds alike, with all the routes that the tests ask for.
//!
//! | route | guard and answer |
//! | --- | --- |
//! | `GET /principal`, `/principal/sandbox`, `/principal/any` | `Principal` of home, `Sandboxed`, `AnyEnvironment`: [`who`] |
//! | `GET /scope`, `/scope/all`, `/scope/one`, `/scope/sandbox` | `RequireScope` of write, of read and write, of either, of read in `Sandboxed`: [`who`] |
//! | `GET /either`, `/maybe` | `AnyPrincipal`, `MaybePrincipal`: [`who`], or `nobody` |
//! | any method `/entity`; `GET /entity/write`, `/entity/any` | `EntityContext` of any scope, of write: its id; of `AnyEnvironment`: its reference |
//! | `GET /entity/maybe` | `MaybeEntity` of read: [`who_and_entity`] |
//! | `GET /scope-first`, `/environment-first` | `RequireScope` of write and `Principal` of `Sandboxed`, in either order |
//! | `GET /entity-first` | `EntityContext`, then `RequireScope` of write |
//! | `GET /print` | every extractor once, each cloned and printed |
//! | `GET`, `POST /guarded`; `POST /guarded/write`; `GET /live/guarded`, `/sandbox/guarded` | [`Runs`] counted; `MaybeEntity` of `AnyEnvironment`: [`entity`]; `RequireScope` of write: `written`; `MaybeEntity` of home, of `Sandboxed`: [`entity`] |
//! | any method `/v1/guarded` | `AnyPrincipal`; counted |
//! | `GET`, `HEAD /layered`; `POST /layered/{id}` | behind `require_principal`; counted; `nothing planted` where no principal is in the extensions; the body |
//! | `GET /layered-sandbox`, `/layered-any` | behind `require_principal`, serving `Sandboxed`, `AnyEnvironment` |
//! | any method `/v1/layered/{*rest}` | behind `require_principal`; counted |
//! | `GET /open`, `/ping` | `open`, `pong` |
//! | the contract's routes | at the root, and again below `/hosts/{id}` |

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use latchbook_core::authority;
use latchbook_http::Gate;

use crate::{Answer, Raw};

/// Sets the stage up around a gate.
pub type Open = fn(Gate, Runs) -> Later<Stage>;

/// What is there later; on the thread that asks, because a framework's app may be bound to it.
pub type Later<T> = Pin<Box<dyn Future<Output = T>>>;

/// A stage that is set up.
#[derive(Clone)]
pub struct Stage(Rc<dyn Fn(Raw) -> Later<Answer>>);

/// How often guarded handlers ran.
#[derive(Clone, Default)]
pub struct Runs(Arc<AtomicUsize>);

impl Runs {
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub fn so_far(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Stage {
    /// A stage that answers by `send`.
    pub fn new<F: Future<Output = Answer> + 'static>(send: impl Fn(Raw) -> F + 'static) -> Self {
        Self(Rc::new(move |request| Box::pin(send(request))))
    }

    pub async fn send(&self, request: Raw) -> Answer {
        (self.0)(request).await
    }

    /// `GET target` with a token.
    pub async fn get(&self, target: &str, token: &str) -> Answer {
        self.send(Raw::new("GET", target).bearer(token)).await
    }

    /// Without one.
    pub async fn ask(&self, method: &str, target: &str) -> Answer {
        self.send(Raw::new(method, target)).await
    }
}

/// A stage whose runs nobody counts.
pub async fn opened(open: Open, gate: Gate) -> Stage {
    open(gate, Runs::default()).await
}

pub fn who(principal: &authority::Principal) -> String {
    format!("{} {}", principal.environment(), principal.developer().id)
}

pub fn who_and_entity(principal: &authority::Principal, entity: Option<&authority::EntityContext>) -> String {
    format!("{} {}", who(principal), entity.map_or("none", |entity| entity.entity_id().as_str()))
}

pub fn entity(found: Option<&authority::EntityContext>) -> String {
    found.map_or_else(String::new, |entity| entity.entity_id().to_string())
}
