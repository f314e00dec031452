//! The write side of the typed layer: objects put here keep their indexes, counters and dictionary in the same writes.

mod objects;

pub(super) use objects::natural;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use prost::Message;
use prost_types::Timestamp;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::command::{Actor, Channel, Context, Proof, Refusal};
use crate::engine::core::definition::principal;
use crate::engine::core::derive::{self, Derived, Derives};
use crate::engine::core::key::{self, ObjKey, RunRef, Word, damaged};
use crate::engine::core::metric::Sample;
use crate::engine::core::read::{DEFAULT_TENANT, Reader};
use crate::engine::core::record::Record;
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

/// How often one command goes through the threads of WfRuns, before it leaves those that woke to others.
const MAX_ITERATIONS: u32 = 4096;

/// WfRuns that one command starts at most by nodes of WfRuns that were there before.
const MAX_CHILDREN: u32 = 512;
/// WfRuns that one command starts at most by nodes of WfRuns that it started itself in this way.
const MAX_NESTED_CHILDREN: u32 = 64;

impl Effects {
    /// Joins those of a later command.
    pub fn add(&mut self, later: Effects) {
        self.changed.extend(later.changed);
        self.scheduled.extend(later.scheduled);
        self.thrown.extend(later.thrown);
        self.notes.extend(later.notes);
    }
}

/// One command's work on the state. Nothing is stored until its writes are; dropping it undoes everything.
pub struct Tx<'a> {
    overlay: Overlay<'a>,
    context: &'a Context,
    tenant: u32,
    guids: u64,
    woken: VecDeque<RunRef>,
    iterations: BTreeMap<RunRef, u32>,
    /// WfRuns that nodes started in this command.
    children: BTreeSet<RunRef>,
    own_children: u32,
    nested_children: u32,
    queue_turn: Option<u64>,
    effects: Effects,
    measured: Vec<Sample>,
    /// What follows from the objects that this command stored, or read in order to change them: storing one needs no
    /// other look at it.
    derived: BTreeMap<ObjKey, Derived>,
    /// WfRuns that this command created: nothing of them was stored before.
    created: BTreeSet<RunRef>,
}

/// What a command tells beside its reply, once it is durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// The UserTaskRuns it touched, in the order of their first touch.
    pub changed: Vec<lh::UserTaskRunId>,
    /// Queues in which it put a task: tenant and name of the TaskDef.
    pub scheduled: Vec<(String, String)>,
    /// WorkflowEvents that it threw, with their tenants.
    pub thrown: Vec<(String, lh::WorkflowEventId)>,
    /// For the log: what went wrong without anybody to answer.
    pub notes: Vec<String>,
}

impl<'a> Tx<'a> {
    /// Nothing written yet, for no tenant.
    pub(super) fn bare(state: &'a dyn State, context: &'a Context) -> Self {
        Self {
            overlay: Overlay::new(state),
            context,
            tenant: 0,
            guids: 0,
            woken: VecDeque::new(),
            iterations: BTreeMap::new(),
            children: BTreeSet::new(),
            own_children: 0,
            nested_children: 0,
            queue_turn: None,
            effects: Effects::default(),
            measured: Vec::new(),
            derived: BTreeMap::new(),
            created: BTreeSet::new(),
        }
    }

