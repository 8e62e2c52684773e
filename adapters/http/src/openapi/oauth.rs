//! The operations of OAuth clients: forms in, and errors in the form of RFC 6749 (§5.2).

use serde_json::json;
use utoipa::openapi::path::{Operation, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, RefOr, Required, Response, ResponseBuilder};

use super::answers::{key_id, password};
use super::words::{
    ID, SCOPE, allow, always, answer_field, count, flag, list, maybe, not_kept, object, one_of, retry_after, shared,
    string,
};

/// The name of the security scheme of clients: the developer's id and an API key, by HTTP Basic.
pub(super) const BASIC: &str = "clientBasic";

/// The schemas of these operations, by name.
pub(super) fn schemas() -> Vec<(&'static str, RefOr<Schema>)> {
    let grants = OneOfBuilder::new().item(client_credentials()).item(token_exchange()).build();
    vec![
        ("OAuthTokenRequest", Schema::OneOf(grants).into()),
        ("OAuthToken", issued().into()),
        ("TokenOfClient", token_of_client().into()),
        ("Introspection", introspection().into()),
        ("ServerMetadata", metadata().into()),
        ("OAuthError", error().into()),
    ]
}

/// `POST /oauth/token`.
pub(super) fn token() -> Operation {
    let example = json!({"grant_type": "client_credentials", "scope": "ledger:read"});
    let operation = operation("oauthToken", "Get an access token, as an OAuth client", "OAuthTokenRequest", example);
    described(operation.response("200", answer("The token.", "OAuthToken")))
}

/// `POST /oauth/introspect`.
pub(super) fn introspect() -> Operation {
    let operation = operation("introspect", "Whether a token of one's own is active", "TokenOfClient", token_example());
    described(operation.response("200", answer("What is known of it.", "Introspection")))
}

/// `POST /oauth/revoke`.
pub(super) fn revoke() -> Operation {
    let done = "It is revoked, or there was nothing to revoke.";
    let response = ResponseBuilder::new().description(done).header("Cache-Control", not_kept());
    described(
        operation("revokeToken", "Revoke a token of one's own", "TokenOfClient", token_example())
            .response("200", response),
    )
}

fn token_example() -> serde_json::Value {
    json!({"token": "eyJ0eXAiOiJhdCtqd3QifQ.e30.c2ln"})
}

/// An operation that takes a form. Its client shows itself by HTTP Basic, or by members of the form.
fn operation(id: &str, summary: &str, form: &str, example: serde_json::Value) -> OperationBuilder {
    let content = ContentBuilder::new().schema(Some(shared(form))).example(Some(example)).build();
    let body = RequestBodyBuilder::new().required(Some(Required::True));
    OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .tag("OAuth")
        .security(SecurityRequirement::new::<_, [&str; 0], &str>(BASIC, []))
        .security(SecurityRequirement::default())
        .request_body(Some(body.content("application/x-www-form-urlencoded", content).build()))
}

/// With every refusal that each of these operations has.
fn described(operation: OperationBuilder) -> Operation {
    let refusals = [
        ("400", "The request is malformed, or asks for what may not be given."),
        ("401", "Developer and API key are not valid together, or were not shown."),
        ("405", "What other methods of this path get."),
        ("413", "The body is too large."),
        ("415", "The body is no form."),
        ("429", "There were too many requests."),
        ("500", "The service is not set up rightly."),
        ("503", "The service cannot answer right now."),
    ];
    refusals
        .into_iter()
        .fold(operation, |operation, (status, text)| operation.response(status, refused(status, text)))
        .build()
}

fn refused(status: &str, description: &str) -> Response {
    let response = ResponseBuilder::from(answer(description, "OAuthError"));
    match status {
        "401" => response.header("WWW-Authenticate", answer_field(string("The challenge (RFC 7617)."))),
        "405" => response.header("Allow", allow()),
        "429" | "503" => response.header("Retry-After", retry_after()),
        _ => response,
    }
    .build()
}

fn answer(description: &str, schema: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(shared(schema))).build();
    let response = ResponseBuilder::new().description(description).content("application/json", content);
    response.header("Cache-Control", not_kept()).build()
}

/// What shows the client, where HTTP Basic does not.
fn with_client(form: ObjectBuilder) -> ObjectBuilder {
    form.property("client_id", string("The developer's id, where not by HTTP Basic."))
        .property("client_secret", password("The API key's text, where not by HTTP Basic."))
}

fn narrowed(form: ObjectBuilder) -> ObjectBuilder {
    form.property("scope", string("The scopes that are wanted, separated by single spaces.").pattern(Some(SCOPE)))
        .property("entity_id", string("The entity, for an entity token.").pattern(Some(ID)).max_length(Some(128)))
}

