//! Routes that a test names: from a list, or from an OpenAPI document.

use serde_json::Value;

/// Guarded routes, for `assert_guarded`: a list of methods and paths, or what an OpenAPI document says is guarded.
///
/// A `{…}` in a path is filled with a placeholder, so paths can stand here as a router or a document has them.
///
/// ```
/// use latchbook_http::testing::Routes;
///
/// let routes = Routes::from([("GET", "/v1/transactions"), ("DELETE", "/v1/entities/{id}")]);
/// assert_eq!(routes.len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Routes {
    pub(super) routes: Vec<(String, String)>,
    pub(super) refused_tokens: Vec<String>,
}

impl Routes {
    /// The operations of an OpenAPI document (3.0, 3.1) that demand a bearer token.
    ///
    /// These are the operations whose `security`, their own or the document's, has no empty alternative and names no
    /// scheme but those that a bearer token meets: `http` with `bearer`, `oauth2`, `openIdConnect`.
    #[must_use]
    pub fn from_openapi(document: &Value) -> Self {
        let mut routes = Vec::new();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let is_method = METHODS.contains(&method.as_str());
                let security = operation.get("security").or_else(|| document.get("security"));
                if is_method && security.is_some_and(|security| demands_bearer(security, document)) {
                    routes.push((method.to_ascii_uppercase(), path.clone()));
                }
            }
        }
        Self { routes, refused_tokens: Vec::new() }
    }

    /// A token that must be refused as well, such as one that is over or was revoked.
    #[must_use]
    pub fn refusing(mut self, token: impl Into<String>) -> Self {
        self.refused_tokens.push(token.into());
        self
    }

    /// How many routes these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}

impl From<&[(&str, &str)]> for Routes {
    fn from(routes: &[(&str, &str)]) -> Self {
        let routes = routes.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
        Self { routes, refused_tokens: Vec::new() }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Routes {
    fn from(routes: [(&str, &str); N]) -> Self {
        Self::from(routes.as_slice())
    }
}

/// `path` with every `{…}` filled.
pub(super) fn filled(path: &str) -> String {
    let mut filled = String::new();
    let mut rest = path;
    while let Some((before, (_, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        filled.push_str(before);
        filled.push('x');
        rest = after;
    }
    filled + rest
}

fn demands_bearer(security: &Value, document: &Value) -> bool {
    let Some(alternatives) = security.as_array().filter(|alternatives| !alternatives.is_empty()) else { return false };
    alternatives.iter().all(|alternative| {
        let mut schemes = alternative.as_object().into_iter().flat_map(serde_json::Map::keys).peekable();
        schemes.peek().is_some() && schemes.all(|name| is_bearer(name, document))
    })
}

fn is_bearer(name: &str, document: &Value) -> bool {
    let schemes = document.pointer("/components/securitySchemes");
    let scheme = schemes.and_then(|schemes| schemes.get(name)).unwrap_or(&Value::Null);
    let text = |member: &str| scheme.get(member).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "http" => text("scheme").eq_ignore_ascii_case("bearer"),
        "oauth2" | "openIdConnect" => true,
        _ => false,
    }
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_says_which_operations_are_guarded() {
        let bearer = json!([{"token": ["ledger:read"]}]);
        let document = json!({
            "security": bearer,
            "components": {"securitySchemes": {
                "token": {"type": "http", "scheme": "Bearer"}, "basic": {"type": "http", "scheme": "basic"},
                "client": {"type": "oauth2", "flows": {}}, "cookie": {"type": "apiKey", "in": "cookie", "name": "c"}}},
            "paths": {
                "/a": {"get": {}, "post": {"security": []}, "parameters": [], "summary": "x"},
                "/b/{id}": {"delete": {"security": bearer}, "get": {"security": [{}, {"token": []}]}},
                "/c": {"get": {"security": [{"basic": []}]}, "put": {"security": [{"token": []}, {"client": []}]}},
                "/d": {"get": {"security": [{"token": []}, {"cookie": []}]}, "post": {"security": [{"unknown": []}]}}}});
        let found = Routes::from_openapi(&document).routes;
        let want = [("GET", "/a"), ("DELETE", "/b/{id}"), ("PUT", "/c")];
        assert_eq!(found, want.map(|(method, path)| (method.to_owned(), path.to_owned())));
        assert!(Routes::from_openapi(&json!({})).is_empty());
    }

    #[test]
    fn parameters_are_filled() {
        for (path, want) in [("/a", "/a"), ("/a/{id}/b/{*rest}", "/a/x/b/x"), ("/{a}{b}", "/xx"), ("/a/{id", "/a/{id")]
        {
            assert_eq!(filled(path), want);
        }
    }
}
