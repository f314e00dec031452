//! The checks of a WfSpec before it is stored, in order; the first that fails refuses it.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::littlehorse as lh;
use crate::engine::core::definition::types::TypeError;
use crate::engine::core::definition::wf_spec::catalogue::Catalogue;
use crate::engine::core::definition::wf_spec::typing::{self, Output, Thread};
use crate::engine::core::definition::wf_spec::{interrupts, mentions, mutations, nodes, var_name};
use crate::engine::core::value::{keepable, type_name, type_of};
use crate::engine::core::{Fault, Reader, Refusal};
use lh::type_definition::DefinedType;

/// The one variable name that several threads may declare.
pub(super) const INPUT: &str = "INPUT";

/// What is wrong with a WfSpec.
#[derive(Debug, PartialEq)]
pub(super) enum Invalid {
    /// Told with the place it was found in before it.
    Here(String),
    /// Told as it is.
    Plain(Refusal),
}

impl Invalid {
    fn inside(self, place: &str) -> Self {
        match self {
            Self::Here(text) => Self::Here(format!("{place} invalid: {text}")),
            plain @ Self::Plain(_) => plain,
        }
    }
}

impl From<String> for Invalid {
    fn from(text: String) -> Self {
        Self::Here(text)
    }
}

impl From<&str> for Invalid {
    fn from(text: &str) -> Self {
        Self::Here(text.to_owned())
    }
}

impl From<Refusal> for Invalid {
    fn from(refusal: Refusal) -> Self {
        Self::Plain(refusal)
    }
}

impl From<Fault> for Invalid {
    fn from(fault: Fault) -> Self {
        Self::Plain(fault.into())
    }
}

/// Checks a WfSpec and fills in what is stored beyond the request: types in their one form, versions pinned.
pub(super) fn wf_spec(reader: &Reader<'_>, spec: &mut lh::WfSpec) -> Result<(), Refusal> {
    if !spec.thread_specs.contains_key(&spec.entrypoint_thread_name) {
        return Err(Refusal::invalid(format!("unknown entrypoint thread: {}", spec.entrypoint_thread_name)));
    }
    for def in spec.thread_specs.values_mut().flat_map(|thread| &mut thread.variable_defs) {
        normalize(def)?;
    }
    inherited_variables(reader, spec)?;
    types(reader, spec)?;
    variables(spec)?;
    for (name, thread) in &mut spec.thread_specs {
        for (node_name, node) in &mut thread.nodes {
            let pinned = nodes::pin(reader, node);
            pinned.map_err(|invalid| told(invalid.inside(&format!("Node {node_name}")), name))?;
        }
    }
    let catalogue = &Catalogue::of(reader, &spec.thread_specs)?;
    for (name, thread) in &spec.thread_specs {
        let thread = Thread { all: &spec.thread_specs, name, spec: thread, catalogue, lenient: false };
        self::thread(thread).map_err(|invalid| told(invalid, name))?;
    }
    interrupts::check(reader, spec).map_err(|(thread, invalid)| told(invalid, thread))
}

fn told(invalid: Invalid, thread: &str) -> Refusal {
    match invalid.inside(&format!("ThreadSpec {thread}")) {
        Invalid::Here(text) => Refusal::invalid(format!("PutWfSpecRequest is invalid: {text}")),
        Invalid::Plain(refusal) => refusal,
    }
}

/// The refusal for a parent that is not there.
pub(super) fn no_parent(name: &str) -> Refusal {
    Refusal::invalid(format!("Provided spec refers to nonexistent parent wfSpec {name}"))
}

fn normalize(def: &mut lh::ThreadVarDef) -> Result<(), Refusal> {
    if lh::WfRunVariableAccessLevel::try_from(def.access_level).is_err() {
        let (name, level) = (var_name(def), def.access_level);
        return Err(Refusal::invalid(format!("Variable {name} has unknown access level {level}")));
    }
    normalize_var(def.var_def.get_or_insert_default())
}

