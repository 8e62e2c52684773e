//! Short words for the parts of schemas and operations that are needed again and again.

use serde_json::Value;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required};

/// Text without control characters.
pub(super) const PLAIN_TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// A developer's or an entity's id: not `.`, not `..`.
pub(super) const ID: &str = r"^(\.{0,2}[0-9A-Za-z_~-][0-9A-Za-z._~-]*|\.{3}[0-9A-Za-z._~-]*)$";
/// Scope tokens, separated by single spaces (RFC 6749 §3.3).
pub(super) const SCOPE: &str = r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$";

/// A member of an object.
pub(super) struct Member {
    name: &'static str,
    schema: RefOr<Schema>,
    required: bool,
}

/// A member that is always there.
pub(super) fn always(name: &'static str, schema: impl Into<RefOr<Schema>>) -> Member {
    Member { name, schema: schema.into(), required: true }
}

/// A member that may be left out.
pub(super) fn maybe(name: &'static str, schema: impl Into<RefOr<Schema>>) -> Member {
    Member { name, schema: schema.into(), required: false }
}

/// An object. Others than these members may come and mean nothing.
pub(super) fn object(description: &str, members: impl IntoIterator<Item = Member>) -> ObjectBuilder {
    members.into_iter().fold(typed(Type::Object).description(text(description)), |object, member| {
        let object = object.property(member.name, member.schema);
        if member.required { object.required(member.name) } else { object }
    })
}

/// A string.
pub(super) fn string(description: &str) -> ObjectBuilder {
    typed(Type::String).description(text(description))
}

/// One of a few strings.
pub(super) fn one_of<'a>(description: &str, values: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    string(description).enum_values(Some(values))
}

/// An instant (RFC 3339).
pub(super) fn instant(description: &str) -> ObjectBuilder {
    string(description).format(Some(utoipa::openapi::SchemaFormat::Custom("date-time".to_owned())))
}

/// A day (RFC 3339 full-date).
pub(super) fn day(description: &str) -> ObjectBuilder {
    string(description).format(Some(utoipa::openapi::SchemaFormat::Custom("date".to_owned())))
}

/// A whole number of at least `least`.
pub(super) fn count(description: &str, least: u64) -> ObjectBuilder {
    typed(Type::Integer).description(text(description)).minimum(Some(number(least)))
}

/// `true` or `false`.
pub(super) fn flag(description: &str) -> ObjectBuilder {
    typed(Type::Boolean).description(text(description))
}

/// An amount with the digits that it was given.
pub(super) fn decimal(description: &str) -> ObjectBuilder {
    typed(Type::Number).description(text(description))
}

/// A list.
pub(super) fn list(description: &str, items: impl Into<RefOr<Schema>>) -> ArrayBuilder {
    ArrayBuilder::new().description(text(description)).items(items.into())
}

/// The same, or `null`.
pub(super) fn or_null(schema: ObjectBuilder) -> ObjectBuilder {
    let mut object = schema.build();
    if let SchemaType::Type(kind) = object.schema_type {
        object.schema_type = SchemaType::Array(vec![kind, Type::Null]);
    }
    ObjectBuilder::from(object)
}

/// A reference to a shared schema.
pub(super) fn shared(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

/// A number as utoipa takes it.
pub(super) fn number(count: u64) -> utoipa::Number {
    // INVARIANT: bounds of ours are small.
    utoipa::Number::UInt(usize::try_from(count).unwrap_or(usize::MAX))
}

/// A parameter of the query, which may be left out.
pub(super) fn query(name: &str, schema: ObjectBuilder) -> Parameter {
    parameter(ParameterIn::Query, Required::False, name, schema)
}

/// A segment of the path.
pub(super) fn segment(name: &str, schema: ObjectBuilder) -> Parameter {
    parameter(ParameterIn::Path, Required::True, name, schema)
}

/// A field of the head, which may be left out.
pub(super) fn field(name: &str, schema: ObjectBuilder) -> Parameter {
    parameter(ParameterIn::Header, Required::False, name, schema)
}

fn parameter(place: ParameterIn, required: Required, name: &str, schema: ObjectBuilder) -> Parameter {
    let schema = schema.build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(schema.description.clone())
        .schema(Some(schema))
        .build()
}

/// A body that must be sent as JSON.
pub(super) fn json_body(schema: &str, example: Value) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(shared(schema))).example(Some(example)).build();
    RequestBodyBuilder::new().required(Some(Required::True)).content("application/json", content).build()
}

/// A field of an answer.
pub(super) fn answer_field(schema: ObjectBuilder) -> Header {
    let schema = schema.build();
    let mut header = Header::new(Schema::Object(schema.clone()));
    header.description = schema.description;
    header
}

/// `Cache-Control` of an answer for nobody's cache.
pub(super) fn not_kept() -> Header {
    answer_field(one_of("No cache may keep it.", ["no-store"]))
}

/// `Cache-Control` of an answer that caches may keep.
pub(super) fn kept() -> Header {
    answer_field(string("How long it may be kept."))
}

/// `Retry-After`.
pub(super) fn retry_after() -> Header {
    answer_field(count("Whole seconds until it is worth trying again.", 0))
}

/// `Allow`.
pub(super) fn allow() -> Header {
    answer_field(string("The methods that the path has (RFC 9110 §10.2.1)."))
}

fn typed(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind)
}

fn text(description: &str) -> Option<&str> {
    (!description.is_empty()).then_some(description)
}
