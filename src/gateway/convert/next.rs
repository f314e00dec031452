//! What comes after a task, and what a cancellation does: read from the workflow.

use super::node_words;
use super::value::from_proto;
use crate::api::littlehorse as lh;
use crate::domain::{NextStep, OnCancel, Untrusted};
use lh::failure_handler_def::{FailureToCatch, LhFailureType};
use lh::variable_assignment::expression::Operation;
use lh::variable_assignment::{Path, Source};

/// A workflow with more branches than this behind one task is not told on a line anyway.
const STEPS: usize = 16;
/// How deep a condition is put into words; beyond it reads `…`.
const DEPTH: usize = 8;

/// The failure name of a cancelled user task when its node names no other.
const CANCELLED: &str = "USER_TASK_CANCELLED";

/// What may come after a node: its sinks, seen through the nodes that only decide, with the conditions on the way.
pub(in crate::gateway) fn steps_after(spec: &lh::WfSpec, thread: &str, node: &str) -> Vec<NextStep> {
    let mut steps = Vec::new();
    let mut walk = Walk { spec, thread, from: node, seen: vec![node.to_owned()], steps: &mut steps };
    walk.sinks(node, &[]);
    steps
}

struct Walk<'a> {
    spec: &'a lh::WfSpec,
    thread: &'a str,
    from: &'a str,
    /// The nodes that only decide and were walked through: a loop ends there.
    seen: Vec<String>,
    steps: &'a mut Vec<NextStep>,
}

impl Walk<'_> {
    fn sinks(&mut self, node: &str, conditions: &[String]) {
        let Some(found) = self.spec.thread_specs.get(self.thread).and_then(|thread| thread.nodes.get(node)) else {
            return;
        };
        let mut asked = false;
        for edge in &found.outgoing_edges {
            let when = match &edge.edge_condition {
                Some(lh::edge::EdgeCondition::Condition(condition)) => Some(words(condition, self.from, DEPTH)),
                Some(lh::edge::EdgeCondition::LegacyCondition(condition)) => Some(comparison(
                    side(condition.left.as_ref(), self.from, DEPTH),
                    condition.comparator(),
                    side(condition.right.as_ref(), self.from, DEPTH),
                )),
                // The first edge that holds wins: one without a condition behind others is for the rest.
                None if asked => Some("otherwise".to_owned()),
                None => None,
            };
            let last = edge.edge_condition.is_none();
            asked = true;
            let mut conditions = conditions.to_vec();
            // Otherwise twice is otherwise.
            conditions.extend(when.filter(|when| conditions.last() != Some(when)));
            self.sink(&edge.sink_node_name, conditions);
            if last {
                break;
            }
        }
    }

    fn sink(&mut self, node: &str, conditions: Vec<String>) {
        if self.steps.len() >= STEPS {
            return;
        }
        let found = self.spec.thread_specs.get(self.thread).and_then(|thread| thread.nodes.get(node));
        let decides = matches!(found.and_then(|node| node.node.as_ref()), Some(lh::node::Node::Nop(_)));
        if decides && !self.seen.iter().any(|seen| seen == node) && self.seen.len() < STEPS {
            self.seen.push(node.to_owned());
            self.sinks(node, &conditions);
            self.seen.pop();
            return;
        }
        let when = (!conditions.is_empty()).then(|| Untrusted::from(conditions.join(" and ")));
        let step = NextStep { when, to: node_words(node, Some(self.spec), self.thread) };
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }
}

/// What a cancellation of the user task at a node does.
pub(in crate::gateway) fn on_cancel(spec: &lh::WfSpec, thread: &str, node: &str) -> OnCancel {
    let Some(found) = spec.thread_specs.get(thread).and_then(|thread| thread.nodes.get(node)) else {
        return OnCancel::Unknown;
    };
    let Some(lh::node::Node::UserTask(task)) = &found.node else { return OnCancel::Unknown };
    // A name that is only known when it happens is told by where it comes from, and no handler for one name fits it.
    let (name, known) = match task.on_cancellation_exception_name.as_ref() {
        None => (CANCELLED.to_owned(), true),
        Some(assignment) => match &assignment.source {
            Some(Source::LiteralValue(value)) => match value.value.as_ref() {
                Some(lh::variable_value::Value::Str(name)) if !name.trim().is_empty() => (name.clone(), true),
                _ => (CANCELLED.to_owned(), true),
            },
            _ => (words(assignment, node, DEPTH), false),
        },
    };
    let error = known && lh::LhErrorType::from_str_name(&name).is_some();
    let handler = found.failure_handlers.iter().find(|handler| match &handler.failure_to_catch {
        None => true,
        Some(FailureToCatch::SpecificFailure(caught)) => known && *caught == name,
        Some(FailureToCatch::AnyFailureOfType(number)) => match LhFailureType::try_from(*number) {
            Ok(LhFailureType::FailureTypeError) => error,
            Ok(LhFailureType::FailureTypeException) => !error,
            Err(_) => false,
        },
    });
    match handler {
        Some(handler) => OnCancel::Handled { handler: handler.handler_spec_name.as_str().into() },
        None => OnCancel::Fails { failure: name.into() },
    }
}

