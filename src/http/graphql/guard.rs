//! The checks that need the schema, made by the engine between parsing and execution, and the
//! completion of each response.
//!
//! The engine itself would report a missing variable as the error of some field. Here variables are
//! coerced first, so that such a request is refused whole, and the cost of the operation is held
//! against its limit. The [`Admission`] that travels with the request notes that it passed: what
//! fails before that is the request's fault and has no data.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use async_graphql::{
    Name, Positioned, Response, ServerError, ValidationResult, Variables,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation},
    parser::types::{FragmentDefinition, OperationDefinition},
};

use super::{plan::Plan, variables};
use crate::graphql::error::{ApiError, Code};

/// How the engine begins the message about an argument whose value does not fit.
const INVALID_ARGUMENT: &str = "Invalid value for argument";

/// What one operation must still pass, and whether it has.
#[derive(Clone)]
pub(super) struct Admission(Arc<Inner>);

struct Inner {
    operation: OperationDefinition,
    fragments: HashMap<Name, Positioned<FragmentDefinition>>,
    variables: Variables,
    cost_limit: usize,
    passed: AtomicBool,
    plan: OnceLock<Plan>,
}

impl Admission {
    pub(super) fn new(
        operation: OperationDefinition,
        fragments: HashMap<Name, Positioned<FragmentDefinition>>,
        variables: Variables,
        cost_limit: usize,
    ) -> Self {
        Self(Arc::new(Inner {
            operation,
            fragments,
            variables,
            cost_limit,
            passed: AtomicBool::new(false),
            plan: OnceLock::new(),
        }))
    }

    /// Whether the request fits the schema; from then on errors belong to fields.
    pub(super) fn passed(&self) -> bool {
        self.0.passed.load(Ordering::Acquire)
    }
}

/// Installs the checks in a schema.
pub(super) struct Guard;

impl ExtensionFactory for Guard {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Guard {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let validated = next.run(ctx).await;
        let Some(Admission(admission)) = ctx.data_opt::<Admission>() else {
            return Err(vec![ServerError::new(
                "the operation did not come through admission",
                None,
            )]);
        };
        let variables = variables::check(
            &admission.operation.variable_definitions,
            &admission.variables,
            &ctx.schema_env.registry,
        );
        let result = match (validated, variables) {
            (Ok(result), Ok(())) => result,
            (Ok(_), Err(variables)) => return Err(variables),
            // The engine blames the argument that a bad variable feeds; the variable says it better.
            (Err(errors), Err(variables))
                if errors
                    .iter()
                    .all(|error| error.message.starts_with(INVALID_ARGUMENT)) =>
            {
                return Err(variables);
            }
            (Err(errors), _) => return Err(errors),
        };
        if result.complexity > admission.cost_limit {
            return Err(vec![
                ApiError::new(
                    Code::CostLimit,
                    format!(
                        "The operation costs {}; {} is allowed. Ask for fewer fields or smaller pages.",
                        result.complexity, admission.cost_limit
                    ),
                )
                .to_server_error(),
            ]);
        }
        admission.passed.store(true, Ordering::Release);
        Ok(result)
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut response = next.run(ctx, operation_name).await;
        if let Some(Admission(admission)) = ctx.data_opt::<Admission>() {
            admission
                .plan
                .get_or_init(|| {
                    Plan::new(
                        &admission.operation,
                        &admission.fragments,
                        &ctx.schema_env.registry,
                    )
                })
                .complete(&mut response);
        }
        response
    }
}
