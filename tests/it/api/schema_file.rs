//! `schema.graphql` is what the code offers, and says what everything is.

use async_graphql::{
    Positioned,
    parser::types::{InputValueDefinition, TypeKind},
};

use super::sdl::Sdl;

/// Writes the file instead of comparing it, when set.
const UPDATE: &str = "UPDATE_SCHEMA";

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of the test itself")]
fn the_file_in_the_repository_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let sdl = clipqueue::graphql::sdl();
    if std::env::var(UPDATE).is_ok() {
        std::fs::write(path, &sdl).unwrap();
    }
    let file = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        file == sdl,
        "schema.graphql is out of date; run `clipqueue schema > schema.graphql`"
    );
}

#[test]
fn everything_is_described() {
    let mut silent = Vec::new();
    let mut look = |place: String, description: Option<&Positioned<String>>| {
        if description.is_none_or(|text| text.node.trim().is_empty()) {
            silent.push(place);
        }
    };
    let sdl = Sdl::new();
    for ty in sdl.types() {
        let name = &ty.name.node;
        look(name.to_string(), ty.description.as_ref());
        let fields = match &ty.kind {
            TypeKind::Object(object) => &object.fields,
            TypeKind::Interface(interface) => &interface.fields,
            TypeKind::InputObject(input) => {
                inputs(&format!("{name}."), &input.fields, &mut look);
                continue;
            }
            TypeKind::Enum(values) => {
                for value in &values.values {
                    let place = format!("{name}.{}", value.node.value.node);
                    look(place, value.node.description.as_ref());
                }
                continue;
            }
            TypeKind::Scalar | TypeKind::Union(_) => continue,
        };
        for field in fields {
            let place = format!("{name}.{}", field.node.name.node);
            look(place.clone(), field.node.description.as_ref());
            inputs(&format!("{place}:"), &field.node.arguments, &mut look);
        }
    }
    assert_eq!(silent, Vec::<String>::new(), "these have no description");
}

fn inputs(
    before: &str,
    values: &[Positioned<InputValueDefinition>],
    look: &mut impl FnMut(String, Option<&Positioned<String>>),
) {
    for value in values {
        let place = format!("{before}{}", value.node.name.node);
        look(place, value.node.description.as_ref());
    }
}

#[test]
fn every_mutation_takes_one_input_and_gives_user_errors() {
    let sdl = Sdl::new();
    for field in sdl.fields("Mutation") {
        let name = &field.name.node;
        let arguments: Vec<_> = field
            .arguments
            .iter()
            .map(|a| a.node.name.node.as_str())
            .collect();
        assert_eq!(arguments, ["input"], "{name}");
        let payload = sdl.fields(super::sdl::base(&field.ty.node));
        assert!(
            payload.iter().any(|field| {
                field.name.node == "userErrors" && field.ty.node.to_string() == "[UserError!]!"
            }),
            "{name} has no userErrors"
        );
    }
}
