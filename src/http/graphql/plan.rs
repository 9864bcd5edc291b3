//! The shape that a response must have: which keys, in which order, and which may be null.
//!
//! The engine (async-graphql 7.2.1) leaves a failed field out of its object, keeps the object when the
//! field was not nullable, and puts keys in the order in which they were ready. The specification
//! (section 6.4.4) wants null in its place, null for the nearest nullable place around it, and the
//! order of the document. [`Plan::complete`] makes the response so.

use std::collections::HashMap;

use async_graphql::{
    Name, PathSegment, Positioned, Response, Value,
    indexmap::IndexMap,
    parser::types::{
        BaseType, FragmentDefinition, OperationDefinition, OperationType, Selection, SelectionSet,
        Type,
    },
    registry::Registry,
};

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// The fields of an object, in the order of the document.
#[derive(Default)]
pub(super) struct Plan {
    fields: IndexMap<Name, Planned>,
}

struct Planned {
    /// The declared type; none for a field that the registry does not list, such as `__typename`.
    ty: Option<Type>,
    /// The selections within it; empty for a leaf.
    inner: Plan,
}

/// A place that may not be null has to be.
struct Bubbles;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Puts null where a nullable field failed.
    Fill,
    /// Makes the surroundings null of a field that may not be.
    Bubble,
}

impl Plan {
    pub(super) fn new(
        operation: &OperationDefinition,
        fragments: &Fragments,
        registry: &Registry,
    ) -> Self {
        let root = match operation.ty {
            OperationType::Query => Some(registry.query_type.as_str()),
            OperationType::Mutation => registry.mutation_type.as_deref(),
            OperationType::Subscription => registry.subscription_type.as_deref(),
        };
        let mut plan = Self::default();
        plan.add(
            &operation.selection_set.node,
            root.unwrap_or_default(),
            fragments,
            registry,
        );
        plan
    }

    fn add(&mut self, set: &SelectionSet, on: &str, fragments: &Fragments, registry: &Registry) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let ty = registry
                        .types
                        .get(on)
                        .and_then(|parent| parent.field_by_name(&field.name.node))
                        .and_then(|found| Type::new(&found.ty));
                    let inner_type = ty.as_ref().map(|ty| innermost(ty).clone());
                    let planned = self
                        .fields
                        .entry(field.response_key().node.clone())
                        .or_insert_with(|| Planned {
                            ty,
                            inner: Self::default(),
                        });
                    planned.inner.add(
                        &field.selection_set.node,
                        inner_type.as_deref().unwrap_or_default(),
                        fragments,
                        registry,
                    );
                }
                Selection::InlineFragment(fragment) => {
                    let fragment = &fragment.node;
                    let on = fragment
                        .type_condition
                        .as_ref()
                        .map_or(on, |condition| condition.node.on.node.as_str());
                    self.add(&fragment.selection_set.node, on, fragments, registry);
                }
                Selection::FragmentSpread(spread) => {
                    // Validation has refused unknown fragments and circles.
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        let fragment = &fragment.node;
                        self.add(
                            &fragment.selection_set.node,
                            &fragment.type_condition.node.on.node,
                            fragments,
                            registry,
                        );
                    }
                }
            }
        }
    }

    /// Puts nulls where fields failed and the keys into the document's order.
    pub(super) fn complete(&self, response: &mut Response) {
        // Nulls are filled in first: what bubbles afterwards must find, and may erase, whole objects.
        for pass in [Pass::Fill, Pass::Bubble] {
            for error in response
                .errors
                .iter()
                .filter(|error| !error.path.is_empty())
            {
                if self.object(&mut response.data, &error.path, pass).is_err()
                    && pass == Pass::Bubble
                {
                    response.data = Value::Null;
                }
            }
        }
        self.order(&mut response.data);
    }

    /// Handles the failure at `path` below this object.
    fn object(&self, value: &mut Value, path: &[PathSegment], pass: Pass) -> Result<(), Bubbles> {
        let Some((PathSegment::Field(key), rest)) = path.split_first() else {
            return Ok(());
        };
        let Some((name, planned)) = self.fields.get_key_value(key.as_str()) else {
            return Ok(());
        };
        match value {
            Value::Object(fields) => match fields.get_mut(name) {
                Some(child) => planned.fail(child, rest, pass),
                None => {
                    let mut child = Value::Null;
                    planned.fail(&mut child, rest, pass)?;
                    fields.insert(name.clone(), child);
                    Ok(())
                }
            },
            // The engine makes an object null when all of its fields failed.
            Value::Null if pass == Pass::Fill => {
                let mut child = Value::Null;
                planned.fail(&mut child, rest, pass)?;
                *value = Value::Object([(name.clone(), child)].into_iter().collect());
                Ok(())
            }
            Value::Null => Err(Bubbles),
            _ => Ok(()),
        }
    }

    fn order(&self, value: &mut Value) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.order(item)),
            Value::Object(fields) if !self.fields.is_empty() => {
                let place = |name: &Name| self.fields.get_index_of(name);
                if !fields.keys().is_sorted_by_key(place) {
                    fields.sort_by_cached_key(|name, _| place(name));
                }
                for (name, value) in fields {
                    if let Some(planned) = self.fields.get(name) {
                        planned.inner.order(value);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Planned {
    fn fail(&self, value: &mut Value, path: &[PathSegment], pass: Pass) -> Result<(), Bubbles> {
        match &self.ty {
            Some(ty) => self.place(ty, value, path, pass),
            None => Ok(()),
        }
    }

    /// Handles the failure at `path` from a place of type `ty`. `Err` leaves the place as it was: in
    /// the first pass nothing is to be done, in the second the surroundings must become null.
    fn place(
        &self,
        ty: &Type,
        value: &mut Value,
        path: &[PathSegment],
        pass: Pass,
    ) -> Result<(), Bubbles> {
        let below = match (path.first(), &ty.base) {
            (None, _) => Err(Bubbles),
            (Some(PathSegment::Index(index)), BaseType::List(item)) => match value {
                Value::List(items) => match items.get_mut(*index) {
                    Some(value) => self.place(item, value, &path[1..], pass),
                    None => Ok(()),
                },
                // A list of which one item may not be null fails as a whole.
                _ => Err(Bubbles),
            },
            (Some(PathSegment::Field(_)), BaseType::Named(_)) => {
                self.inner.object(value, path, pass)
            }
            _ => Ok(()),
        };
        match below {
            // Filled with null: the failed field itself, or in the second pass what surrounds it.
            Err(Bubbles) if ty.nullable && (path.is_empty() || pass == Pass::Bubble) => {
                *value = Value::Null;
                Ok(())
            }
            below => below,
        }
    }
}

fn innermost(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => innermost(item),
    }
}
