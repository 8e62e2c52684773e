//! The middleware that lets nobody through without a valid token.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpRequest};
use latchbook_core::authority::Principal;
use latchbook_http::{Gate, Serves, Serving, Verdict};

use crate::head::{fields, for_request};
use crate::reply::respond;

/// Refuses every request without a valid token, of either kind, before what lies behind it runs: deny by default.
///
/// Wrap resources with it, and an unknown path stays a 404; around a scope or an app, it asks for a token first and says
/// nothing about what is there to anybody who has none. It decides nothing but that: handlers still ask by extractor for
/// who is there, and nothing is passed on in extensions. A refusal is a response, not an error, so that middleware
/// further out (CORS, say) adds its fields to it. Serves the home environment; [`RequirePrincipal::serving`] names others.
///
/// ```
/// # use actix_web::{App, web};
/// use latchbook_actix::{AnyEnvironment, Gate, require_principal};
///
/// # fn app(gate: Gate) {
/// let app = App::new()
///     .service(
///         web::resource("/v1/reports")
///             .wrap(require_principal(&gate).serving::<AnyEnvironment>())
///             .route(web::get().to(|| async { "guarded" })),
///     )
///     .route("/ping", web::get().to(|| async { "open" }));
/// # }
/// ```
#[must_use]
pub fn require_principal(gate: &Gate) -> RequirePrincipal {
    RequirePrincipal { gate: gate.clone(), serves: Serves::Home }
}

/// The middleware that [`require_principal`] makes.
#[derive(Clone, Debug)]
pub struct RequirePrincipal {
    gate: Gate,
    serves: Serves,
}

impl RequirePrincipal {
    /// Serves the environments of `E` instead of the home environment.
    #[must_use]
    pub fn serving<E: Serving>(self) -> Self {
        Self { serves: E::serves(), ..self }
    }
}

impl RequirePrincipal {
    fn admit(&self, request: &HttpRequest) -> Verdict<Principal> {
        let gate = for_request(&self.gate, request);
        gate.principal(&fields(request, gate.trusts_proxies()).head(), self.serves)
    }
}

impl<T, B> Transform<T, ServiceRequest> for RequirePrincipal
where
    T: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = Guarded<T>;
    type InitError = ();
    type Future = Ready<Result<Guarded<T>, ()>>;

    fn new_transform(&self, inner: T) -> Self::Future {
        ready(Ok(Guarded { inner: Rc::new(inner), guard: self.clone() }))
    }
}

/// A service behind [`RequirePrincipal`].
pub struct Guarded<T> {
    inner: Rc<T>,
    guard: RequirePrincipal,
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl<T, B> Service<ServiceRequest> for Guarded<T>
where
    T: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let inner = Rc::clone(&self.inner);
        // Nothing of the request is borrowed over the wait, and no copy of it is there then: the router behind this must
        // be the only one that holds it.
        let admitted = self.guard.admit(request.request());
        Box::pin(async move {
            match admitted.await {
                Ok(_) => Ok(inner.call(request).await?.map_into_left_body()),
                Err(refused) => Ok(request.into_response(respond(refused)).map_into_right_body()),
            }
        })
    }
}