    /// Begins a command. An unknown tenant is refused; the default one comes into being with its first command.
    pub fn new(state: &'a dyn State, context: &'a Context) -> Result<Self, Refusal> {
        let mut tx = Self::bare(state, context);
        tx.tenant = match Reader::new(state, &context.tenant)?.tenant {
            Some(number) => number,
            None if context.tenant == DEFAULT_TENANT => {
                principal::found(&mut tx)?;
                tx.create_tenant(lh::Tenant {
                    id: Some(lh::TenantId { id: DEFAULT_TENANT.to_owned() }),
                    created_at: Some(tx.now()),
                    ..Default::default()
                })?
            }
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

    /// The number of the tenant.
    pub fn tenant(&self) -> u32 {
        self.tenant
    }

    /// The writes of the command, and what it tells.
    pub fn finish(self) -> (WriteSet, Effects) {
        (self.overlay.into_writes(), self.effects)
    }

    /// Keeps a change of a status, to be counted when the command ends.
    pub fn measured(&mut self, sample: Sample) {
        self.measured.push(sample);
    }

    /// What is to be counted.
    pub fn take_measured(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.measured)
    }

    /// The number of a text of this tenant; a new text gets a new one.
    pub fn intern(&mut self, word: Word, text: &str) -> Result<u32, Fault> {
        self.intern_for(self.tenant, word, text)
    }

    /// The number of a text of another tenant; 0 for texts of the whole store.
    pub fn intern_for(&mut self, tenant: u32, word: Word, text: &str) -> Result<u32, Fault> {
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
    pub fn next_ordinal(&mut self, time: Option<&Timestamp>) -> Result<u64, Fault> {
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

    /// Stores an object, and with it the rows that follow from it instead of those that followed before.
    pub fn store<M, F>(&mut self, key: ObjKey, record: &Record<M, F>) -> Result<(), Fault>
    where
        M: Message + Default,
        F: Message + Default,
        Record<M, F>: Derives,
    {
        if record.derives() {
            let old = match self.derived.remove(&key) {
                Some(derived) => derived,
                None if self.created.contains(&RunRef(key.scope)) => Derived::default(),
                None => match self.overlay.get(Table::Obj, &key.bytes())? {
                    Some(bytes) => self.derive(key, &Record::<M, F>::decode(key, &bytes)?)?,
                    None => Derived::default(),
                },
            };
            let new = self.derive(key, record)?;
            self.replace(old, &new)?;
            self.derived.insert(key, new);
        }
        self.overlay.put(Table::Obj, key.bytes(), record.encode(key));
        Ok(())
    }

    /// Reads an object that this command is going to change: what follows from it now is remembered, so that storing it
    /// needs no second look at it.
    pub fn object_to_change<M, F>(&mut self, key: ObjKey) -> Result<Option<Record<M, F>>, Fault>
    where
        M: Message + Default,
        F: Message + Default,
        Record<M, F>: Derives,
    {
        let found: Option<Record<M, F>> = self.read().object(key)?;
        if let Some(record) = &found
            && record.derives()
            && !self.derived.contains_key(&key)
        {
            let derived = self.derive(key, record)?;
            self.derived.insert(key, derived);
        }
        Ok(found)
    }

    /// Removes an object of any kind, and the rows that followed from it. One that is not there is fine.
    pub fn erase(&mut self, key: ObjKey) -> Result<(), Fault> {
        let Some(bytes) = self.overlay.get(Table::Obj, &key.bytes())? else { return Ok(()) };
        let tenant = self.tenant_of(key);
        let old = derive::of(key, &bytes, tenant, &mut |word, text| self.intern_for(tenant, word, text))?;
        self.replace(old, &Derived::default())?;
        self.derived.remove(&key);
        self.overlay.remove(Table::Obj, key.bytes());
        Ok(())
    }

    /// Writes the rows that follow from a stored object, where none of them is.
    pub(super) fn derive_again(&mut self, key: ObjKey, bytes: &[u8], tenant: u32) -> Result<(), Fault> {
        let rows = derive::of(key, bytes, tenant, &mut |word, text| self.intern_for(tenant, word, text))?;
        self.replace(Derived::default(), &rows)
    }

    /// The rows below the objects, for upkeep alone: a command stores objects.
    pub(super) fn overlay(&mut self) -> &mut Overlay<'a> {
        &mut self.overlay
    }

    /// Definitions of the whole store lie under scope 0, everything else belongs to the tenant of the command.
    fn tenant_of(&self, key: ObjKey) -> u32 {
        if key.scope == 0 { 0 } else { self.tenant }
    }

    fn derive<R: Derives>(&mut self, key: ObjKey, record: &R) -> Result<Derived, Fault> {
        let tenant = self.tenant_of(key);
        record.derive(key, tenant, &mut |word, text| self.intern_for(tenant, word, text))
    }

    /// Replaces rows, and counts those that are counted.
    fn replace(&mut self, old: Derived, new: &Derived) -> Result<(), Fault> {
        let mut counts: BTreeMap<[u8; 6], i64> = BTreeMap::new();
        for (key, times) in &new.counts {
            *counts.entry(*key).or_default() += i64::try_from(*times).unwrap_or(i64::MAX);
        }
        for (key, times) in old.counts {
            *counts.entry(key).or_default() -= i64::try_from(times).unwrap_or(i64::MAX);
        }
        let mut old_rows = old.rows;
        for (row, value) in &new.rows {
            let (index, attribute, status, ordinal) = *row;
            match old_rows.remove(row) {
                Some(same) if same == *value => continue,
                Some(_) => {}
                None => *counts.entry(key::count(index, attribute, status)).or_default() += 1,
            }
            self.overlay.put(Table::Idx, key::idx(index, attribute, status, ordinal), value.as_slice());
        }
        for ((index, attribute, status, ordinal), _) in old_rows {
            self.overlay.remove(Table::Idx, key::idx(index, attribute, status, ordinal));
            *counts.entry(key::count(index, attribute, status)).or_default() -= 1;
        }
        for (key, change) in counts {
            self.change_count(key, change)?;
        }
        self.replace_rows(Table::KeyIdx, old.keys, &new.keys, Vec::clone);
        self.replace_rows(Table::Ids, old.ids, &new.ids, |at| at.to_be_bytes().to_vec());
        self.replace_rows(Table::Timer, old.timers, &new.timers, |tenant| tenant.to_be_bytes().to_vec());
        Ok(())
    }

    fn replace_rows<V: PartialEq>(
        &mut self,
        table: Table,
        old: BTreeMap<Vec<u8>, V>,
        new: &BTreeMap<Vec<u8>, V>,
        bytes: impl Fn(&V) -> Vec<u8>,
    ) {
        for (key, value) in new {
            if old.get(key) != Some(value) {
                self.overlay.put(table, key.as_slice(), bytes(value));
            }
        }
        for key in old.into_keys().filter(|key| !new.contains_key(key)) {
            self.overlay.remove(table, key);
        }
    }

    fn change_count(&mut self, key: [u8; 6], change: i64) -> Result<(), Fault> {
        if change == 0 {
            return Ok(());
        }
        let before = match self.overlay.get(Table::Count, &key)? {
            Some(bytes) => key::read_u64(&bytes, Table::Count)?,
            None => 0,
        };
        match before.checked_add_signed(change) {
            Some(0) => self.overlay.remove(Table::Count, key),
            Some(after) => self.overlay.put(Table::Count, key, after.to_be_bytes()),
            None => return Err(damaged("Count row", "smaller than the rows it counts")),
        }
        Ok(())
    }

    /// Removes a timer that its owner does not ask for any more or never did.
    pub(super) fn drop_timer(&mut self, key: &[u8]) {
        self.overlay.remove(Table::Timer, key);
    }

    /// Lets a WfRun be advanced before the command ends: something that it waits for may have happened.
    pub fn wake(&mut self, run: RunRef) {
        if !self.woken.contains(&run) {
            self.woken.push_back(run);
        }
    }

    /// The next WfRun to be advanced.
    pub fn next_woken(&mut self) -> Option<RunRef> {
        self.woken.pop_front()
    }

    /// How often the threads of a WfRun were gone through in this command.
    pub fn iterations(&mut self, run: RunRef) -> &mut u32 {
        self.iterations.entry(run).or_default()
    }

    /// The earliest time for what another command is to go on with: after this one, so that its timer is a new one.
    pub fn soon(&self) -> i64 {
        self.context.now.saturating_add(1)
    }

    /// Whether the command has gone through the threads of WfRuns so often that the next one must wait.
    pub fn is_exhausted(&self) -> bool {
        self.iterations.values().sum::<u32>() > MAX_ITERATIONS
    }

    /// Whether a WfRun may start one more in this command. Those that were themselves started so in this command have
    /// one small count together: it ends workflows that start themselves.
    pub fn may_start_child(&mut self, run: RunRef) -> bool {
        let nested = self.children.contains(&run);
        let (count, most) = match nested {
            true => (&mut self.nested_children, MAX_NESTED_CHILDREN),
            false => (&mut self.own_children, MAX_CHILDREN),
        };
        *count += 1;
        *count <= most
    }

    /// Remembers that a node started this WfRun.
    pub fn child_started(&mut self, run: RunRef) {
        self.children.insert(run);
    }

    /// Something for the log: what happened that nobody is answered with.
    pub fn note(&mut self, text: impl Into<String>) {
        self.effects.notes.push(text.into());
    }

    /// Tells, once the command is durable, that something about a UserTaskRun changed.
    pub(super) fn touch(&mut self, id: lh::UserTaskRunId) {
        if !self.effects.changed.contains(&id) {
            self.effects.changed.push(id);
        }
    }

    /// The place in queues of what this command puts there: behind all earlier commands.
    pub fn queue_turn(&mut self) -> Result<u64, Fault> {
        if let Some(turn) = self.queue_turn {
            return Ok(turn);
        }
        let turn = self.next_ordinal(None)?;
        self.queue_turn = Some(turn);
        Ok(turn)
    }

    /// Tells, once the command is durable, that a task waits in the queue of a TaskDef.
    pub fn announce_task(&mut self, task_def: &str) {
        let queue = (self.context.tenant.clone(), task_def.to_owned());
        if !self.effects.scheduled.contains(&queue) {
            self.effects.scheduled.push(queue);
        }
    }

    /// Tells, once the command is durable, that a workflow event was thrown.
    pub fn announce_event(&mut self, id: lh::WorkflowEventId) {
        self.effects.thrown.push((self.context.tenant.clone(), id));
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