/// Old clients send the type of a variable in fields of their own; only the new form is stored.
pub(in crate::engine::core::definition) fn normalize_var(var: &mut lh::VariableDef) -> Result<(), Refusal> {
    let (old_type, old_mask) = (var.r#type.take(), var.masked_value.take());
    let type_def = var.type_def.get_or_insert_default();
    type_def.masked |= old_mask.unwrap_or_default();
    let defined = type_def.defined_type.get_or_insert(DefinedType::PrimitiveType(old_type.unwrap_or_default()));
    match defined {
        DefinedType::PrimitiveType(number) if lh::VariableType::try_from(*number).is_err() => {
            Err(Refusal::invalid(format!("Variable {} has unknown type {number}", var.name)))
        }
        _ => Ok(()),
    }
}

fn inherited_variables(reader: &Reader<'_>, spec: &lh::WfSpec) -> Result<(), Refusal> {
    let defs = spec.thread_specs.values().flat_map(|thread| &thread.variable_defs);
    let is_inherited =
        |def: &&lh::ThreadVarDef| def.access_level == i32::from(lh::WfRunVariableAccessLevel::InheritedVar);
    for name in defs.filter(is_inherited).map(var_name) {
        let Some(parent) = &spec.parent_wf_spec else {
            return Err(Refusal::invalid(format!(
                "Only child workflows are allowed to access INHERITED variables, but variable {name} is INHERITED"
            )));
        };
        let (parent_name, major) = (&parent.wf_spec_name, parent.wf_spec_major_version);
        let stored = reader.latest_wf_spec(parent_name, Some(major), false)?;
        let parent = stored.ok_or_else(|| no_parent(parent_name))?;
        let parent = &parent.message;
        let declared = parent.thread_specs.get(&parent.entrypoint_thread_name);
        match declared.and_then(|thread| thread.variable_defs.iter().find(|def| var_name(def) == name)) {
            None => {
                let text = format!("INHERITED variable {name} does not exist in parent WfSpec");
                return Err(Refusal::invalid(text));
            }
            Some(def) if def.access_level == i32::from(lh::WfRunVariableAccessLevel::PrivateVar) => {
                let text = format!("Inherited variable {name} is defined as PRIVATE in parent WfSpec");
                return Err(Refusal::invalid(text));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Names are declared once, have a type that exists, and all that is mentioned is declared somewhere. Whether it is in
/// scope where it is mentioned is known at run time only.
fn variables(spec: &lh::WfSpec) -> Result<(), Refusal> {
    let mut declared: BTreeMap<&str, &str> = BTreeMap::new();
    for (thread_name, thread) in &spec.thread_specs {
        let mut here = BTreeSet::new();
        for def in &thread.variable_defs {
            let name = var_name(def);
            let earlier = declared.insert(name, thread_name);
            if let Some(earlier) = earlier
                && (name != INPUT || here.contains(name))
            {
                return Err(Refusal::invalid(format!(
                    "Var name {name} defined in threads {thread_name} and {earlier} and duplicates not allowed"
                )));
            }
            here.insert(name);
        }
    }
    for (thread_name, thread) in &spec.thread_specs {
        let mut missing = None;
        mentions::of_thread(thread, &mut |name| {
            if !declared.contains_key(name) {
                missing.get_or_insert(name);
            }
        });
        if let Some(missing) = missing {
            return Err(Refusal::invalid(format!("Thread {thread_name} refers to missing var {missing}")));
        }
    }
    Ok(())
}

/// The types of the variables exist, in the versions that are stored, and their maps have keys that can be compared.
fn types(reader: &Reader<'_>, spec: &mut lh::WfSpec) -> Result<(), Refusal> {
    for (thread_name, thread) in &mut spec.thread_specs {
        for var in thread.variable_defs.iter_mut().filter_map(|def| def.var_def.as_mut()) {
            let place = format!("Var name {} defined in thread {thread_name}", var.name);
            if let Some(default) = var.default_value.as_ref().and_then(|default| default.value.as_ref()) {
                keepable(default)
                    .map_err(|wrong| Refusal::invalid(format!("{place} has an invalid default: {wrong}")))?;
            }
            let Some(type_def) = var.type_def.as_mut() else { continue };
            reader.resolve_type(type_def).map_err(|error| match error {
                TypeError::Fault(fault) => fault.into(),
                TypeError::NoStructDef(_) => {
                    Refusal::invalid(format!("{place} refers to non-existent StructDef: {error}"))
                }
                TypeError::Unknown(_) | TypeError::TooDeep(_) => {
                    Refusal::invalid(format!("{place} has an invalid type: {error}"))
                }
            })?;
            map_keys(type_def).map_err(|wrong| Refusal::invalid(format!("{place} {wrong}")))?;
        }
    }
    Ok(())
}

fn map_keys(definition: &lh::TypeDefinition) -> Result<(), String> {
    let inner = |inner: &Option<Box<lh::TypeDefinition>>| inner.as_deref().map_or(Ok(()), map_keys);
    match &definition.defined_type {
        Some(DefinedType::InlineArrayDef(array)) => inner(&array.array_type),
        Some(DefinedType::InlineMapDef(map)) => {
            let key = map.key_type.as_deref().cloned().unwrap_or_default();
            use lh::VariableType::{Bool, Double, Int, Str, Timestamp, WfRunId};
            if !matches!(typing::as_primitive(&key), Some(Int | Str | Bool | Double | Timestamp | WfRunId)) {
                return Err(format!(
                    "has invalid Map key type: Map key type must be a primitive VariableType, but got: {}",
                    type_name(&key)
                ));
            }
            inner(&map.value_type)
        }
        Some(DefinedType::InlineStructDef(fields)) => {
            fields.fields.values().try_for_each(|field| field.field_type.as_ref().map_or(Ok(()), map_keys))
        }
        // The fields of a StructDef were checked when it was put.
        Some(DefinedType::StructDefId(_) | DefinedType::PrimitiveType(_)) | None => Ok(()),
    }
}

fn thread(thread: Thread<'_>) -> Result<(), Invalid> {
    let is_entrypoint = |node: &&lh::Node| matches!(node.node, Some(lh::node::Node::Entrypoint(_)));
    match thread.spec.nodes.values().filter(is_entrypoint).count() {
        0 => return Err("missing ENTRYPOINT node!".into()),
        1 => {}
        _ => return Err("Multiple ENTRYPOINT nodes!".into()),
    }
    for (name, node) in &thread.spec.nodes {
        nodes::check(thread, name, node).map_err(|invalid| invalid.inside(&format!("Node {name}")))?;
        edges(thread, name, node).map_err(|invalid| invalid.inside(&format!("Node {name}")))?;
    }
    let outputs = typing::outputs(thread)?;
    if outputs.len() > 1 && outputs.contains(&Output::Void) {
        return Err("Detected an EXIT node that returns void and another EXIT node that returns non-void".into());
    }
    // One whose type is not known fits any other.
    if outputs.iter().filter(|output| matches!(output, Output::Value(Some(_)))).count() > 1 {
        return Err("Detected that different EXIT nodes returned different output types!".into());
    }
    Ok(())
}

fn edges(thread: Thread<'_>, source: &str, node: &lh::Node) -> Result<(), Invalid> {
    for edge in &node.outgoing_edges {
        let sink = &edge.sink_node_name;
        let place = format!("Edge with sink node {sink}");
        sink_node(thread, source, sink).map_err(|invalid| invalid.inside(&place))?;
        edge_condition(thread, source, edge)?;
        for mutation in &edge.variable_mutations {
            self::mutation(thread, node, mutation).map_err(|wrong| Invalid::Here(wrong).inside(&place))?;
        }
    }
    Ok(())
}

fn sink_node(thread: Thread<'_>, source: &str, sink: &str) -> Result<(), Invalid> {
    if source == sink {
        return Err("Self loop not allowed!".into());
    }
    match thread.spec.nodes.get(sink) {
        None => Err(format!("Outgoing edge referring to missing node {sink}!").into()),
        Some(node) if matches!(node.node, Some(lh::node::Node::Entrypoint(_))) => {
            // Clients know this text, in which the thread stands where the node should.
            Err(format!("Entrypoint node has incoming edge from node {}.", thread.name).into())
        }
        Some(_) => Ok(()),
    }
}

fn edge_condition(thread: Thread<'_>, source: &str, edge: &lh::Edge) -> Result<(), Invalid> {
    // Here clients know the name of the source in the place of the sink.
    let place = format!("Edge with sink node {source}");
    match &edge.edge_condition {
        None => Ok(()),
        Some(lh::edge::EdgeCondition::LegacyCondition(legacy)) => legacy_condition(thread, &place, legacy),
        Some(lh::edge::EdgeCondition::Condition(assignment)) => condition(thread, source, &place, assignment),
    }
}

/// Checks a comparison in its older form.
pub(super) fn legacy_condition(
    thread: Thread<'_>,
    place: &str,
    legacy: &lh::LegacyEdgeCondition,
) -> Result<(), Invalid> {
    let compared = || {
        let missing = || "VariableAssignment passed with missing source".to_owned();
        let left = thread.assignment(legacy.left.as_ref().ok_or_else(missing)?)?;
        let right = thread.assignment(legacy.right.as_ref().ok_or_else(missing)?)?;
        typing::comparison(left.as_ref(), legacy.comparator, right.as_ref())
    };
    compared().map_err(|wrong| Invalid::Here(wrong).inside(place))
}

/// Checks a condition of node `source`: an expression, or a BOOL.
pub(super) fn condition(
    thread: Thread<'_>,
    source: &str,
    place: &str,
    condition: &lh::VariableAssignment,
) -> Result<(), Invalid> {
    let known = thread.assignment(condition).map_err(|wrong| Invalid::Here(wrong).inside(place))?;
    let is_expression = matches!(condition.source, Some(lh::variable_assignment::Source::Expression(_)));
    let is_bool = known.is_none_or(|known| typing::as_primitive(&known) == Some(lh::VariableType::Bool));
    if is_expression || is_bool {
        return Ok(());
    }
    Err(format!("{source} Does not resolve to a BOOL value").into())
}

fn mutation(thread: Thread<'_>, node: &lh::Node, mutation: &lh::VariableMutation) -> Result<(), String> {
    use lh::variable_mutation::{RhsValue, node_output_source::Path};
    let operation = mutations::operation(mutation.operation)?;
    let rhs = match &mutation.rhs_value {
        Some(RhsValue::RhsAssignment(assignment)) => {
            let is_built = matches!(assignment.source, Some(lh::variable_assignment::Source::StructBuilder(_)));
            thread.assignment(assignment).map_err(|wrong| match is_built {
                true => format!("Mutation of variable {} invalid: {wrong}", mutation.lhs_name),
                false => wrong,
            })?
        }
        Some(RhsValue::LiteralValue(value)) => match &value.value {
            Some(value) => {
                keepable(value).map_err(|wrong| wrong.to_string())?;
                Some(type_of(value))
            }
            None => Some(lh::TypeDefinition::default()),
        },
        Some(RhsValue::NodeOutput(source)) => match &source.path {
            Some(Path::Jsonpath(_) | Path::LhPath(_)) => None,
            None => thread.catalogue.output_of(thread.spec, node),
        },
        None => return Err("VariableAssignment passed with missing source".to_owned()),
    };
    // What lies at a JSON path is known at run time only.
    if mutation.lhs_json_path.is_some() {
        return Ok(());
    }
    let declared = thread.variable(&mutation.lhs_name);
    let target = match &mutation.lhs_lh_path {
        Some(path) => thread.at_path(declared, path)?,
        None => declared,
    };
    match (target, rhs) {
        (Some(lhs), Some(rhs)) => mutations::check(&mutation.lhs_name, &lhs, operation, &rhs),
        _ => Ok(()),
    }
}
