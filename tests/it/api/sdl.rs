//! The schema as data, for tests that must hold for every field there is or will be.

use async_graphql::parser::{
    parse_schema,
    types::{
        BaseType, FieldDefinition, InputValueDefinition, ServiceDocument, Type, TypeDefinition,
        TypeKind, TypeSystemDefinition,
    },
};

/// The schema.
pub(super) struct Sdl(ServiceDocument);

impl Sdl {
    /// Of the code as it is.
    pub(super) fn new() -> Self {
        Self(parse_schema(clipqueue::graphql::sdl()).unwrap())
    }

    /// Every type.
    pub(super) fn types(&self) -> impl Iterator<Item = &TypeDefinition> {
        self.0.definitions.iter().filter_map(|item| match item {
            TypeSystemDefinition::Type(ty) => Some(&ty.node),
            _ => None,
        })
    }

    /// A type by name; none for the scalars of GraphQL itself.
    pub(super) fn find(&self, name: &str) -> Option<&TypeDefinition> {
        self.types().find(|ty| ty.name.node == name)
    }

    /// The fields of an object.
    pub(super) fn fields(&self, name: &str) -> Vec<&FieldDefinition> {
        match &self.find(name).unwrap().kind {
            TypeKind::Object(object) => object.fields.iter().map(|field| &field.node).collect(),
            other => panic!("{name} is {other:?}"),
        }
    }

    /// Whether values of the type have fields.
    pub(super) fn is_composite(&self, ty: &Type) -> bool {
        self.find(base(ty)).is_some_and(|ty| {
            matches!(
                ty.kind,
                TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)
            )
        })
    }

    /// The fields of an input object; none for another type.
    pub(super) fn input(&self, name: &str) -> Option<Vec<&InputValueDefinition>> {
        match &self.find(name)?.kind {
            TypeKind::InputObject(input) => {
                Some(input.fields.iter().map(|field| &field.node).collect())
            }
            _ => None,
        }
    }

    /// The first value of an enum; none for another type.
    pub(super) fn first_value(&self, name: &str) -> Option<&str> {
        match &self.find(name)?.kind {
            TypeKind::Enum(values) => Some(values.values[0].node.value.node.as_str()),
            _ => None,
        }
    }
}

/// The name within lists and exclamation marks.
pub(super) fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}

/// Whether it is a list at any depth.
pub(super) fn is_list(ty: &Type) -> bool {
    matches!(ty.base, BaseType::List(_))
}
