//! The definitions that the nodes of a WfSpec refer to, looked up once, and what they say about types.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::littlehorse as lh;
use crate::engine::core::definition::wf_spec::typing::{Known, primitive};
use crate::engine::core::{Fault, Reader};
use lh::node::Node as Kind;
use lh::task_node::TaskToExecute;
use lh::ut_action_trigger::Action;

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
}

impl Catalogue {
    /// Looks everything up that the nodes of these threads name.
    pub(super) fn of(reader: &Reader<'_>, threads: &BTreeMap<String, lh::ThreadSpec>) -> Result<Self, Fault> {
        let mut catalogue = Self::default();
        for name in task_defs(threads) {
            if let Some(record) = reader.task_def(name)? {
                catalogue.task_defs.insert(name.to_owned(), record.message);
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
            self.external_event_defs.insert(name.to_owned(), record.message);
        }
        Ok(())
    }

    /// The TaskDef of this name.
    pub(super) fn task_def(&self, name: &str) -> Option<&lh::TaskDef> {
        self.task_defs.get(name)
    }

    /// What a node leaves behind, where it is known.
    pub(super) fn output_of(&self, node: &lh::Node) -> Known {
        match &node.node {
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
