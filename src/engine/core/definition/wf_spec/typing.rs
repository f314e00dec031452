//! What type an assignment has, as far as that can be known when a WfSpec is put.
//!
//! A type is a TypeDefinition; one without a type in it is that of the null literal. `None` is "not known": such a
//! value passes every check here, and the rules at run time apply.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::catalogue::Catalogue;
use crate::engine::core::definition::wf_spec::{builders, mutations, var_name};
use crate::engine::core::value::{CastRule, cast_rule, keepable, type_name, type_of};
use crate::engine::core::{Fault, Reader};
use lh::VariableType;
use lh::lh_path::selector::SelectorType;
use lh::type_definition::DefinedType;
use lh::variable_assignment::{Path, Source, expression::Operation};

/// A type, where it is known.
pub(super) type Known = Option<lh::TypeDefinition>;

/// A primitive type.
pub(super) fn primitive(kind: VariableType) -> lh::TypeDefinition {
    lh::TypeDefinition { defined_type: Some(DefinedType::PrimitiveType(kind.into())), masked: false }
}

/// The primitive type that a definition names.
pub(super) fn as_primitive(definition: &lh::TypeDefinition) -> Option<VariableType> {
    match definition.defined_type {
        Some(DefinedType::PrimitiveType(number)) => VariableType::try_from(number).ok(),
        _ => None,
    }
}

/// Whether it is the type of the null literal.
pub(super) fn is_null(definition: &lh::TypeDefinition) -> bool {
    definition.defined_type.is_none()
}

/// Whether a value of one type goes into a variable of another without a cast being written.
pub(super) fn is_assignable(to: &lh::TypeDefinition, from: &lh::TypeDefinition) -> bool {
    if is_null(from) {
        return true;
    }
    match (as_primitive(to), as_primitive(from)) {
        (Some(to), Some(from)) => cast_rule(from, to) == CastRule::Implicit,
        _ => fits(to, from),
    }
}

/// Whether two types are the same; what is untyped inside an array or map fits anything.
fn fits(to: &lh::TypeDefinition, from: &lh::TypeDefinition) -> bool {
    let inner = |to: &Option<Box<lh::TypeDefinition>>, from: &Option<Box<lh::TypeDefinition>>| match (
        to.as_deref(),
        from.as_deref(),
    ) {
        (Some(to), Some(from)) => is_null(from) || fits(to, from),
        _ => true,
    };
    match (&to.defined_type, &from.defined_type) {
        (Some(DefinedType::InlineArrayDef(to)), Some(DefinedType::InlineArrayDef(from))) => {
            inner(&to.array_type, &from.array_type)
        }
        (Some(DefinedType::InlineMapDef(to)), Some(DefinedType::InlineMapDef(from))) => {
            inner(&to.key_type, &from.key_type) && inner(&to.value_type, &from.value_type)
        }
        (Some(DefinedType::StructDefId(to)), Some(DefinedType::StructDefId(from))) => to.name == from.name,
        (to, from) => to == from,
    }
}

/// One thread of a WfSpec, with the others around it.
#[derive(Clone, Copy)]
pub(super) struct Thread<'a> {
    pub(super) all: &'a BTreeMap<String, lh::ThreadSpec>,
    pub(super) name: &'a str,
    pub(super) spec: &'a lh::ThreadSpec,
    /// The definitions that the nodes of all of them refer to.
    pub(super) catalogue: &'a Catalogue,
    /// Leaves impossible comparisons and casts to fail at run time, as LittleHorse does for what an EXIT node gives.
    pub(super) lenient: bool,
}

