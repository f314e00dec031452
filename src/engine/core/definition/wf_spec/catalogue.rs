//! The definitions that the nodes of a WfSpec refer to, looked up once, and what they say about types.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::littlehorse as lh;
use crate::engine::core::definition::types::LATEST;
use crate::engine::core::definition::wf_spec::assignments;
use crate::engine::core::definition::wf_spec::typing::{self, Known, Output, primitive};
use crate::engine::core::{Fault, Reader};
use lh::node::Node as Kind;
use lh::run_child_wf_node::WfSpec as Named;
use lh::task_node::TaskToExecute;
use lh::type_definition::DefinedType;
use lh::ut_action_trigger::Action;
use lh::variable_assignment::Source;

/// The names of the TaskDefs that these threads use, as far as they stand there: of TASK nodes and of reminders.
pub fn task_defs(threads: &BTreeMap<String, lh::ThreadSpec>) -> BTreeSet<&str> {
    fn named(task: &lh::TaskNode) -> Option<&str> {
        match &task.task_to_execute {
            Some(TaskToExecute::TaskDefId(id)) => Some(id.name.as_str()),
            _ => None,
        }
    }
    let mut names = BTreeSet::new();
    for node in threads.values().flat_map(|thread| thread.nodes.values()) {
        match &node.node {
            Some(Kind::Task(task)) => names.extend(named(task)),
            Some(Kind::UserTask(task)) => names.extend(task.actions.iter().filter_map(|action| match &action.action {
                Some(Action::Task(reminder)) => named(reminder.task.as_ref()?),
                _ => None,
            })),
            _ => {}
        }
    }
    names
}

/// What is known of the definitions behind the nodes.
#[derive(Default)]
pub(super) struct Catalogue {
    task_defs: BTreeMap<String, lh::TaskDef>,
    external_event_defs: BTreeMap<String, lh::ExternalEventDef>,
    structs: BTreeMap<(String, i32), lh::StructDef>,
    children: BTreeMap<(String, i32), Child>,
}

/// What is known of a workflow that a node runs.
pub(super) struct Child {
    /// The name of its first thread.
    pub(super) entrypoint_name: String,
    /// What that declares.
    pub(super) inputs: Vec<lh::ThreadVarDef>,
    /// What it gives.
    output: Known,
}

impl Catalogue {
    /// Looks everything up that the nodes of these threads name.
    pub(super) fn of(reader: &Reader<'_>, threads: &BTreeMap<String, lh::ThreadSpec>) -> Result<Self, Fault> {
        let mut catalogue = Self::without_children(reader, threads)?;
        for node in threads.values().flat_map(|thread| thread.nodes.values()) {
            if let Some(Kind::RunChildWf(child)) = &node.node {
                catalogue.learn_child(reader, child)?;
            }
        }
        Ok(catalogue)
    }

    /// As [`of`](Self::of), but for the workflows that the nodes run: those run others, and these once more.
    fn without_children(reader: &Reader<'_>, threads: &BTreeMap<String, lh::ThreadSpec>) -> Result<Self, Fault> {
        let mut catalogue = Self::default();
        for name in task_defs(threads) {
            if let Some(record) = reader.task_def(name)? {
                catalogue.learn_return(reader, record.message.return_type.as_ref())?;
                catalogue.task_defs.insert(name.to_owned(), record.message);
            }
        }
        for thread in threads.values() {
            let variables = thread.variable_defs.iter().filter_map(|def| def.var_def.as_ref()?.type_def.as_ref());
            for declared in variables {
                catalogue.learn_type(reader, declared)?;
            }
            let edges = thread.nodes.values().flat_map(|node| &node.outgoing_edges).flat_map(assignments::of_edge);
            for assignment in thread.nodes.values().flat_map(assignments::of_node).chain(edges) {
                catalogue.learn_built(reader, assignment)?;
            }
        }
        for node in threads.values().flat_map(|thread| thread.nodes.values()) {
            if let Some(Kind::ExternalEvent(event)) = &node.node {
                catalogue.learn_event(reader, event)?;
            }
        }
        Ok(catalogue)
    }

    fn learn_event(&mut self, reader: &Reader<'_>, event: &lh::ExternalEventNode) -> Result<(), Fault> {
        let name = event.external_event_def_id.as_ref().map(|id| id.name.as_str()).unwrap_or_default();
        if !self.external_event_defs.contains_key(name)
            && let Some(record) = reader.external_event_def(name)?
        {
            self.learn_return(reader, record.message.type_information.as_ref())?;
            self.learn_return(reader, record.message.type_information.as_ref())?;
            self.external_event_defs.insert(name.to_owned(), record.message);
        }
        Ok(())
    }

    fn learn_return(&mut self, reader: &Reader<'_>, returned: Option<&lh::ReturnType>) -> Result<(), Fault> {
        returned.and_then(|returned| returned.return_type.as_ref()).map_or(Ok(()), |of| self.learn_type(reader, of))
    }

