//! Documents for any root field, with arguments that fit their types.

use async_graphql::parser::types::{FieldDefinition, Type};
use serde_json::{Map, Value, json};

use super::sdl::{Sdl, base, is_list};

/// A document and its variables.
pub(super) struct Sample {
    pub(super) document: String,
    pub(super) variables: Value,
}

/// An operation of `kind` that asks for `field` alone. `value` gives the argument or input field at a
/// path, such as `input.accountId`; what it does not give is made up where it is required.
pub(super) fn sample(
    sdl: &Sdl,
    kind: &str,
    field: &FieldDefinition,
    value: &impl Fn(&str) -> Option<Value>,
) -> Sample {
    let (mut definitions, mut passed, mut variables) = (Vec::new(), Vec::new(), Map::new());
    for argument in &field.arguments {
        let name = argument.node.name.node.as_str();
        if let Some(given) = fill(sdl, name, &argument.node.ty.node, value) {
            definitions.push(format!("${name}: {}", argument.node.ty.node));
            passed.push(format!("{name}: ${name}"));
            variables.insert(name.to_owned(), given);
        }
    }
    let brackets = |list: Vec<String>| match list.is_empty() {
        true => String::new(),
        false => format!("({})", list.join(", ")),
    };
    let name = &field.name.node;
    let fields = selection(sdl, &field.ty.node);
    let (definitions, passed) = (brackets(definitions), brackets(passed));
    Sample {
        document: format!("{kind} {definitions} {{ {name}{passed} {fields} }}"),
        variables: Value::Object(variables),
    }
}

/// A value for a place of type `ty`; none where none is needed or given.
fn fill(sdl: &Sdl, path: &str, ty: &Type, value: &impl Fn(&str) -> Option<Value>) -> Option<Value> {
    if let Some(given) = value(path) {
        return Some(if is_list(ty) { json!([given]) } else { given });
    }
    let name = base(ty);
    if let Some(fields) = sdl.input(name) {
        let mut object = Map::new();
        for field in fields {
            let inner = format!("{path}.{}", field.name.node);
            if let Some(given) = fill(sdl, &inner, &field.ty.node, value) {
                object.insert(field.name.node.to_string(), given);
            }
        }
        return (!ty.nullable || !object.is_empty()).then_some(Value::Object(object));
    }
    if ty.nullable {
        return None;
    }
    let one = match name {
        "String" | "ID" | "URL" => json!("sample"),
        "Int" => json!(1),
        "Boolean" => json!(false),
        "BigInt" => json!("1000"),
        "LocalDateTime" => json!("2027-02-01T09:30:00"),
        "DateTime" => json!("2027-01-15T08:00:00Z"),
        other => json!(
            sdl.first_value(other)
                .unwrap_or_else(|| panic!("no sample of {other}"))
        ),
    };
    Some(if is_list(ty) { json!([one]) } else { one })
}

/// What to select: the errors of a payload, the checks of a preflight, and little else.
fn selection(sdl: &Sdl, ty: &Type) -> &'static str {
    if !sdl.is_composite(ty) {
        return "";
    }
    match base(ty) {
        "CreatePostsPayload" => "{ rows { userErrors { code field } } userErrors { code field } }",
        "Preflight" => "{ checks { verdict code field } }",
        name if name.ends_with("Payload") => "{ userErrors { code field } }",
        _ => "{ __typename }",
    }
}

/// The paths of every argument and input field of type ID.
pub(super) fn id_paths(sdl: &Sdl, field: &FieldDefinition) -> Vec<String> {
    fn walk(sdl: &Sdl, path: String, ty: &Type, found: &mut Vec<String>) {
        if base(ty) == "ID" {
            found.push(path);
        } else if let Some(fields) = sdl.input(base(ty)) {
            for field in fields {
                let inner = format!("{path}.{}", field.name.node);
                walk(sdl, inner, &field.ty.node, found);
            }
        }
    }
    let mut found = Vec::new();
    for argument in &field.arguments {
        let name = argument.node.name.node.to_string();
        walk(sdl, name, &argument.node.ty.node, &mut found);
    }
    found
}
