//! Edges: which one a thread takes, and what that does to its variables.

use crate::api::littlehorse as lh;
use crate::engine::core::key::damaged;
use crate::engine::core::run::node::Visit;
use crate::engine::core::run::scope::ThreadScope;
use crate::engine::core::run::{Run, Trouble};
use crate::engine::core::value::{EvalError, Scope, condition, legacy_condition, message, mutate};
use lh::VariableMutationType;
use lh::edge::EdgeCondition;

impl Run<'_, '_> {
    /// What a thread sees.
    pub fn scope(&self, thread: i32) -> ThreadScope<'_> {
        ThreadScope::new(self.tx, self.run, &self.record.message, thread)
    }

    /// The sink of the first edge whose condition holds. With `mutating`, its mutations are done, all or none.
    pub fn choose_edge(&mut self, visit: &Visit<'_>, mutating: bool) -> Result<String, Trouble> {
        let mut scope = self.scope(visit.thread());
        for edge in &visit.node.outgoing_edges {
            let sink = &edge.sink_node_name;
            let failed =
                |error| Trouble::of("VAR_SUB_ERROR", &format!("Failed evaluating edge with sink node {sink}: "), error);
            if !holds(edge, &scope).map_err(failed)? {
                continue;
            }
            if mutating {
                for mutation in &edge.variable_mutations {
                    let operation = VariableMutationType::try_from(mutation.operation).map(|op| op.as_str_name());
                    let operation = operation.unwrap_or("UNRECOGNIZED");
                    let doing = format!("Mutating variable {} with operation {operation}: ", mutation.lhs_name);
                    apply(visit, mutation, &mut scope).map_err(|error| failed(error.prefixed(&doing)))?;
                }
            }
            let written = std::mem::take(&mut scope.written);
            for ((run, thread, name), value) in written {
                let missing = || damaged(format!("Variable {name} of thread {thread} of WfRun {}", run.0), "missing");
                let mut record = self.tx.read().variable(run, thread, &name)?.ok_or_else(missing)?;
                record.message.value = Some(message(value));
                self.tx.put_variable(run, &record)?;
                // An inherited one is of a WfRun above, which may be waiting for a condition on it.
                if run != self.run {
                    self.tx.wake(run);
                }
            }
            return Ok(sink.clone());
        }
        let node = visit.node_name;
        let none = format!("Invalid WfSpec: No outgoing edges found on Node {node} with all conditions satisfied");
        Err(Trouble::new("VAR_SUB_ERROR", &none))
    }
}

fn holds(edge: &lh::Edge, scope: &dyn Scope) -> Result<bool, EvalError> {
    match &edge.edge_condition {
        None => Ok(true),
        Some(EdgeCondition::Condition(assignment)) => condition(assignment, scope),
        Some(EdgeCondition::LegacyCondition(legacy)) => legacy_condition(legacy, scope),
    }
}

/// One mutation on the values in `scope.written`.
fn apply(visit: &Visit<'_>, mutation: &lh::VariableMutation, scope: &mut ThreadScope<'_>) -> Result<(), EvalError> {
    let name = &mutation.lhs_name;
    let seen = scope.find(name)?.ok_or_else(|| scope.out_of_scope(name))?;
    let thread_spec = visit.spec.thread_specs.get(scope.spec_name(seen.declared_by));
    let mut definitions = thread_spec.into_iter().flat_map(|thread| &thread.variable_defs);
    let declared = definitions.find_map(|definition| definition.var_def.as_ref().filter(|var| var.name == *name));
    let declared = declared.and_then(|variable| variable.type_def.as_ref()).ok_or_else(|| scope.out_of_scope(name))?;
    let value = mutate(mutation, declared, seen.value, visit.node_name, scope)?;
    scope.written.insert(seen.key, value);
    Ok(())
}