fn client_credentials() -> ObjectBuilder {
    let grant = one_of("The grant (RFC 6749 §4.4).", ["client_credentials"]);
    with_client(narrowed(object("An API key, for a token.", [always("grant_type", grant)])))
}

fn token_exchange() -> ObjectBuilder {
    let grant = "urn:ietf:params:oauth:grant-type:token-exchange";
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    let form = object(
        "A developer's token, for one that reaches no more (RFC 8693). It needs no client.",
        [
            always("grant_type", one_of("The grant (RFC 8693 §2.1).", [grant])),
            always("subject_token", password("A developer's access token.").min_length(Some(1))),
            always("subject_token_type", one_of("What it is.", [kind])),
            maybe("requested_token_type", one_of("What is wanted.", [kind])),
        ],
    );
    with_client(narrowed(form))
}

fn issued() -> ObjectBuilder {
    object(
        "A token that was issued (RFC 6749 §5.1).",
        [
            always("access_token", string("The access token: a JWS in compact form (RFC 9068).")),
            maybe("issued_token_type", string("What it is, after a token exchange (RFC 8693 §2.2.1).")),
            always("token_type", one_of("How it is used (RFC 6750).", ["Bearer"])),
            always("expires_in", count("Seconds until it is over.", 1)),
            maybe("scope", string("Its scopes, where they are not all that it could have.").pattern(Some(SCOPE))),
        ],
    )
}

fn token_of_client() -> ObjectBuilder {
    let hint = string("What it is thought to be; it is not needed.");
    with_client(object(
        "A token, and who asks.",
        [always("token", password("The token.").min_length(Some(1))), maybe("token_type_hint", hint)],
    ))
}

fn introspection() -> ObjectBuilder {
    let act = object(
        "Who the token was exchanged from (RFC 8693 §4.1).",
        [always("sub", string("The developer.")), always("client_id", key_id("The key."))],
    );
    object(
        "What is known of a token (RFC 7662 §2.2): only `active`, where it is not an active one of the client's own.",
        [
            always("active", flag("Whether it is in force.")),
            maybe("token_type", one_of("How it is used (RFC 6750).", ["Bearer"])),
            maybe("scope", string("Its scopes.")),
            maybe("client_id", key_id("The API key that it came from.")),
            maybe("sub", string("The developer, or the entity of an entity token.")),
            maybe("aud", string("Who it is for.")),
            maybe("iss", string("Who made it.")),
            maybe("exp", count("When it is over (NumericDate).", 0)),
            maybe("iat", count("When it was made.", 0)),
            maybe("nbf", count("From when on it is in force.", 0)),
            maybe("jti", string("Its id.")),
            maybe("developer", string("The developer.")),
            maybe("entity", string("The entity, of an entity token.")),
            maybe("env", string("Its environment.")),
            maybe("ips", list("The ranges that its caller must be in.", string("A range."))),
            maybe("act", act),
            maybe("origin", string("The `jti` of the first token, after a token exchange.")),
        ],
    )
}

fn metadata() -> ObjectBuilder {
    let url = |what: &str| string(what).format(Some(utoipa::openapi::SchemaFormat::Custom("uri".to_owned())));
    let names = |what: &str| list(what, string("A name."));
    object(
        "Where an environment's authorization server has what (RFC 8414 §2).",
        [
            always("issuer", url("The environment's issuer.")),
            always("token_endpoint", url("Where tokens are made.")),
            always("introspection_endpoint", url("Where tokens are introspected.")),
            always("revocation_endpoint", url("Where tokens are revoked.")),
            always("jwks_uri", url("Where its public keys are.")),
            always("scopes_supported", names("The scopes that there are.")),
            always("response_types_supported", names("`none`: there is no authorization endpoint.")),
            always("grant_types_supported", names("The grants that the token endpoint takes.")),
            always("token_endpoint_auth_methods_supported", names("How clients show themselves there.")),
            always("introspection_endpoint_auth_methods_supported", names("How clients show themselves there.")),
            always("revocation_endpoint_auth_methods_supported", names("How clients show themselves there.")),
        ],
    )
}

fn error() -> ObjectBuilder {
    object(
        "Why a request was refused (RFC 6749 §5.2).",
        [
            always("error", string("The code: what programs read.")),
            always("error_description", string("A sentence for people.")),
        ],
    )
    .examples([
        json!({"error": "invalid_client", "error_description": "The client and its secret are not valid together."}),
    ])
}
