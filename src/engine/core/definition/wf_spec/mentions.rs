//! Which variables a thread mentions.

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::assignments;
use lh::variable_assignment::Source;

/// Calls `visit` with the name of every variable that the thread reads or writes.
pub(super) fn of_thread<'a>(thread: &'a lh::ThreadSpec, visit: &mut dyn FnMut(&'a str)) {
    for node in thread.nodes.values() {
        for assignment in assignments::of_node(node) {
            of_assignment(assignment, visit);
        }
        for edge in &node.outgoing_edges {
            for assignment in assignments::of_condition(edge) {
                of_assignment(assignment, visit);
            }
            for mutation in &edge.variable_mutations {
                of_mutation(mutation, visit);
            }
        }
    }
}

fn of_mutation<'a>(mutation: &'a lh::VariableMutation, visit: &mut dyn FnMut(&'a str)) {
    visit(&mutation.lhs_name);
    of_path(mutation.lhs_lh_path.as_ref(), visit);
    match &mutation.rhs_value {
        Some(lh::variable_mutation::RhsValue::RhsAssignment(assignment)) => of_assignment(assignment, visit),
        Some(lh::variable_mutation::RhsValue::NodeOutput(source)) => {
            if let Some(lh::variable_mutation::node_output_source::Path::LhPath(path)) = &source.path {
                of_path(Some(path), visit);
            }
        }
        Some(lh::variable_mutation::RhsValue::LiteralValue(_)) | None => {}
    }
}

fn of_optional<'a>(assignment: Option<&'a lh::VariableAssignment>, visit: &mut dyn FnMut(&'a str)) {
    if let Some(assignment) = assignment {
        of_assignment(assignment, visit);
    }
}

fn of_path<'a>(path: Option<&'a lh::LhPath>, visit: &mut dyn FnMut(&'a str)) {
    for selector in path.into_iter().flat_map(|path| &path.path) {
        if let Some(lh::lh_path::selector::SelectorType::Dynamic(dynamic)) = &selector.selector_type {
            of_assignment(dynamic, visit);
        }
    }
}

fn of_assignment<'a>(assignment: &'a lh::VariableAssignment, visit: &mut dyn FnMut(&'a str)) {
    match &assignment.source {
        Some(Source::VariableName(name)) => visit(name),
        Some(Source::FormatString(format)) => {
            of_optional(format.format.as_deref(), visit);
            for argument in &format.args {
                of_assignment(argument, visit);
            }
        }
        Some(Source::Expression(expression)) => {
            of_optional(expression.lhs.as_deref(), visit);
            of_optional(expression.rhs.as_deref(), visit);
        }
        Some(Source::SizeOf(size)) => of_optional(size.operand.as_deref(), visit),
        Some(Source::StructBuilder(builder)) => of_struct(builder.value.as_ref(), visit),
        Some(Source::MapBuilder(builder)) => {
            for entry in &builder.entries {
                of_optional(entry.key.as_ref(), visit);
                of_optional(entry.value.as_ref(), visit);
            }
        }
        Some(Source::LiteralValue(_) | Source::NodeOutput(_)) | None => {}
    }
    if let Some(lh::variable_assignment::Path::LhPath(path)) = &assignment.path {
        of_path(Some(path), visit);
    }
}

fn of_struct<'a>(builder: Option<&'a lh::InlineStructBuilder>, visit: &mut dyn FnMut(&'a str)) {
    for field in builder.into_iter().flat_map(|builder| builder.fields.values()) {
        match &field.struct_value {
            Some(lh::inline_struct_field_value::StructValue::SimpleValue(value)) => of_assignment(value, visit),
            Some(lh::inline_struct_field_value::StructValue::SubStructure(inner)) => of_struct(Some(inner), visit),
            None => {}
        }
    }
}
