//! Whether the values that a client sent fit the types that its operation declares.
//!
//! It follows the coercion rules of the GraphQL specification, section 6.1.2, over the schema's
//! registry. It changes no value, and it repeats none in a message, since a value may be a secret.

use async_graphql::{
    Name, Positioned, ServerError, Value, Variables,
    parser::types::{BaseType, Type, VariableDefinition},
    registry::{MetaType, Registry},
};

use crate::graphql::error::{ApiError, Code};

/// Checks each declared variable; one error for each that does not fit.
pub(super) fn check(
    definitions: &[Positioned<VariableDefinition>],
    variables: &Variables,
    registry: &Registry,
) -> Result<(), Vec<ServerError>> {
    let errors: Vec<_> = definitions
        .iter()
        .filter_map(|definition| {
            let problem = variable(&definition.node, variables, registry).err()?;
            Some(
                ApiError::new(Code::BadUserInput, problem)
                    .at(definition.pos)
                    .to_server_error(),
            )
        })
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

fn variable(
    definition: &VariableDefinition,
    variables: &Variables,
    registry: &Registry,
) -> Result<(), String> {
    let name = &definition.name.node;
    let ty = &definition.var_type.node;
    match variables.get(name.as_str()) {
        Some(value) => fits(ty, value, registry).map_err(|problem| {
            let place = problem.place(name);
            format!(
                "Variable \"${name}\" does not fit at \"{place}\": {}.",
                problem.why
            )
        }),
        None if ty.nullable || definition.default_value.is_some() => Ok(()),
        None => Err(format!(
            "Variable \"${name}\" of required type \"{ty}\" was not provided."
        )),
    }
}

/// A misfit, with the way to it from the inside out.
struct Problem {
    why: String,
    path: Vec<String>,
}

impl Problem {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            path: Vec::new(),
        }
    }

    fn inside(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }

    fn place(&self, variable: &Name) -> String {
        let mut place = variable.to_string();
        for step in self.path.iter().rev() {
            place.push_str(step);
        }
        place
    }
}

fn fits(ty: &Type, value: &Value, registry: &Registry) -> Result<(), Problem> {
    if matches!(value, Value::Null) {
        return if ty.nullable {
            Ok(())
        } else {
            Err(Problem::new(format!("expected \"{ty}\", found null")))
        };
    }
    match &ty.base {
        BaseType::List(item) => match value {
            Value::List(values) => values.iter().enumerate().try_for_each(|(index, value)| {
                fits(item, value, registry).map_err(|problem| problem.inside(format!("[{index}]")))
            }),
            // A single value stands for a list of one.
            single => fits(item, single, registry),
        },
        BaseType::Named(name) => named(name, value, registry),
    }
}

fn named(name: &Name, value: &Value, registry: &Registry) -> Result<(), Problem> {
    let expected = || Problem::new(format!("expected \"{name}\""));
    match registry.types.get(name.as_str()) {
        Some(MetaType::Scalar { is_valid, .. }) => {
            let valid = match name.as_str() {
                "Int" => return int(value),
                "Float" => matches!(value, Value::Number(_)),
                "String" => matches!(value, Value::String(_)),
                "Boolean" => matches!(value, Value::Boolean(_)),
                "ID" => match value {
                    Value::String(_) => true,
                    Value::Number(number) => number.is_i64() || number.is_u64(),
                    _ => false,
                },
                _ => is_valid.as_ref().is_none_or(|is_valid| is_valid(value)),
            };
            if valid { Ok(()) } else { Err(expected()) }
        }
        Some(MetaType::Enum { enum_values, .. }) => match value {
            Value::String(text) if enum_values.contains_key(text.as_str()) => Ok(()),
            Value::Enum(text) if enum_values.contains_key(text.as_str()) => Ok(()),
            Value::String(_) | Value::Enum(_) => {
                Err(Problem::new(format!("\"{name}\" has no such value")))
            }
            _ => Err(expected()),
        },
        Some(MetaType::InputObject {
            input_fields,
            oneof,
            ..
        }) => {
            let Value::Object(fields) = value else {
                return Err(expected());
            };
            if let Some(unknown) = fields
                .keys()
                .find(|field| !input_fields.contains_key(field.as_str()))
            {
                return Err(Problem::new(format!(
                    "\"{name}\" has no field \"{}\"",
                    unknown
                        .as_str()
                        .chars()
                        .take(MAX_SHOWN_NAME)
                        .collect::<String>()
                )));
            }
            if *oneof && (fields.len() != 1 || fields.values().any(|value| *value == Value::Null)) {
                return Err(Problem::new(format!(
                    "\"{name}\" takes exactly one of its fields"
                )));
            }
            input_fields.values().try_for_each(|field| {
                // Types in the registry come from Rust types; one that does not read is not ours to judge.
                let Some(ty) = Type::new(&field.ty) else {
                    return Ok(());
                };
                match fields.get(field.name.as_str()) {
                    Some(value) => fits(&ty, value, registry)
                        .map_err(|problem| problem.inside(format!(".{}", field.name))),
                    None if ty.nullable || field.default_value.is_some() => Ok(()),
                    None => Err(Problem::new(format!("expected \"{ty}\", found nothing"))
                        .inside(format!(".{}", field.name))),
                }
            })
        }
        // An unknown or an output type: validation names it.
        _ => Ok(()),
    }
}

/// Characters of a client's own field name that a message repeats.
const MAX_SHOWN_NAME: usize = 64;

fn int(value: &Value) -> Result<(), Problem> {
    match value {
        Value::Number(number) => match number.as_i64().map(i32::try_from) {
            Some(Ok(_)) => Ok(()),
            _ => Err(Problem::new(
                "expected \"Int\", a whole number between -2147483648 and 2147483647",
            )),
        },
        _ => Err(Problem::new("expected \"Int\"")),
    }
}
