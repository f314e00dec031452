//! Where a WfSpec holds assignments: one list for whoever asks what a thread reads.

use crate::api::littlehorse as lh;
use lh::VariableAssignment;
use lh::edge::EdgeCondition;
use lh::node::Node as Kind;
use lh::variable_assignment::{Path, Source};
use lh::variable_mutation::RhsValue;

/// The assignments inside a node, without its edges.
pub fn of_node(node: &lh::Node) -> Vec<&VariableAssignment> {
    match &node.node {
        Some(Kind::Task(task)) => {
            let named = match &task.task_to_execute {
                Some(lh::task_node::TaskToExecute::DynamicTask(name)) => Some(name),
                _ => None,
            };
            task.variables.iter().chain(named).collect()
        }
        Some(Kind::ExternalEvent(event)) => event.timeout_seconds.iter().chain(&event.correlation_key).collect(),
        Some(Kind::StartThread(start)) => start.variables.values().collect(),
        Some(Kind::StartMultipleThreads(start)) => start.variables.values().chain(&start.iterable).collect(),
        Some(Kind::WaitForThreads(wait)) => match &wait.threads_to_wait_for {
            Some(lh::wait_for_threads_node::ThreadsToWaitForOneOf::Threads(threads)) => {
                threads.threads.iter().filter_map(|thread| thread.thread_run_number.as_ref()).collect()
            }
            Some(lh::wait_for_threads_node::ThreadsToWaitForOneOf::ThreadList(list)) => vec![list],
            None => Vec::new(),
        },
        Some(Kind::Sleep(sleep)) => match &sleep.sleep_length {
            Some(
                lh::sleep_node::SleepLength::RawSeconds(length)
                | lh::sleep_node::SleepLength::Timestamp(length)
                | lh::sleep_node::SleepLength::IsoDate(length),
            ) => vec![length],
            None => Vec::new(),
        },
        Some(Kind::UserTask(task)) => {
            let name = &task.on_cancellation_exception_name;
            let own = task.user_id.iter().chain(&task.user_group).chain(&task.notes).chain(name);
            own.chain(task.actions.iter().flat_map(of_action)).collect()
        }
        Some(Kind::ThrowEvent(event)) => event.content.iter().collect(),
        Some(Kind::WaitForCondition(wait)) => match &wait.node_condition {
            Some(lh::wait_for_condition_node::NodeCondition::Condition(condition)) => vec![condition],
            Some(lh::wait_for_condition_node::NodeCondition::LegacyCondition(legacy)) => {
                legacy.left.iter().chain(&legacy.right).collect()
            }
            None => Vec::new(),
        },
        Some(Kind::RunChildWf(child)) => {
            let named = match &child.wf_spec {
                Some(lh::run_child_wf_node::WfSpec::WfSpecVar(name)) => Some(name),
                _ => None,
            };
            child.inputs.values().chain(named).chain(&child.child_id).collect()
        }
        Some(Kind::WaitForChildWf(wait)) => wait.child_wf_run_id.iter().collect(),
        Some(Kind::Exit(exit)) => match &exit.result {
            Some(lh::exit_node::Result::ReturnContent(content)) => vec![content],
            Some(lh::exit_node::Result::FailureDef(failure)) => failure.content.iter().collect(),
            None => Vec::new(),
        },
        Some(Kind::Entrypoint(_) | Kind::Nop(_)) | None => Vec::new(),
    }
}

/// The assignments of a hook of a user task.
fn of_action(action: &lh::UtActionTrigger) -> Vec<&VariableAssignment> {
    use lh::ut_action_trigger::Action;
    let mut all: Vec<&VariableAssignment> = match &action.action {
        Some(Action::Task(task)) => task.task.iter().flat_map(|task| &task.variables).collect(),
        Some(Action::Reassign(reassign)) => reassign.user_id.iter().chain(&reassign.user_group).collect(),
        Some(Action::Cancel(_)) | None => Vec::new(),
    };
    all.extend(&action.delay_seconds);
    all
}

/// The assignments in the condition of an edge.
pub fn of_condition(edge: &lh::Edge) -> Vec<&VariableAssignment> {
    match &edge.edge_condition {
        Some(EdgeCondition::Condition(condition)) => vec![condition],
        Some(EdgeCondition::LegacyCondition(legacy)) => legacy.left.iter().chain(&legacy.right).collect(),
        None => Vec::new(),
    }
}

/// The assignments on an edge: of its condition and of its mutations.
pub fn of_edge(edge: &lh::Edge) -> Vec<&VariableAssignment> {
    let mut all = of_condition(edge);
    for mutation in &edge.variable_mutations {
        all.extend(mutation.lhs_lh_path.iter().flat_map(of_path));
        match &mutation.rhs_value {
            Some(RhsValue::RhsAssignment(assignment)) => all.push(assignment),
            Some(RhsValue::NodeOutput(output)) => {
                if let Some(lh::variable_mutation::node_output_source::Path::LhPath(path)) = &output.path {
                    all.extend(of_path(path));
                }
            }
            Some(RhsValue::LiteralValue(_)) | None => {}
        }
    }
    all
}

/// Visits an assignment and every one inside it.
pub fn each<'a>(assignment: &'a VariableAssignment, visit: &mut dyn FnMut(&'a VariableAssignment)) {
    visit(assignment);
    if let Some(Path::LhPath(path)) = &assignment.path {
        of_path(path).for_each(|dynamic| each(dynamic, visit));
    }
    let mut parts: Vec<&VariableAssignment> = Vec::new();
    match &assignment.source {
        Some(Source::FormatString(format)) => {
            parts.extend(format.format.as_deref());
            parts.extend(&format.args);
        }
        Some(Source::Expression(expression)) => {
            parts.extend(expression.lhs.as_deref());
            parts.extend(expression.rhs.as_deref());
        }
        Some(Source::SizeOf(size)) => parts.extend(size.operand.as_deref()),
        Some(Source::StructBuilder(builder)) => of_struct(builder.value.as_ref(), &mut parts),
        Some(Source::MapBuilder(builder)) => {
            parts.extend(builder.entries.iter().flat_map(|entry| entry.key.iter().chain(&entry.value)));
        }
        Some(Source::LiteralValue(_) | Source::NodeOutput(_) | Source::VariableName(_)) | None => {}
    }
    for part in parts {
        each(part, visit);
    }
}

/// The assignments that select in a path.
pub fn of_path(path: &lh::LhPath) -> impl Iterator<Item = &VariableAssignment> {
    path.path.iter().filter_map(|selector| match &selector.selector_type {
        Some(lh::lh_path::selector::SelectorType::Dynamic(dynamic)) => Some(dynamic),
        _ => None,
    })
}

fn of_struct<'a>(builder: Option<&'a lh::InlineStructBuilder>, parts: &mut Vec<&'a VariableAssignment>) {
    use lh::inline_struct_field_value::StructValue;
    for field in builder.into_iter().flat_map(|builder| builder.fields.values()) {
        match &field.struct_value {
            Some(StructValue::SimpleValue(value)) => parts.push(value),
            Some(StructValue::SubStructure(inner)) => of_struct(Some(inner), parts),
            None => {}
        }
    }
}
