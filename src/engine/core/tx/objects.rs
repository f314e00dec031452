//! Storing the objects, each under its key.

use prost::Message;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::key::{Place, RunRef, Word};
use crate::engine::core::read;
use crate::engine::core::record::{
    NodeOutputRecord, NodeRunRecord, Record, TenantRecord, UserTaskDefRecord, UserTaskEventRecord, UserTaskRunRecord,
    VariableRecord, WfRunRecord, WfSpecRecord,
};
use crate::engine::core::run::tree;
use crate::engine::core::{Fault, Tx, key};

impl Tx<'_> {
    /// Creates a tenant, which must not exist, and gives its number.
    pub fn create_tenant(&mut self, tenant: lh::Tenant) -> Result<u32, Fault> {
        let name = tenant.id.as_ref().map(|id| id.id.clone()).unwrap_or_default();
        let number = self.intern_for(0, Word::Tenant, &name)?;
        let facts = store::DefinitionFacts { put_by: Some(self.actor()), deleted: None };
        self.store(read::tenant_key(number), &TenantRecord { message: tenant, facts })?;
        Ok(number)
    }

    /// Stores a UserTaskDef version.
    pub fn put_user_task_def(&mut self, record: &UserTaskDefRecord) -> Result<(), Fault> {
        let def = &record.message;
        let name = self.intern(Word::Name, &def.name)?;
        let version = natural(def.version, "UserTaskDef version")?;
        self.store(read::user_task_def_key(self.tenant, name, version), record)
    }

    /// Stores a WfSpec version.
    pub fn put_wf_spec(&mut self, record: &WfSpecRecord) -> Result<(), Fault> {
        let id = record.message.id.clone().unwrap_or_default();
        let name = self.intern(Word::Name, &id.name)?;
        let (major, revision) = (natural(id.major_version, "WfSpec version")?, natural(id.revision, "WfSpec version")?);
        self.store(read::wf_spec_key(self.tenant, name, major, revision), record)
    }

    /// Creates a WfRun, whose id must be free, and gives its ordinal. Facts about tenant and actor are filled in.
    pub fn create_wf_run(&mut self, run: &lh::WfRun) -> Result<(RunRef, WfRunRecord), Fault> {
        let ordinal = RunRef(self.next_ordinal(run.start_time.as_ref())?);
        self.created.insert(ordinal);
        let parent = match run.id.as_ref().and_then(|id| id.parent_wf_run_id.as_deref()) {
            Some(parent) => self.read().wf_run_by_id(parent)?,
            None => None,
        };
        let root = parent.as_ref().map_or(0, |(parent, record)| tree::root(*parent, &record.facts));
        let parent = parent.map_or(0, |(parent, _)| parent.0);
        let started_by = Some(self.actor());
        let facts = store::WfRunFacts { tenant: self.tenant, started_by, parent, root, ..Default::default() };
        let mut record = WfRunRecord { message: run.clone(), facts };
        self.measure_run(&mut record);
        self.put_wf_run(ordinal, &record)?;
        Ok((ordinal, record))
    }

    /// Stores a WfRun.
    pub fn put_wf_run(&mut self, run: RunRef, record: &WfRunRecord) -> Result<(), Fault> {
        self.store(read::wf_run_key(run), record)
    }

    /// Stores a NodeRun.
    pub fn put_node_run(&mut self, run: RunRef, place: Place, record: &NodeRunRecord) -> Result<(), Fault> {
        self.store(read::node_run_key(run, place), record)
    }

    /// Stores a Variable, unmasked.
    pub fn put_variable(&mut self, run: RunRef, record: &VariableRecord) -> Result<(), Fault> {
        let id = record.message.id.clone().unwrap_or_default();
        let name = self.intern(Word::Name, &id.name)?;
        let thread = natural(id.thread_run_number, "thread number")?;
        self.store(read::variable_key(run, thread, name), record)
    }

    /// Stores the newest output of a node of a thread.
    pub fn put_node_output(
        &mut self,
        run: RunRef,
        thread: u32,
        node: &str,
        output: store::NodeOutput,
    ) -> Result<(), Fault> {
        let node = self.intern(Word::Name, node)?;
        self.store(read::node_output_key(run, thread, node), &NodeOutputRecord { message: output, facts: () })
    }

    /// Creates a UserTaskRun without events and gives its record; `wf_spec_name` is that of its run.
    pub fn create_user_task_run(
        &mut self,
        run: RunRef,
        place: Place,
        task: lh::UserTaskRun,
        wf_spec_name: &str,
    ) -> Result<UserTaskRunRecord, Fault> {
        let ordinal = self.next_ordinal(task.scheduled_time.as_ref())?;
        let facts = store::UserTaskRunFacts { ordinal, wf_spec_name: wf_spec_name.to_owned(), ..Default::default() };
        let record = UserTaskRunRecord { message: task, facts };
        self.put_user_task_run(run, place, &record)?;
        Ok(record)
    }

    /// Stores a UserTaskRun; its events are rows of their own and left out of it.
    pub fn put_user_task_run(&mut self, run: RunRef, place: Place, record: &UserTaskRunRecord) -> Result<(), Fault> {
        let key = read::user_task_run_key(run, place, 0);
        if record.message.events.is_empty() {
            self.store(key, record)?;
        } else {
            let message = lh::UserTaskRun { events: Vec::new(), ..record.message.clone() };
            self.store(key, &Record { message, facts: record.facts.clone() })?;
        }
        self.touch(record.message.id.clone().unwrap_or_default());
        Ok(())
    }

    /// Appends an event, with the actor of this command. It counts in the facts of `record`, which the caller puts
    /// afterwards with whatever else changed.
    pub fn append_user_task_event(
        &mut self,
        run: RunRef,
        place: Place,
        record: &mut UserTaskRunRecord,
        event: lh::UserTaskEvent,
    ) -> Result<(), Fault> {
        record.facts.event_bytes += event.encoded_len() as u64;
        if matches!(event.event, Some(lh::user_task_event::Event::CommentAdded(_))) {
            record.facts.comments += 1;
        }
        record.facts.events += 1;
        let key = read::user_task_run_key(run, place, record.facts.events);
        let facts = store::UserTaskEventFacts { actor: Some(self.actor()) };
        self.touch(record.message.id.clone().unwrap_or_default());
        self.store(key, &UserTaskEventRecord { message: event, facts })
    }
}

/// A number that the commands never let be negative.
pub(in crate::engine::core) fn natural(number: i32, what: &str) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| key::damaged(what, format!("{number} is negative")))
}