    /// Looks up the StructDefs that lie in a type, with those inside them.
    pub(super) fn learn_type(&mut self, reader: &Reader<'_>, definition: &lh::TypeDefinition) -> Result<(), Fault> {
        let mut inner = |inner: &Option<Box<lh::TypeDefinition>>| match inner {
            Some(inner) => self.learn_type(reader, inner),
            None => Ok(()),
        };
        match &definition.defined_type {
            Some(DefinedType::StructDefId(id)) => self.learn_struct(reader, id),
            Some(DefinedType::InlineArrayDef(array)) => inner(&array.array_type),
            Some(DefinedType::InlineMapDef(map)) => {
                inner(&map.key_type)?;
                inner(&map.value_type)
            }
            Some(DefinedType::InlineStructDef(_) | DefinedType::PrimitiveType(_)) | None => Ok(()),
        }
    }

    /// Looks a StructDef up as it is referred to, be it deleted meanwhile.
    fn learn_struct(&mut self, reader: &Reader<'_>, id: &lh::StructDefId) -> Result<(), Fault> {
        let key = (id.name.clone(), id.version);
        if self.structs.contains_key(&key) {
            return Ok(());
        }
        let found = match id.version {
            LATEST => reader.latest_struct_def(&id.name, false)?,
            _ => reader.struct_def(id)?,
        };
        let Some(def) = found.map(|record| record.message) else { return Ok(()) };
        for field in def.struct_def.iter().flat_map(|def| def.fields.values()) {
            if let Some(field_type) = &field.field_type {
                self.learn_type(reader, field_type)?;
            }
        }
        // Paths into what is built know the exact version.
        let id = def.id.clone().unwrap_or_default();
        self.structs.insert((id.name, id.version), def.clone());
        self.structs.insert(key, def);
        Ok(())
    }

    /// Looks up what an assignment builds or casts to.
    fn learn_built(&mut self, reader: &Reader<'_>, assignment: &lh::VariableAssignment) -> Result<(), Fault> {
        let mut outcome = Ok(());
        assignments::each(assignment, &mut |part| {
            let built = match &part.source {
                Some(Source::StructBuilder(builder)) => builder.struct_def_id.as_ref(),
                _ => None,
            };
            let of_builder = built.map_or(Ok(()), |id| self.learn_struct(reader, id));
            let of_target = part.target_type.as_ref().map_or(Ok(()), |target| self.learn_type(reader, target));
            if outcome.is_ok() {
                outcome = of_builder.and(of_target);
            }
        });
        outcome
    }

    /// The StructDef of this id.
    pub(super) fn struct_def(&self, id: &lh::StructDefId) -> Option<&lh::StructDef> {
        self.structs.get(&(id.name.clone(), id.version))
    }

    fn learn_child(&mut self, reader: &Reader<'_>, child: &lh::RunChildWfNode) -> Result<(), Fault> {
        let Some(Named::WfSpecName(name)) = &child.wf_spec else { return Ok(()) };
        let Some(record) = reader.latest_wf_spec(name, Some(child.major_version), false)? else { return Ok(()) };
        let spec = &record.message;
        let outputs = typing::outputs_of(spec, &Self::without_children(reader, &spec.thread_specs)?);
        let output = match outputs.as_slice() {
            [Output::Value(known)] => known.clone(),
            _ => None,
        };
        let entrypoint = spec.thread_specs.get(&spec.entrypoint_thread_name);
        let inputs = entrypoint.map(|thread| thread.variable_defs.clone()).unwrap_or_default();
        let child_spec = Child { entrypoint_name: spec.entrypoint_thread_name.clone(), inputs, output };
        self.children.insert((name.clone(), child.major_version), child_spec);
        Ok(())
    }

    /// The workflow of this name and major version.
    pub(super) fn child(&self, name: &str, major: i32) -> Option<&Child> {
        self.children.get(&(name.to_owned(), major))
    }

    /// The TaskDef of this name.
    pub(super) fn task_def(&self, name: &str) -> Option<&lh::TaskDef> {
        self.task_defs.get(name)
    }

    /// What a node leaves behind, where it is known.
    pub(super) fn output_of(&self, thread: &lh::ThreadSpec, node: &lh::Node) -> Known {
        match &node.node {
            Some(Kind::RunChildWf(_)) => Some(primitive(lh::VariableType::WfRunId)),
            Some(Kind::WaitForChildWf(wait)) => match &thread.nodes.get(&wait.child_wf_run_source_node)?.node {
                Some(Kind::RunChildWf(child)) => match &child.wf_spec {
                    Some(Named::WfSpecName(name)) => self.child(name, child.major_version)?.output.clone(),
                    _ => None,
                },
                _ => None,
            },
            Some(Kind::UserTask(_)) => Some(primitive(lh::VariableType::JsonObj)),
            Some(Kind::StartThread(_)) => Some(primitive(lh::VariableType::Int)),
            Some(Kind::StartMultipleThreads(_)) => Some(primitive(lh::VariableType::JsonArr)),
            Some(Kind::Task(task)) => match &task.task_to_execute {
                Some(TaskToExecute::TaskDefId(id)) => self.task_def(&id.name)?.return_type.clone()?.return_type,
                _ => None,
            },
            Some(Kind::ExternalEvent(event)) => {
                let def = self.external_event_defs.get(&event.external_event_def_id.as_ref()?.name)?;
                def.type_information.clone()?.return_type
            }
            _ => None,
        }
    }
}
