//! The write side of the typed layer: objects put here keep their indexes, counters and dictionary in the same writes.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::Timestamp;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::command::{Actor, Channel, Context, Proof, Refusal};
use crate::engine::core::index::{self, KeyRows, Rows};
use crate::engine::core::key::{self, IdKind, KeyIndex, ObjKey, Place, RunRef, Word, damaged, pair};
use crate::engine::core::read::{self, DEFAULT_TENANT, Reader};
use crate::engine::core::record::{
    NodeOutputRecord, NodeRunRecord, Record, TenantRecord, UserTaskDefRecord, UserTaskEventRecord, UserTaskRunRecord,
    VariableRecord, WfRunRecord, WfSpecRecord,
};
use crate::engine::core::{Fault, Overlay, State, Table, WriteSet, id};

/// Meta row: the last ordinal given out.
pub(super) const LAST_ORDINAL: &[u8] = b"last_ordinal";
/// Meta row: the last number of the dictionary given out.
pub(super) const LAST_NUMBER: &[u8] = b"last_number";
/// Meta row: by how many milliseconds an ordinal ever ran ahead of its object's own time.
pub(super) const ORDINAL_LEAD: &[u8] = b"ordinal_lead_ms";
/// Ordinals start above every number of the dictionary, tenants among them: scopes of runs and tenants never meet.
const FIRST_ORDINAL: u64 = 1 << 32;
/// An ordinal is milliseconds << this, plus a running number.
pub(super) const ORDINAL_SHIFT: u32 = 20;

/// One command's work on the state. Nothing is stored until its writes are; dropping it undoes everything.
pub struct Tx<'a> {
    overlay: Overlay<'a>,
    context: &'a Context,
    tenant: u32,
    guids: u64,
    changed: Vec<lh::UserTaskRunId>,
}

impl<'a> Tx<'a> {
    /// Begins a command. An unknown tenant is refused; the default one comes into being with its first command.
    pub fn new(state: &'a dyn State, context: &'a Context) -> Result<Self, Refusal> {
        let mut tx = Self { overlay: Overlay::new(state), context, tenant: 0, guids: 0, changed: Vec::new() };
        tx.tenant = match Reader::new(state, &context.tenant)?.tenant {
            Some(number) => number,
            None if context.tenant == DEFAULT_TENANT => tx.create_tenant(lh::Tenant {
                id: Some(lh::TenantId { id: DEFAULT_TENANT.to_owned() }),
                created_at: Some(tx.now()),
                ..Default::default()
            })?,
            None => return Err(unknown_tenant()),
        };
        Ok(tx)
    }

