//! Typed reading: objects by their ids, out of a state of bytes, for one tenant.

use std::ops::ControlFlow;
use std::rc::Rc;

use prost::Message;

use crate::api::littlehorse as lh;
use crate::engine::core::id;
use crate::engine::core::key::{self, IdKind, Kind, ObjKey, Place, RunRef, Word, damaged, pair};
use crate::engine::core::record::{
    NodeOutputRecord, NodeRunRecord, Record, TenantRecord, UserTaskDefRecord, UserTaskEventRecord, UserTaskRunRecord,
    VariableRecord, WfRunRecord, WfSpecRecord,
};
use crate::engine::core::{Fault, Order, State, Table, memo};

/// The tenant that always exists.
pub const DEFAULT_TENANT: &str = "default";

/// A state seen by one tenant.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The state below.
    pub state: &'a dyn State,
    /// The tenant's number; none when it has nothing stored yet.
    pub tenant: Option<u32>,
}

impl<'a> Reader<'a> {
    /// A reader for the tenant of this name.
    pub fn new(state: &'a dyn State, tenant: &str) -> Result<Self, Fault> {
        Ok(Self { state, tenant: lookup(state, 0, Word::Tenant, tenant)? })
    }

    /// The number of a text of this tenant.
    pub fn number(&self, word: Word, text: &str) -> Result<Option<u32>, Fault> {
        match self.tenant {
            Some(tenant) => lookup(self.state, tenant, word, text),
            None => Ok(None),
        }
    }

