//! Whether routes are guarded: by calling them as nobody.

use super::routes::filled;
use super::{Answer, RawRequest, Routes};

/// Demands that every one of `routes` is guarded: called without a token, with one that is none, and with those that the
/// test [names](Routes::refusing), each answers 401 with a challenge. `send` sends a request; adapters offer the same for
/// their framework's own applications.
///
/// A route whose path is not there, or that reads a body before it looks at the token, fails as well.
///
/// # Panics
/// If a route fails, or there is none. The message names all that fail, with what is wrong.
pub async fn assert_guarded(routes: impl Into<Routes>, send: impl AsyncFn(RawRequest) -> Result<Answer, String>) {
    let routes = routes.into();
    assert!(!routes.is_empty(), "there is no route to look at");
    let mut failed = Vec::new();
    for (method, path) in &routes.routes {
        if let Err(what) = look_at(method, &filled(path), &routes.refused_tokens, &send).await {
            failed.push(format!("  {method} {path}: {what}"));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} routes are not guarded as they should be:\n{}",
        failed.len(),
        routes.len(),
        failed.join("\n")
    );
}

async fn look_at(
    method: &str,
    target: &str,
    refused: &[String],
    send: &impl AsyncFn(RawRequest) -> Result<Answer, String>,
) -> Result<(), String> {
    check("without a token", &send(RawRequest::new(method, target)).await?)?;
    let given = refused.iter().map(|token| ("with a token that must be refused", token.as_str()));
    for (how, token) in [("with a token that is none", GARBAGE)].into_iter().chain(given) {
        let request = RawRequest::new(method, target).header("Authorization", format!("Bearer {token}"));
        check(how, &send(request).await?)?;
    }
    Ok(())
}

fn check(how: &str, answer: &Answer) -> Result<(), String> {
    let status = answer.status;
    match status {
        401 => match answer.challenge() {
            Some(challenge) if challenge.starts_with("Bearer realm=\"") => Ok(()),
            Some(challenge) => {
                Err(format!("{how}, 401 with the challenge `{challenge}`, which asks for no bearer token"))
            }
            None => Err(format!("{how}, 401 without a challenge: something else than the guard refused")),
        },
        404 => Err(format!("{how}, 404: there is no such route")),
        405 => Err(format!("{how}, 405: the path has no such method")),
        200..=399 => Err(format!("{how}, {status}: it let in whoever came")),
        400..=499 => Err(format!("{how}, {status}: something was looked at before the token")),
        _ => Err(format!("{how}, {status}: {answer:?}")),
    }
}

const GARBAGE: &str = "not.a.token";

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    /// A server with one route of each kind.
    fn answer(request: &RawRequest) -> Answer {
        let token = request.headers.iter().find(|(name, _)| name == "Authorization").map(|(_, value)| value.as_slice());
        let challenge = vec![("www-authenticate".to_owned(), "Bearer realm=\"test\"".to_owned())];
        let (status, headers) = match (request.target.as_str(), token) {
            ("/open", _) | ("/lax", Some(_)) => (200, Vec::new()),
            ("/keeps-expired/x", Some(b"Bearer expired")) => (200, Vec::new()),
            ("/guarded" | "/lax" | "/keeps-expired/x", _) => (401, challenge),
            ("/silent", _) => (401, Vec::new()),
            ("/body-first", _) => (415, Vec::new()),
            _ => (404, Vec::new()),
        };
        Answer { status, headers, body: Vec::new() }
    }

    fn look(routes: Routes) {
        block_on(assert_guarded(routes, async |request| Ok(answer(&request))));
    }

    fn failure(routes: Routes) -> String {
        let panic = std::panic::catch_unwind(|| look(routes)).expect_err("a failure");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    }

    #[test]
    fn guarded_routes_pass() {
        look(Routes::from([("GET", "/guarded"), ("POST", "/guarded")]).refusing("expired"));
        look(Routes::from([("GET", "/keeps-expired/{id}")]));
    }

    #[test]
    fn every_route_that_fails_is_named_with_what_is_wrong() {
        let said = failure(Routes::from([
            ("GET", "/guarded"),
            ("GET", "/open"),
            ("PUT", "/lax"),
            ("GET", "/silent"),
            ("POST", "/body-first"),
            ("GET", "/nowhere"),
        ]));
        let want = "5 of 6 routes are not guarded as they should be:\n  \
                    GET /open: without a token, 200: it let in whoever came\n  \
                    PUT /lax: with a token that is none, 200: it let in whoever came\n  \
                    GET /silent: without a token, 401 without a challenge: something else than the guard refused\n  \
                    POST /body-first: without a token, 415: something was looked at before the token\n  \
                    GET /nowhere: without a token, 404: there is no such route";
        assert_eq!(said, want);
    }

    #[test]
    fn a_route_that_takes_a_token_which_is_over_fails() {
        let said = failure(Routes::from([("GET", "/keeps-expired/{id}")]).refusing("expired"));
        assert!(said.contains("GET /keeps-expired/{id}: with a token that must be refused, 200"), "{said}");
    }

    #[test]
    fn no_route_at_all_is_a_failure() {
        let panic = std::panic::catch_unwind(|| look(Routes::default()));
        assert!(panic.is_err());
    }
}
