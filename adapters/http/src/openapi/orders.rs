//! The schemas of what clients send to the contract's routes. What they say is what is checked; other members mean nothing.

use latchbook_core::authority::Authority;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{RefOr, SchemaFormat};

use super::answers::password;
use super::words::{
    ID, Member, PLAIN_TEXT, SCOPE, always, count, instant, list, maybe, number, object, one_of, or_null, string,
};

/// Every shared schema of a body, by name.
pub(super) fn all(authority: &Authority) -> Vec<(&'static str, RefOr<Schema>)> {
    vec![
        ("TokenRequest", token_request(authority)),
        ("DeveloperTokenRequest", developer_token_request(authority).into()),
        ("EntityTokenRequest", entity_token_request(authority).into()),
        ("NewApiKey", new_api_key(authority).into()),
        ("NewSandbox", new_sandbox().into()),
    ]
}

fn token_request(authority: &Authority) -> RefOr<Schema> {
    let developer = object(
        "For a developer token.",
        exchanged(
            authority,
            [
                always("userType", one_of("The kind of token.", ["developer"])),
                always("id", string("The developer's id.")),
            ],
        ),
    );
    let entity = object(
        "For an entity token.",
        exchanged(
            authority,
            [
                always("userType", one_of("The kind of token.", ["entity"])),
                always("id", string("The entity's id.")),
                always("developerId", string("The developer's id.")),
            ],
        ),
    );
    Schema::OneOf(OneOfBuilder::new().item(developer).item(entity).build()).into()
}

fn developer_token_request(authority: &Authority) -> ObjectBuilder {
    object(
        "An API key, for a developer token.",
        exchanged(authority, [always("developerId", string("The developer's id."))]),
    )
}

fn entity_token_request(authority: &Authority) -> ObjectBuilder {
    object(
        "An API key, for a token that reaches one entity alone.",
        exchanged(
            authority,
            [always("developerId", string("The developer's id.")), always("entityId", string("The entity's id."))],
        ),
    )
}

/// What every exchange takes beside `members`.
fn exchanged<const N: usize>(authority: &Authority, members: [Member; N]) -> impl Iterator<Item = Member> {
    let longest = authority.policy().longest_lifetime.as_seconds();
    members.into_iter().chain([
        always("apiKey", password("The API key's text.")),
        maybe(
            "scope",
            or_null(
                string("The scopes that are wanted, separated by single spaces: fewer than the key's.")
                    .pattern(Some(SCOPE)),
            ),
        ),
        maybe(
            "expiresIn",
            or_null(count("The lifetime that is wanted, in seconds.", 1).maximum(Some(number(longest)))),
        ),
    ])
}

fn new_api_key(authority: &Authority) -> ObjectBuilder {
    // `resource:*` stands for every scope of the resource.
    let declared: Vec<&str> = authority.scopes().scopes().map(|scope| scope.as_str()).collect();
    let mut scopes: Vec<String> = declared.iter().map(|&scope| scope.to_owned()).collect();
    scopes.extend(
        declared.iter().filter_map(|scope| scope.rsplit_once(':')).map(|(resource, _)| format!("{resource}:*")),
    );
    scopes.sort_unstable();
    scopes.dedup();
    let scope = one_of(
        "A scope of the access token; `resource:*` is every one of the resource.",
        scopes.iter().map(String::as_str),
    );
    // By format first: patterns of ranges name their usual forms, and formats shut nothing out.
    let range = AnyOfBuilder::new()
        .item(string("An address.").format(Some(SchemaFormat::Custom("ipv4".to_owned()))).examples(["192.0.2.1"]))
        .item(string("An address.").format(Some(SchemaFormat::Custom("ipv6".to_owned()))).examples(["2001:db8::1"]))
        .item(string("A range.").pattern(Some(IPV4_RANGE)).examples(["192.0.2.0/24"]))
        .item(string("A range.").pattern(Some(IPV6_RANGE)).examples(["2001:db8::/32"]));
    let value = ObjectBuilder::new().schema_type(Type::String).pattern(Some(PLAIN_TEXT)).max_length(Some(500));
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(PLAIN_TEXT))
        .min_length(Some(1))
        .max_length(Some(40));
    let pairs = object("Pairs of your own.", [])
        .additional_properties(Some(Schema::from(value)))
        .property_names(Some(name))
        .max_properties(Some(20));
    object(
        "A key that is to be made. It is never wider than the key behind the access token: in scopes, ranges and expiry.",
        [
            always("name", label("A name for people; it need not be unique.")),
            always("scopes", list("What it may do.", scope).min_items(Some(1)).max_items(Some(100))),
            maybe(
                "expiresAt",
                or_null(instant("From when on it is over: in the future, and not after the maker's own.")),
            ),
            maybe(
                "allowedIps",
                nullable_list(
                    "The ranges that its caller must be in; none is anywhere.",
                    Schema::AnyOf(range.build()),
                    16,
                ),
            ),
            maybe("metadata", or_null(pairs)),
        ],
    )
}

fn new_sandbox() -> ObjectBuilder {
    let short = |description| or_null(label(description).max_length(Some(100)));
    let preferences = object(
        "What the test data should look like.",
        [
            maybe("currency", or_null(string("ISO 4217.").pattern(Some("^[A-Z]{3}$")))),
            maybe("timezone", short("Such as `America/New_York`.")),
            maybe("locale", short("Such as `en-US`.")),
        ],
    );
    object(
        "A sandbox that is to be opened.",
        [
            always("name", label("The name of developer, entity and ledger.")),
            always("developer_id", string("The id that the developer gets.").pattern(Some(ID)).max_length(Some(128))),
            maybe("industry", short("The line of business.")),
            maybe("preferences", or_null(preferences)),
        ],
    )
}

/// A name for people.
fn label(description: &str) -> ObjectBuilder {
    string(description).pattern(Some(PLAIN_TEXT)).min_length(Some(1)).max_length(Some(200))
}

fn nullable_list(description: &str, items: impl Into<RefOr<Schema>>, most: usize) -> Schema {
    let mut array = list(description, items).max_items(Some(most)).build();
    array.schema_type = utoipa::openapi::schema::SchemaType::Array(vec![Type::Array, Type::Null]);
    Schema::Array(array)
}

const IPV4_RANGE: &str = r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])$";
const IPV6_RANGE: &str = r"^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,5}::/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$";