    /// Reads what is stored and what this command wrote so far.
    pub fn read(&self) -> Reader<'_> {
        Reader { state: &self.overlay, tenant: Some(self.tenant) }
    }

    /// Who gave the command, and when.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// When the request was accepted, or the timer was due: the command time.
    pub fn at(&self) -> Timestamp {
        id::timestamp(self.context.at)
    }

    /// When it is applied: the wall clock at processing.
    pub fn now(&self) -> Timestamp {
        id::timestamp(self.context.now)
    }

    /// The actor, as recorded with every effect.
    pub fn actor(&self) -> store::Actor {
        let Actor { name, proof, channel } = &self.context.actor;
        let proof = match proof {
            Proof::None => store::actor::Proof::None,
            Proof::PeerUid => store::actor::Proof::PeerUid,
            Proof::Token => store::actor::Proof::Token,
            Proof::Engine => store::actor::Proof::Engine,
        };
        let channel = match channel {
            Channel::InProcess => store::actor::Channel::InProcess,
            Channel::UnixSocket => store::actor::Channel::UnixSocket,
            Channel::Tcp => store::actor::Channel::Tcp,
            Channel::Timer => store::actor::Channel::Timer,
        };
        store::Actor { name: name.clone(), proof: proof.into(), channel: channel.into() }
    }

    /// A new id of 32 lower-case hex digits. The n-th of a command follows from the command's seed and n alone.
    pub fn new_guid(&mut self) -> String {
        self.guids += 1;
        let golden = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
        // Every step can be undone, so for one n different seeds give different ids (but for the six fixed bits).
        let mut bits = self.context.seed.wrapping_add(golden.wrapping_mul(self.guids.into()));
        for _ in 0..2 {
            bits ^= bits >> 67;
            bits = bits.wrapping_mul(0xd6e8_feb8_6659_fd93_a5a5_6c7b_0b1d_94f1);
            bits ^= bits >> 59;
        }
        // The version and variant bits of a random UUID.
        bits = bits & !(0xf << 76) | 4 << 76;
        bits = bits & !(0x3 << 62) | 2 << 62;
        format!("{bits:032x}")
    }

    /// The writes of the command and the UserTaskRuns it touched.
    pub fn finish(self) -> (WriteSet, Vec<lh::UserTaskRunId>) {
        (self.overlay.into_writes(), self.changed)
    }

    /// Creates a tenant, which must not exist, and gives its number.
    pub fn create_tenant(&mut self, tenant: lh::Tenant) -> Result<u32, Fault> {
        let name = tenant.id.as_ref().map(|id| id.id.clone()).unwrap_or_default();
        let number = self.intern_for(0, Word::Tenant, &name)?;
        let facts = store::DefinitionFacts { put_by: Some(self.actor()), deleted: None };
        self.put(read::tenant_key(number), &TenantRecord { message: tenant, facts });
        Ok(number)
    }

    /// Stores a UserTaskDef version.
    pub fn put_user_task_def(&mut self, record: &UserTaskDefRecord) -> Result<(), Fault> {
        let def = &record.message;
        let name = self.intern(Word::Name, &def.name)?;
        let version = natural(def.version, "UserTaskDef version")?;
        self.put(read::user_task_def_key(self.tenant, name, version), record);
        self.list_definition(KeyIndex::UserTaskDefs, &def.name, u64::from(version), record.facts.deleted.is_none());
        Ok(())
    }

    /// Stores a WfSpec version.
    pub fn put_wf_spec(&mut self, record: &WfSpecRecord) -> Result<(), Fault> {
        let id = record.message.id.clone().unwrap_or_default();
        let name = self.intern(Word::Name, &id.name)?;
        let (major, revision) = (natural(id.major_version, "WfSpec version")?, natural(id.revision, "WfSpec version")?);
        self.put(read::wf_spec_key(self.tenant, name, major, revision), record);
        self.list_definition(KeyIndex::WfSpecs, &id.name, pair(major, revision), record.facts.deleted.is_none());
        Ok(())
    }

    /// Creates a WfRun, whose id must be free, and gives its ordinal. Facts about tenant and actor are filled in.
    pub fn create_wf_run(&mut self, run: &lh::WfRun) -> Result<(RunRef, WfRunRecord), Fault> {
        let ordinal = RunRef(self.next_ordinal(run.start_time.as_ref())?);
        let text = run.id.as_ref().map(id::wf_run_text).unwrap_or_default();
        let key = key::id(self.tenant, IdKind::WfRun, &text);
        self.overlay.put(Table::Ids, key, ordinal.0.to_be_bytes());
        let facts = store::WfRunFacts { tenant: self.tenant, started_by: Some(self.actor()) };
        let record = WfRunRecord { message: run.clone(), facts };
        self.put_wf_run(ordinal, &record)?;
        Ok((ordinal, record))
    }

    /// Stores a WfRun.
    pub fn put_wf_run(&mut self, run: RunRef, record: &WfRunRecord) -> Result<(), Fault> {
        let key = read::wf_run_key(run);
        let (old_rows, old_keys) = match self.read().wf_run(run)? {
            Some(old) => self.run_rows(run, &old)?,
            None => Default::default(),
        };
        let (rows, keys) = self.run_rows(run, record)?;
        self.put(key, record);
        self.reindex(old_rows, rows)?;
        self.reindex_keys(old_keys, keys);
        Ok(())
    }

    /// Stores a NodeRun.
    pub fn put_node_run(&mut self, run: RunRef, place: Place, record: &NodeRunRecord) {
        self.put(read::node_run_key(run, place), record);
    }

    /// Stores a Variable, unmasked.
    pub fn put_variable(&mut self, run: RunRef, record: &VariableRecord) -> Result<(), Fault> {
        let id = record.message.id.clone().unwrap_or_default();
        let name = self.intern(Word::Name, &id.name)?;
        let thread = natural(id.thread_run_number, "thread number")?;
        self.put(read::variable_key(run, thread, name), record);
        Ok(())
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
        self.put(read::node_output_key(run, thread, node), &NodeOutputRecord { message: output, facts: () });
        Ok(())
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
        let old_rows = match self.read().user_task_run(run, place)? {
            Some(old) => self.task_rows(run, place, &old)?,
            None => Rows::new(),
        };
        let rows = self.task_rows(run, place, record)?;
        if record.message.events.is_empty() {
            self.put(read::user_task_run_key(run, place, 0), record);
        } else {
            let message = lh::UserTaskRun { events: Vec::new(), ..record.message.clone() };
            self.put(read::user_task_run_key(run, place, 0), &Record { message, facts: record.facts.clone() });
        }
        self.reindex(old_rows, rows)?;
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
    ) {
        record.facts.event_bytes += event.encoded_len() as u64;
        if matches!(event.event, Some(lh::user_task_event::Event::CommentAdded(_))) {
            record.facts.comments += 1;
        }
        record.facts.events += 1;
        let key = read::user_task_run_key(run, place, record.facts.events);
        let facts = store::UserTaskEventFacts { actor: Some(self.actor()) };
        self.put(key, &UserTaskEventRecord { message: event, facts });
        self.touch(record.message.id.clone().unwrap_or_default());
    }

    /// The number of a text of this tenant; a new text gets a new one.
    pub fn intern(&mut self, word: Word, text: &str) -> Result<u32, Fault> {
        self.intern_for(self.tenant, word, text)
    }

    fn intern_for(&mut self, tenant: u32, word: Word, text: &str) -> Result<u32, Fault> {
        let key = key::dict(tenant, word, text);
        if let Some(bytes) = self.overlay.get(Table::Dict, &key)? {
            return key::read_u32(&bytes, Table::Dict);
        }
        let last = match self.overlay.get(Table::Meta, LAST_NUMBER)? {
            Some(bytes) => key::read_u32(&bytes, Table::Meta)?,
            None => 0,
        };
        let number = last.checked_add(1).ok_or_else(|| Fault::Storage("the dictionary is full".to_owned()))?;
        self.overlay.put(Table::Meta, LAST_NUMBER, number.to_be_bytes());
        self.overlay.put(Table::Dict, key, number.to_be_bytes());
        self.overlay.put(Table::DictRev, key::dict_rev(tenant, word, number), text.as_bytes());
        Ok(number)
    }

    /// The next ordinal for an object of that time: strictly rising, also when the clock steps back.
    fn next_ordinal(&mut self, time: Option<&Timestamp>) -> Result<u64, Fault> {
        let time = u64::try_from(time.map_or(self.context.now, id::milliseconds)).unwrap_or_default();
        let last = match self.overlay.get(Table::Meta, LAST_ORDINAL)? {
            Some(bytes) => key::read_u64(&bytes, Table::Meta)?,
            None => FIRST_ORDINAL,
        };
        let by_time = time.min(u64::MAX >> ORDINAL_SHIFT) << ORDINAL_SHIFT;
        let next = last.checked_add(1).ok_or_else(|| Fault::Storage("there are no more ordinals".to_owned()))?;
        let ordinal = next.max(by_time);
        self.overlay.put(Table::Meta, LAST_ORDINAL, ordinal.to_be_bytes());
        // Searches by time narrow their scan by ordinals, and this says how far those can be off.
        let lead = (ordinal >> ORDINAL_SHIFT).saturating_sub(time);
        if lead > ordinal_lead(&self.overlay)? {
            self.overlay.put(Table::Meta, ORDINAL_LEAD, lead.to_be_bytes());
        }
        Ok(ordinal)
    }

    fn put<M: Message + Default, F: Message + Default>(&mut self, key: ObjKey, record: &Record<M, F>) {
        self.overlay.put(Table::Obj, key.bytes(), record.encode(key));
    }

    fn list_definition(&mut self, index: KeyIndex, name: &str, version: u64, live: bool) {
        let key = key::key_index(index, self.tenant, format!("{name}/").as_bytes(), version);
        if live {
            self.overlay.put(Table::KeyIdx, key, []);
        } else {
            self.overlay.remove(Table::KeyIdx, key);
        }
    }

    fn run_rows(&mut self, run: RunRef, record: &WfRunRecord) -> Result<(Rows, KeyRows), Fault> {
        let parent = record.message.id.as_ref().and_then(|id| id.parent_wf_run_id.as_deref());
        let parent = match parent {
            Some(parent) => self.read().run_ref(parent)?,
            None => None,
        };
        index::run_rows(self.tenant, run, parent, record, &mut |word, text| self.intern(word, text))
    }

    fn task_rows(&mut self, run: RunRef, place: Place, record: &UserTaskRunRecord) -> Result<Rows, Fault> {
        index::task_rows(self.tenant, run, place, record, &mut |word, text| self.intern(word, text))
    }

    /// Replaces index rows, and counts.
    fn reindex(&mut self, mut old: Rows, new: Rows) -> Result<(), Fault> {
        let mut counts: BTreeMap<[u8; 6], i64> = BTreeMap::new();
        for (row, value) in new {
            let (index, attribute, status, ordinal) = row;
            match old.remove(&row) {
                Some(same) if same == value => continue,
                Some(_) => {}
                None => *counts.entry(key::count(index, attribute, status)).or_default() += 1,
            }
            self.overlay.put(Table::Idx, key::idx(index, attribute, status, ordinal), value);
        }
        for ((index, attribute, status, ordinal), _) in old {
            self.overlay.remove(Table::Idx, key::idx(index, attribute, status, ordinal));
            *counts.entry(key::count(index, attribute, status)).or_default() -= 1;
        }
        for (key, change) in counts {
            let before = match self.overlay.get(Table::Count, &key)? {
                Some(bytes) => key::read_u64(&bytes, Table::Count)?,
                None => 0,
            };
            match before.checked_add_signed(change) {
                Some(0) => self.overlay.remove(Table::Count, key),
                Some(after) => self.overlay.put(Table::Count, key, after.to_be_bytes()),
                None => return Err(damaged("Count row", "smaller than the rows it counts")),
            }
        }
        Ok(())
    }

    fn reindex_keys(&mut self, old: KeyRows, new: KeyRows) {
        for key in old.into_keys().filter(|key| !new.contains_key(key)) {
            self.overlay.remove(Table::KeyIdx, key);
        }
        for (key, value) in new {
            self.overlay.put(Table::KeyIdx, key, value);
        }
    }

    fn touch(&mut self, id: lh::UserTaskRunId) {
        if !self.changed.contains(&id) {
            self.changed.push(id);
        }
    }
}

/// By how many milliseconds ordinals ran ahead of their objects' times, at most.
pub(super) fn ordinal_lead(state: &dyn State) -> Result<u64, Fault> {
    match state.get(Table::Meta, ORDINAL_LEAD)? {
        Some(bytes) => key::read_u64(&bytes, Table::Meta),
        None => Ok(0),
    }
}

/// The refusal for a tenant that nobody created.
pub fn unknown_tenant() -> Refusal {
    Refusal::new(tonic::Code::PermissionDenied, "Tenant not allowed")
}

/// A number that the commands never let be negative.
fn natural(number: i32, what: &str) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| damaged(what, format!("{number} is negative")))
}