impl Thread<'_> {
    /// The declared type of a variable: of this thread, else of whichever declares it. What is really in scope is
    /// known at run time only.
    pub(super) fn variable(&self, name: &str) -> Known {
        let others = self.all.values().flat_map(|thread| &thread.variable_defs);
        let mut defs = self.spec.variable_defs.iter().chain(others);
        defs.find(|def| var_name(def) == name)?.var_def.as_ref()?.type_def.clone()
    }

    /// The type of what an EXIT node gives, or what is wrong with it.
    pub(super) fn content(&self, content: &lh::VariableAssignment) -> Result<Known, String> {
        Thread { lenient: true, ..*self }.assignment(content)
    }

    /// The type of an assignment, or what is wrong with it.
    pub(super) fn assignment(&self, assignment: &lh::VariableAssignment) -> Result<Known, String> {
        let source = self.source(assignment)?;
        let at_path = match (&assignment.path, source) {
            (None, source) => source,
            (Some(Path::JsonPath(_)), _) => None,
            (Some(Path::LhPath(path)), source) => self.at_path(source, path)?,
        };
        let Some(target) = &assignment.target_type else { return Ok(at_path) };
        if let Some(from) = at_path.as_ref().and_then(as_primitive)
            && let Some(to) = as_primitive(target)
            && cast_rule(from, to) == CastRule::Never
            && !self.lenient
        {
            let (from, to) = (from.as_str_name(), to.as_str_name());
            return Err(format!("Cannot cast from {from} to {to}. This conversion is not supported."));
        }
        Ok(Some(target.clone()))
    }

    pub(super) fn optional(&self, assignment: Option<&lh::VariableAssignment>) -> Result<Known, String> {
        self.assignment(assignment.ok_or_else(missing_source)?)
    }

    fn source(&self, assignment: &lh::VariableAssignment) -> Result<Known, String> {
        match assignment.source.as_ref().ok_or_else(missing_source)? {
            Source::VariableName(name) => Ok(self.variable(name)),
            Source::LiteralValue(value) => {
                let Some(value) = &value.value else { return Ok(Some(lh::TypeDefinition::default())) };
                keepable(value).map_err(|wrong| wrong.to_string())?;
                Ok(Some(type_of(value)))
            }
            Source::FormatString(format) => {
                self.optional(format.format.as_deref())?;
                for argument in &format.args {
                    self.assignment(argument)?;
                }
                Ok(Some(primitive(VariableType::Str)))
            }
            Source::NodeOutput(reference) => self.node_output(&reference.node_name),
            Source::Expression(expression) => self.expression(expression),
            Source::SizeOf(size) => {
                let operand = self.optional(size.operand.as_deref())?;
                let sized = operand.is_none_or(|operand| {
                    matches!(as_primitive(&operand), Some(VariableType::Str | VariableType::JsonArr))
                        || matches!(operand.defined_type, Some(DefinedType::InlineArrayDef(_)))
                });
                if !sized {
                    return Err("size() only supports STR, ARRAY or JSON_ARR operands".to_owned());
                }
                Ok(Some(primitive(VariableType::Int)))
            }
            Source::StructBuilder(builder) => builders::structure(self, builder).map(Some),
            Source::MapBuilder(builder) => builders::map(self, builder),
        }
    }

    fn node_output(&self, name: &str) -> Result<Known, String> {
        match self.spec.nodes.get(name) {
            Some(node) => Ok(self.catalogue.output_of(self.spec, node)),
            None => Err(format!("Node {name} not present in threadspec {}", self.name)),
        }
    }

    fn expression(&self, expression: &lh::variable_assignment::Expression) -> Result<Known, String> {
        let lhs = self.optional(expression.lhs.as_deref())?;
        let rhs = self.optional(expression.rhs.as_deref())?;
        match expression.operation {
            Some(Operation::Comparator(comparator)) => {
                if !self.lenient {
                    comparison(lhs.as_ref(), comparator, rhs.as_ref())?;
                }
                Ok(Some(primitive(VariableType::Bool)))
            }
            Some(Operation::MutationType(operation)) => {
                let operation = mutations::operation(operation)?;
                match (lhs, rhs) {
                    (Some(lhs), Some(rhs)) => mutations::result(&lhs, operation, &rhs).map(Some),
                    _ => Ok(None),
                }
            }
            None => Err("Expression passed with missing operation".to_owned()),
        }
    }

    /// The type of what stands at a path in a value of a type.
    pub(super) fn at_path(&self, mut at: Known, path: &lh::LhPath) -> Result<Known, String> {
        for selector in &path.path {
            let Some(selector) = &selector.selector_type else {
                return Err("LHPath passed with missing selector".to_owned());
            };
            if let SelectorType::Dynamic(dynamic) = selector {
                self.assignment(dynamic)?;
            }
            let Some(definition) = at else { return Ok(None) };
            at = self.selected(&definition, selector, path)?;
        }
        Ok(at)
    }

    fn selected(&self, from: &lh::TypeDefinition, selector: &SelectorType, path: &lh::LhPath) -> Result<Known, String> {
        match &from.defined_type {
            Some(DefinedType::InlineArrayDef(array)) => match selector {
                SelectorType::Key(key) => {
                    Err(format!("Expected numeric index selector for Array type, got key selector '{key}'"))
                }
                SelectorType::Index(_) | SelectorType::Dynamic(_) => Ok(array.array_type.as_deref().cloned()),
            },
            Some(DefinedType::InlineMapDef(map)) => match selector {
                SelectorType::Index(index) => {
                    Err(format!("Expected key selector for Map type, got index selector '{index}'"))
                }
                SelectorType::Key(_) | SelectorType::Dynamic(_) => Ok(map.value_type.as_deref().cloned()),
            },
            Some(DefinedType::StructDefId(id)) => {
                let def = self.catalogue.struct_def(id).and_then(|def| def.struct_def.as_ref());
                let name = match selector {
                    SelectorType::Key(name) => name.as_str(),
                    // Clients know the text that names no field for a number.
                    SelectorType::Index(_) => "",
                    SelectorType::Dynamic(_) => return Ok(None),
                };
                match def.and_then(|def| def.fields.get(name)) {
                    Some(field) => Ok(field.field_type.clone()),
                    None => Err(format!("could not find field '{name}' on type {}", type_name(from))),
                }
            }
            Some(DefinedType::PrimitiveType(number))
                if !matches!(VariableType::try_from(*number), Ok(VariableType::JsonObj | VariableType::JsonArr)) =>
            {
                let (path, on) = (path_text(path), type_name(from));
                Err(format!("Failed fetching LHPath to '{path}' on Type '{on}'"))
            }
            Some(DefinedType::PrimitiveType(_) | DefinedType::InlineStructDef(_)) | None => Ok(None),
        }
    }
}

