//! Holds a reply against the OpenAPI document: every reply of these tests must be one that the document describes.

use latchbook_http::{Gate, Reply, openapi};
use serde_json::Value;

/// The document of `gate`, as JSON.
pub fn document(gate: &Gate) -> Value {
    serde_json::to_value(openapi::document(gate)).expect("JSON")
}

/// Asserts that the operation describes `reply`: its status, media type, fields and body.
pub fn assert_documented(gate: &Gate, method: &str, path: &str, reply: &Reply) {
    let document = document(gate);
    let operation = &document["paths"][path][method.to_lowercase()];
    let named = &operation["responses"][reply.status.to_string()];
    assert!(!named.is_null(), "{method} {path} does not describe {}: {}", reply.status, shown(reply));
    let response = resolved(&document, named);
    for (name, _) in &reply.headers {
        let of_challenge = reply.status == 400 && *name == "www-authenticate";
        let described =
            response["headers"].as_object().is_some_and(|all| all.keys().any(|known| known.eq_ignore_ascii_case(name)));
        assert!(*name == "content-type" || described || of_challenge, "{method} {path} {}: `{name}`", reply.status);
    }
    if reply.body.is_empty() {
        assert!(response.get("content").is_none(), "{method} {path} {}", reply.status);
        return;
    }
    let media_type = reply.header("content-type").expect("a media type");
    if reply.status >= 400 && media_type != "application/problem+json" && !path.starts_with("/oauth/") {
        return; // restyled by the host of that test
    }
    let schema = &response["content"][media_type]["schema"];
    assert!(schema.is_object(), "{method} {path} {}: {media_type}", reply.status);
    let body = serde_json::from_slice(&reply.body).expect("JSON");
    if let Err(wrong) = fits(&document, schema, &body) {
        panic!("{method} {path} {}: {wrong}: {}", reply.status, shown(reply));
    }
}

/// Whether `value` is what `schema` says, as far as structure goes.
pub fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolved(document, schema);
    let all = |name: &str| schema[name].as_array().into_iter().flatten();
    for part in all("allOf") {
        fits(document, part, value)?;
    }
    for (name, exactly) in [("anyOf", false), ("oneOf", true)] {
        let fitting = all(name).filter(|part| fits(document, part, value).is_ok()).count();
        if schema.get(name).is_some() && (fitting == 0 || exactly && fitting > 1) {
            return Err(format!("{fitting} of {name} fit {value}"));
        }
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => Vec::new(),
        kind => vec![kind.clone()],
    };
    let is = |kind: &str| match kind {
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("no type: {other}"),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind.as_str().expect("a type's name"))) {
        return Err(format!("{value} is none of {kinds:?}"));
    }
    if schema.get("enum").is_some() && !all("enum").any(|known| known == value) {
        return Err(format!("{value} is not in {}", schema["enum"]));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        return Err(format!("{number} is below {least}"));
    }
    for name in all("required") {
        let name = name.as_str().expect("a name");
        if value.is_object() && value.get(name).is_none() {
            return Err(format!("`{name}` is missing"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let known = schema["properties"].get(name).or(schema.get("additionalProperties"));
        if let Some(schema) = known {
            fits(document, schema, member).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item)?;
    }
    Ok(())
}

/// What a reference stands for; anything else is itself.
pub fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        None => value,
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("a local reference");
            document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
        }
    }
}

fn shown(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}
