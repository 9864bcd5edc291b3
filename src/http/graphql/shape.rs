//! How big an operation is once its fragments are spread, and whether that is too big.
//!
//! Each fragment is measured once and its size reused, so that a document whose fragments double each
//! other thirty times is refused in the time it takes to read it. The schema plays no part here; what
//! a field costs is counted later.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Pos, Positioned};

use super::settings::Limits;
use crate::graphql::error::{ApiError, Code};

/// Selection sets and fragments inside each other, as the schema's engine counts them too.
pub(super) const RECURSION_LIMIT: usize = 32;
/// Lists of an introspected type inside each other (`fields { type { fields …`): they multiply.
const INTROSPECTION_LISTS: usize = 2;

/// The size of a selection set with its fragments spread.
#[derive(Clone, Copy, Default)]
struct Shape {
    /// Fields inside fields.
    depth: usize,
    /// Selection sets inside each other, fragments included.
    levels: usize,
    selections: usize,
    aliases: usize,
    /// Fields directly in the set.
    fields: usize,
    /// Fields directly in the set that do not introspect (`__typename` counts as neither).
    plain: usize,
    /// Fields directly in the set that read the schema.
    introspecting: usize,
    /// Introspection lists inside each other.
    lists: usize,
}

impl Shape {
    /// Adds a neighbour whose selections stand in the same set.
    fn beside(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.levels = self.levels.max(other.levels);
        self.lists = self.lists.max(other.lists);
        self.selections = self.selections.saturating_add(other.selections);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.fields = self.fields.saturating_add(other.fields);
        self.plain = self.plain.saturating_add(other.plain);
        self.introspecting = self.introspecting.saturating_add(other.introspecting);
    }
}

enum Measured {
    Underway,
    Done(Shape),
}

/// Checks every operation and fragment of a document.
pub(super) fn check(
    document: &ExecutableDocument,
    limits: &Limits,
    introspection: bool,
) -> Result<(), ApiError> {
    let mut measure = Measure {
        document,
        limits,
        fragments: HashMap::new(),
    };
    for (name, fragment) in &document.fragments {
        measure.fragment(name.as_str(), fragment.pos)?;
    }
    for (_, operation) in document.operations.iter() {
        measure.directives(&operation.node.directives, operation.pos)?;
        let shape = measure.set(&operation.node.selection_set.node)?;
        judge(shape, operation, limits, introspection)?;
    }
    Ok(())
}

fn judge(
    shape: Shape,
    operation: &Positioned<OperationDefinition>,
    limits: &Limits,
    introspection: bool,
) -> Result<(), ApiError> {
    let over = |count: usize, limit: usize, code: Code, what: &str| {
        if count <= limit {
            return Ok(());
        }
        Err(ApiError::new(
            code,
            format!("The operation has {count} {what}; {limit} are allowed."),
        )
        .at(operation.pos))
    };
    if operation.node.ty == OperationType::Subscription {
        single_field(operation)?;
    }
    if shape.introspecting > 0 && !introspection {
        return Err(ApiError::new(
            Code::IntrospectionDisabled,
            "Introspection is off for this caller. The schema is published as schema.graphql.",
        )
        .at(operation.pos));
    }
    let only_introspects = shape.introspecting > 0 && shape.plain == 0;
    let depth = if only_introspects {
        limits.introspection_depth
    } else {
        limits.depth
    };
    over(shape.depth, depth, Code::DepthLimit, "levels of fields")?;
    if shape.introspecting > 0 {
        over(
            shape.lists,
            INTROSPECTION_LISTS,
            Code::DepthLimit,
            "introspection lists inside each other",
        )?;
    }
    over(
        shape.levels,
        RECURSION_LIMIT,
        Code::RecursionLimit,
        "levels of selections and fragments",
    )?;
    over(
        shape.fields,
        limits.root_fields,
        Code::RootFieldLimit,
        "fields at its root",
    )?;
    over(shape.aliases, limits.aliases, Code::AliasLimit, "aliases")?;
    over(
        shape.selections,
        limits.selections,
        Code::CostLimit,
        "selections",
    )
}

/// A subscription has one event stream, so one field, written out.
fn single_field(operation: &Positioned<OperationDefinition>) -> Result<(), ApiError> {
    let items = &operation.node.selection_set.node.items;
    match items.as_slice() {
        [item] if matches!(&item.node, Selection::Field(field) if !field.node.name.node.starts_with("__")) => {
            Ok(())
        }
        _ => Err(ApiError::new(
            Code::GraphqlValidationFailed,
            "A subscription selects exactly one field, directly and not by a fragment.",
        )
        .at(operation.pos)),
    }
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    fragments: HashMap<&'a str, Measured>,
}

impl<'a> Measure<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> Result<Shape, ApiError> {
        let mut total = Shape::default();
        for selection in &set.items {
            self.directives(selection.node.directives(), selection.pos)?;
            let shape = match &selection.node {
                Selection::Field(field) => {
                    let inner = self.set(&field.node.selection_set.node)?;
                    let name = field.node.name.node.as_str();
                    Shape {
                        depth: inner.depth + 1,
                        levels: inner.levels
                            + usize::from(!field.node.selection_set.node.items.is_empty()),
                        selections: inner.selections.saturating_add(1),
                        aliases: inner
                            .aliases
                            .saturating_add(usize::from(field.node.alias.is_some())),
                        fields: 1,
                        plain: usize::from(!name.starts_with("__")),
                        introspecting: usize::from(matches!(name, "__schema" | "__type")),
                        lists: inner.lists + usize::from(is_introspection_list(name)),
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    let inner = self.fragment(name, selection.pos)?;
                    Shape {
                        levels: inner.levels + 1,
                        selections: inner.selections.saturating_add(1),
                        ..inner
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let inner = self.set(&fragment.node.selection_set.node)?;
                    Shape {
                        levels: inner.levels + 1,
                        selections: inner.selections.saturating_add(1),
                        ..inner
                    }
                }
            };
            total.beside(shape);
        }
        Ok(total)
    }

    /// The shape of a fragment; nothing for an unknown one, which validation will name.
    fn fragment(&mut self, name: &'a str, pos: Pos) -> Result<Shape, ApiError> {
        match self.fragments.get(name) {
            Some(Measured::Done(shape)) => return Ok(*shape),
            Some(Measured::Underway) => {
                return Err(ApiError::new(
                    Code::RecursionLimit,
                    format!("The fragment \"{name}\" spreads itself."),
                )
                .at(pos));
            }
            None => {}
        }
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Shape::default());
        };
        self.fragments.insert(name, Measured::Underway);
        self.directives(&fragment.node.directives, fragment.pos)?;
        let shape = self.set(&fragment.node.selection_set.node)?;
        self.fragments.insert(name, Measured::Done(shape));
        Ok(shape)
    }

    fn directives(&self, directives: &[Positioned<Directive>], pos: Pos) -> Result<(), ApiError> {
        let limit = self.limits.directives;
        if directives.len() <= limit {
            return Ok(());
        }
        Err(ApiError::new(
            Code::DirectiveLimit,
            format!(
                "One place has {} directives; {limit} are allowed.",
                directives.len()
            ),
        )
        .at(pos))
    }
}

/// Whether a field of the introspection types lists further types.
fn is_introspection_list(name: &str) -> bool {
    matches!(
        name,
        "fields" | "inputFields" | "interfaces" | "possibleTypes"
    )
}