pub(super) fn missing_source() -> String {
    "VariableAssignment passed with missing source".to_owned()
}

fn path_text(path: &lh::LhPath) -> String {
    let mut text = "$".to_owned();
    for selector in &path.path {
        text += &match &selector.selector_type {
            Some(SelectorType::Key(key)) => format!(".{key}"),
            Some(SelectorType::Index(index)) => format!("[{index}]"),
            Some(SelectorType::Dynamic(_)) | None => "[?]".to_owned(),
        };
    }
    text
}

/// Checks the types of a comparison; one with the null literal is always fine.
pub(super) fn comparison(
    lhs: Option<&lh::TypeDefinition>,
    comparator: i32,
    rhs: Option<&lh::TypeDefinition>,
) -> Result<(), String> {
    use lh::Comparator::{Equals, In, NotEquals, NotIn};
    let comparator = lh::Comparator::try_from(comparator).map_err(|_| format!("Unknown Comparator {comparator}"))?;
    let (Some(lhs), Some(rhs)) = (lhs, rhs) else { return Ok(()) };
    if is_null(lhs) || is_null(rhs) {
        return Ok(());
    }
    let has_magnitude = |definition: &lh::TypeDefinition| {
        use VariableType::{Bool, Double, Int, Str, Timestamp};
        matches!(as_primitive(definition), Some(Int | Double | Str | Bool | Timestamp))
    };
    let (left, right, by) = (type_name(lhs), type_name(rhs), comparator.as_str_name());
    let wrong_rhs = || Err(format!("You cannot compare RHS type {right} using Comparator {by}"));
    match comparator {
        Equals | NotEquals => {
            if lhs.defined_type == rhs.defined_type || (has_magnitude(lhs) && has_magnitude(rhs)) {
                return Ok(());
            }
            Err(format!("You can only compare LHS type {left} with its own type, but tried to compare it to {right}"))
        }
        In | NotIn => {
            let list = as_primitive(rhs) == Some(VariableType::JsonArr);
            let holds = match as_primitive(rhs) {
                Some(kind) => matches!(kind, VariableType::JsonArr | VariableType::JsonObj),
                None => true,
            };
            if !holds {
                return wrong_rhs();
            }
            if !list && as_primitive(lhs) != Some(VariableType::Str) {
                return Err(format!("You cannot use LHS type {left} with Comparator {by}"));
            }
            Ok(())
        }
        _ if has_magnitude(rhs) => Ok(()),
        _ => wrong_rhs(),
    }
}

/// What a thread returns.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Output {
    /// Nothing.
    Void,
    /// Something of this type.
    Value(Known),
}

/// What the EXIT nodes of a thread return, each once; those that fail return nothing at all.
pub(super) fn outputs(thread: Thread<'_>) -> Result<Vec<Output>, String> {
    let mut outputs = Vec::new();
    for node in thread.spec.nodes.values() {
        let Some(lh::node::Node::Exit(exit)) = &node.node else { continue };
        let output = match &exit.result {
            Some(lh::exit_node::Result::FailureDef(_)) => continue,
            Some(lh::exit_node::Result::ReturnContent(content)) => Output::Value(thread.content(content)?),
            None => Output::Void,
        };
        if !outputs.contains(&output) {
            outputs.push(output);
        }
    }
    Ok(outputs)
}

/// What the entrypoint of a valid WfSpec returns.
pub(super) fn output_of(reader: &Reader<'_>, spec: &lh::WfSpec) -> Result<Vec<Output>, Fault> {
    Ok(outputs_of(spec, &Catalogue::of(reader, &spec.thread_specs)?))
}

/// As [`output_of`], with what is known of the definitions.
pub(super) fn outputs_of(spec: &lh::WfSpec, catalogue: &Catalogue) -> Vec<Output> {
    let Some(thread) = spec.thread_specs.get(&spec.entrypoint_thread_name) else { return Vec::new() };
    let (all, name) = (&spec.thread_specs, &spec.entrypoint_thread_name);
    outputs(Thread { all, name, spec: thread, catalogue, lenient: false }).unwrap_or_default()
}