    /// The text of a number of this tenant.
    pub fn text(&self, word: Word, number: u32) -> Result<String, Fault> {
        let tenant = self.tenant.unwrap_or_default();
        let bytes = self.state.get(Table::DictRev, &key::dict_rev(tenant, word, number))?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| damaged(format!("{word:?} {number}"), "not in the dictionary"))
    }

    /// Any object by its key.
    pub fn object<M, F>(&self, key: ObjKey) -> Result<Option<Record<M, F>>, Fault>
    where
        M: Message + Default,
        F: Message + Default,
    {
        match self.state.get(Table::Obj, &key.bytes())? {
            Some(bytes) => Record::decode(key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// A definition by its key, decoded before if its bytes are the same.
    pub fn definition<M, F>(&self, key: ObjKey) -> Result<Option<Rc<Record<M, F>>>, Fault>
    where
        M: Message + Default + 'static,
        F: Message + Default + 'static,
    {
        match self.state.get(Table::Obj, &key.bytes())? {
            Some(bytes) => memo::decode(key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The objects of one kind in `scope` with `from <= (sub, n) <= to`, until `visit` breaks.
    #[allow(clippy::type_complexity)] // a name for it would not say more
    pub fn objects(
        &self,
        scope: u64,
        kind: Kind,
        from: (u64, u32),
        to: (u64, u32),
        order: Order,
        visit: &mut dyn FnMut(ObjKey, &[u8]) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<(), Fault> {
        let first = ObjKey::new(scope, kind, from.0, from.1).bytes();
        let end = key::after_prefix(&ObjKey::new(scope, kind, to.0, to.1).bytes());
        let mut outcome = Ok(());
        self.state.scan(Table::Obj, &first, end.as_deref(), order, &mut |key, value| {
            let parsed = ObjKey::parse(key).ok_or_else(|| damaged("Obj row", "its key has an unknown form"));
            match parsed.and_then(|key| visit(key, value)) {
                Ok(flow) => flow,
                Err(fault) => {
                    outcome = Err(fault);
                    ControlFlow::Break(())
                }
            }
        })?;
        outcome
    }

    /// The last of the objects that [`Reader::objects`] would visit and that `accept` takes.
    pub(super) fn last<M, F>(
        &self,
        kind: Kind,
        from: (u64, u32),
        to: (u64, u32),
        accept: &dyn Fn(&Record<M, F>) -> bool,
    ) -> Result<Option<Rc<Record<M, F>>>, Fault>
    where
        M: Message + Default + 'static,
        F: Message + Default + 'static,
    {
        let Some(tenant) = self.tenant else { return Ok(None) };
        let mut found = None;
        self.objects(u64::from(tenant), kind, from, to, Order::Descending, &mut |key, bytes| {
            let record = memo::decode(key, bytes)?;
            if !accept(&record) {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(record);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// A tenant by name, whoever asks. [`DEFAULT_TENANT`] is there even before anything is stored.
    pub fn tenant_record(&self, name: &str) -> Result<Option<TenantRecord>, Fault> {
        let stored = match lookup(self.state, 0, Word::Tenant, name)? {
            Some(number) => self.object(tenant_key(number))?,
            None => None,
        };
        Ok(match stored {
            None if name == DEFAULT_TENANT => Some(TenantRecord {
                message: lh::Tenant { id: Some(lh::TenantId { id: name.to_owned() }), ..Default::default() },
                ..Default::default()
            }),
            other => other,
        })
    }

    /// A UserTaskDef version, deleted or not: a run goes on with what it started with.
    pub fn user_task_def(&self, id: &lh::UserTaskDefId) -> Result<Option<Rc<UserTaskDefRecord>>, Fault> {
        let (Some(name), Ok(version)) = (self.number(Word::Name, &id.name)?, u32::try_from(id.version)) else {
            return Ok(None);
        };
        match self.tenant {
            Some(tenant) => self.definition(user_task_def_key(tenant, name, version)),
            None => Ok(None),
        }
    }

    /// The newest UserTaskDef version of a name that is not deleted; with `deleted`, the newest at all.
    pub fn latest_user_task_def(&self, name: &str, deleted: bool) -> Result<Option<Rc<UserTaskDefRecord>>, Fault> {
        let Some(name) = self.number(Word::Name, name)? else { return Ok(None) };
        let sub = u64::from(name);
        self.last(Kind::UserTaskDef, (sub, 0), (sub, u32::MAX), &|record: &UserTaskDefRecord| {
            deleted || record.facts.deleted.is_none()
        })
    }

    /// A WfSpec version, deleted or not: a run goes on with what it started with.
    pub fn wf_spec(&self, id: &lh::WfSpecId) -> Result<Option<Rc<WfSpecRecord>>, Fault> {
        let (Some(name), Ok(major), Ok(revision)) =
            (self.number(Word::Name, &id.name)?, u32::try_from(id.major_version), u32::try_from(id.revision))
        else {
            return Ok(None);
        };
        match self.tenant {
            Some(tenant) => self.definition(wf_spec_key(tenant, name, major, revision)),
            None => Ok(None),
        }
    }

    /// The newest WfSpec version of a name, or of one major version of it, that is not deleted; with `deleted`, the
    /// newest at all.
    pub fn latest_wf_spec(
        &self,
        name: &str,
        major: Option<i32>,
        deleted: bool,
    ) -> Result<Option<Rc<WfSpecRecord>>, Fault> {
        let Some(name) = self.number(Word::Name, name)? else { return Ok(None) };
        let (from, to) = match major.map(u32::try_from) {
            None => (pair(name, 0), pair(name, u32::MAX)),
            Some(Ok(major)) => (pair(name, major), pair(name, major)),
            Some(Err(_)) => return Ok(None),
        };
        self.last(Kind::WfSpec, (from, 0), (to, u32::MAX), &|record: &WfSpecRecord| {
            deleted || record.facts.deleted.is_none()
        })
    }

    /// The ordinal of a WfRun.
    pub fn run_ref(&self, id: &lh::WfRunId) -> Result<Option<RunRef>, Fault> {
        let Some(tenant) = self.tenant else { return Ok(None) };
        // Parts hold no `_`; an id that has one would be taken for a child's. Asked part by part: taking a long text
        // apart would build a chain of parents that is too deep to drop.
        if std::iter::successors(Some(id), |id| id.parent_wf_run_id.as_deref()).any(|id| id.id.contains('_')) {
            return Ok(None);
        }
        let text = id::wf_run_text(id);
        match self.state.get(Table::Ids, &key::id(tenant, IdKind::WfRun, &text))? {
            Some(bytes) => Ok(Some(RunRef(key::read_u64(&bytes, Table::Ids)?))),
            None => Ok(None),
        }
    }

    /// A WfRun by its ordinal.
    pub fn wf_run(&self, run: RunRef) -> Result<Option<WfRunRecord>, Fault> {
        self.object(wf_run_key(run))
    }

    /// A WfRun by its id, with its ordinal.
    pub fn wf_run_by_id(&self, id: &lh::WfRunId) -> Result<Option<(RunRef, WfRunRecord)>, Fault> {
        let Some(run) = self.run_ref(id)? else { return Ok(None) };
        Ok(self.wf_run(run)?.map(|record| (run, record)))
    }

    /// A NodeRun.
    pub fn node_run(&self, run: RunRef, place: Place) -> Result<Option<NodeRunRecord>, Fault> {
        self.object(node_run_key(run, place))
    }

    /// A Variable of a thread, unmasked.
    pub fn variable(&self, run: RunRef, thread: u32, name: &str) -> Result<Option<VariableRecord>, Fault> {
        match self.number(Word::Name, name)? {
            Some(name) => self.object(variable_key(run, thread, name)),
            None => Ok(None),
        }
    }

    /// The Variables of a thread, unmasked, in order of their names.
    pub fn variables(&self, run: RunRef, thread: u32) -> Result<Vec<VariableRecord>, Fault> {
        let mut all: Vec<VariableRecord> = Vec::new();
        let (from, to) = ((pair(thread, 0), 0), (pair(thread, u32::MAX), u32::MAX));
        self.objects(run.0, Kind::Variable, from, to, Order::Ascending, &mut |key, bytes| {
            all.push(Record::decode(key, bytes)?);
            Ok(ControlFlow::Continue(()))
        })?;
        let name = |record: &VariableRecord| record.message.id.as_ref().map(|id| id.name.clone());
        all.sort_by_cached_key(name);
        Ok(all)
    }

    /// The newest output of a node of a thread.
    pub fn node_output(&self, run: RunRef, thread: u32, node: &str) -> Result<Option<NodeOutputRecord>, Fault> {
        match self.number(Word::Name, node)? {
            Some(node) => self.object(node_output_key(run, thread, node)),
            None => Ok(None),
        }
    }

    /// Where a UserTaskRun lives.
    pub fn task_ref(&self, id: &lh::UserTaskRunId) -> Result<Option<(RunRef, Place)>, Fault> {
        let (Some(run), Some(place)) = (id.wf_run_id.as_ref(), Place::from_guid(&id.user_task_guid)) else {
            return Ok(None);
        };
        Ok(self.run_ref(run)?.map(|run| (run, place)))
    }

    /// A UserTaskRun without its events.
    pub fn user_task_run(&self, run: RunRef, place: Place) -> Result<Option<UserTaskRunRecord>, Fault> {
        self.object(user_task_run_key(run, place, 0))
    }

    /// The events of a UserTaskRun, in order.
    pub fn user_task_events(&self, run: RunRef, place: Place) -> Result<Vec<UserTaskEventRecord>, Fault> {
        let mut events = Vec::new();
        let (from, to) = ((place.sub(), 1), (place.sub(), u32::MAX));
        self.objects(run.0, Kind::UserTaskRun, from, to, Order::Ascending, &mut |key, bytes| {
            events.push(Record::decode(key, bytes)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(events)
    }

    /// A UserTaskRun as Get answers it, events included.
    pub fn whole_user_task_run(&self, run: RunRef, place: Place) -> Result<Option<lh::UserTaskRun>, Fault> {
        let Some(record) = self.user_task_run(run, place)? else { return Ok(None) };
        let events = self.user_task_events(run, place)?.into_iter().map(|record| record.message).collect();
        Ok(Some(lh::UserTaskRun { events, ..record.message }))
    }
}

fn lookup(state: &dyn State, tenant: u32, word: Word, text: &str) -> Result<Option<u32>, Fault> {
    match state.get(Table::Dict, &key::dict(tenant, word, text))? {
        Some(bytes) => key::read_u32(&bytes, Table::Dict).map(Some),
        None => Ok(None),
    }
}

pub(super) fn tenant_key(number: u32) -> ObjKey {
    ObjKey::new(0, Kind::Tenant, u64::from(number), 0)
}

pub(super) fn user_task_def_key(tenant: u32, name: u32, version: u32) -> ObjKey {
    ObjKey::new(u64::from(tenant), Kind::UserTaskDef, u64::from(name), version)
}

pub(super) fn wf_spec_key(tenant: u32, name: u32, major: u32, revision: u32) -> ObjKey {
    ObjKey::new(u64::from(tenant), Kind::WfSpec, pair(name, major), revision)
}

pub(super) fn wf_run_key(run: RunRef) -> ObjKey {
    ObjKey::new(run.0, Kind::WfRun, 0, 0)
}

pub(super) fn node_run_key(run: RunRef, place: Place) -> ObjKey {
    ObjKey::new(run.0, Kind::NodeRun, place.sub(), 0)
}

pub(super) fn variable_key(run: RunRef, thread: u32, name: u32) -> ObjKey {
    ObjKey::new(run.0, Kind::Variable, pair(thread, name), 0)
}

pub(super) fn node_output_key(run: RunRef, thread: u32, node: u32) -> ObjKey {
    ObjKey::new(run.0, Kind::NodeOutput, pair(thread, node), 0)
}

pub(super) fn user_task_run_key(run: RunRef, place: Place, n: u32) -> ObjKey {
    ObjKey::new(run.0, Kind::UserTaskRun, place.sub(), n)
}