fn side(assignment: Option<&lh::VariableAssignment>, from: &str, depth: usize) -> String {
    assignment.map_or_else(|| "nothing".to_owned(), |assignment| words(assignment, from, depth))
}

/// An assignment in words. `from` is the task's own node: its output needs no name.
fn words(assignment: &lh::VariableAssignment, from: &str, depth: usize) -> String {
    let Some(depth) = depth.checked_sub(1) else { return "…".to_owned() };
    let path = match &assignment.path {
        Some(Path::JsonPath(path)) => path.strip_prefix('$').unwrap_or(path).to_owned(),
        Some(Path::LhPath(path)) => lh_path(path),
        None => String::new(),
    };
    let base = match &assignment.source {
        Some(Source::VariableName(name)) => name.clone(),
        Some(Source::LiteralValue(value)) => from_proto(value).words(),
        Some(Source::NodeOutput(output)) if output.node_name == from => {
            let own = path.strip_prefix('.').unwrap_or(&path);
            return if own.is_empty() { "the answer".to_owned() } else { own.to_owned() };
        }
        Some(Source::NodeOutput(output)) => format!("the result of {}", output.node_name),
        Some(Source::Expression(expression)) => {
            let lhs = side(expression.lhs.as_deref(), from, depth);
            let rhs = side(expression.rhs.as_deref(), from, depth);
            match &expression.operation {
                Some(Operation::Comparator(number)) => {
                    comparison(lhs, lh::Comparator::try_from(*number).unwrap_or(lh::Comparator::Equals), rhs)
                }
                Some(Operation::MutationType(number)) => format!("{lhs} {} {rhs}", operation(*number)),
                None => "…".to_owned(),
            }
        }
        Some(Source::SizeOf(size)) => format!("the size of {}", side(size.operand.as_deref(), from, depth)),
        Some(Source::FormatString(_) | Source::StructBuilder(_) | Source::MapBuilder(_)) | None => "…".to_owned(),
    };
    format!("{base}{path}")
}

fn lh_path(path: &lh::LhPath) -> String {
    use lh::lh_path::selector::SelectorType;
    let part = |selector: &lh::lh_path::Selector| match &selector.selector_type {
        Some(SelectorType::Key(key)) => format!(".{key}"),
        Some(SelectorType::Index(index)) => format!("[{index}]"),
        Some(SelectorType::Dynamic(_)) | None => "[…]".to_owned(),
    };
    path.path.iter().map(part).collect()
}

fn comparison(lhs: String, comparator: lh::Comparator, rhs: String) -> String {
    let sign = match comparator {
        lh::Comparator::LessThan => "<",
        lh::Comparator::GreaterThan => ">",
        lh::Comparator::LessThanEq => "<=",
        lh::Comparator::GreaterThanEq => ">=",
        lh::Comparator::Equals => "=",
        lh::Comparator::NotEquals => "is not",
        lh::Comparator::In => "is in",
        lh::Comparator::NotIn => "is not in",
    };
    format!("{lhs} {sign} {rhs}")
}

fn operation(number: i32) -> &'static str {
    match lh::VariableMutationType::try_from(number) {
        Ok(lh::VariableMutationType::And) => "and",
        Ok(lh::VariableMutationType::Or) => "or",
        Ok(lh::VariableMutationType::Add | lh::VariableMutationType::Extend) => "+",
        Ok(lh::VariableMutationType::Subtract) => "-",
        Ok(lh::VariableMutationType::Multiply) => "*",
        Ok(lh::VariableMutationType::Divide) => "/",
        Ok(lh::VariableMutationType::Pow) => "to the power of",
        _ => "…",
    }
}
