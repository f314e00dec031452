//! What a thread sees: its own variables, those of the threads above it, inherited ones of the parent WfRun, and the
//! outputs of its nodes.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::value::{EvalError, Scope, StructDefs, Value, Wrong};
use crate::engine::core::{Fault, Reader, RunRef, Tx};
use lh::WfRunVariableAccessLevel;

/// How many WfRuns upwards an inherited variable is looked for.
const MAX_PARENTS: usize = 100;

/// A Variable: its WfRun, its thread, its name.
pub type VariableKey = (RunRef, u32, String);

/// A variable that a thread can see.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The Variable behind the name.
    pub key: VariableKey,
    /// The thread of this WfRun whose spec declares it.
    pub declared_by: i32,
    /// Its value now.
    pub value: Option<Value>,
}

/// What a thread sees, with values on top that are not stored yet.
pub struct ThreadScope<'a> {
    reader: Reader<'a>,
    run: RunRef,
    wf_run: &'a lh::WfRun,
    thread: i32,
    /// Values that later mutations of the same edge see already.
    pub written: BTreeMap<VariableKey, Option<Value>>,
}

impl<'a> ThreadScope<'a> {
    /// The view of one thread of a WfRun.
    pub fn new(tx: &'a Tx<'_>, run: RunRef, wf_run: &'a lh::WfRun, thread: i32) -> Self {
        Self { reader: tx.read(), run, wf_run, thread, written: BTreeMap::new() }
    }

    /// The variable of this name that the thread sees: the nearest upwards.
    pub fn find(&self, name: &str) -> Result<Option<Seen>, Fault> {
        for thread in self.upwards() {
            if let Some((key, value)) = self.stored(self.run, thread.number, name)? {
                return Ok(Some(Seen { key, declared_by: thread.number, value }));
            }
        }
        self.inherited(name)
    }

    /// The thread and those above it.
    fn upwards(&self) -> impl Iterator<Item = &'a lh::ThreadRun> {
        let find = |number: i32| self.wf_run.thread_runs.iter().find(move |thread| thread.number == number);
        // A parent has a smaller number, so this ends.
        std::iter::successors(find(self.thread), move |thread| {
            thread.parent_thread_id.filter(|parent| *parent < thread.number).and_then(find)
        })
    }

    fn stored(&self, run: RunRef, thread: i32, name: &str) -> Result<Option<(VariableKey, Option<Value>)>, Fault> {
        let Ok(thread) = u32::try_from(thread) else { return Ok(None) };
        let key = (run, thread, name.to_owned());
        if let Some(value) = self.written.get(&key) {
            return Ok(Some((key, value.clone())));
        }
        let stored = self.reader.variable(run, thread, name)?;
        Ok(stored.map(|stored| (key, stored.message.value.and_then(|value| value.value))))
    }

    /// A variable that some thread upwards declares as inherited: it lives in a WfRun above.
    fn inherited(&self, name: &str) -> Result<Option<Seen>, Fault> {
        let Some(mut parent) = self.wf_run.id.as_ref().and_then(|id| id.parent_wf_run_id.as_deref()) else {
            return Ok(None);
        };
        let mut declared_by = None;
        for thread in self.upwards() {
            let spec = self.reader.wf_spec(&thread.wf_spec_id.clone().unwrap_or_default())?;
            let specs = spec.as_ref().map(|spec| &spec.message.thread_specs);
            let spec = specs.and_then(|specs| specs.get(&thread.thread_spec_name));
            let is_it = |definition: &lh::ThreadVarDef| {
                definition.access_level() == WfRunVariableAccessLevel::InheritedVar
                    && definition.var_def.as_ref().is_some_and(|variable| variable.name == name)
            };
            if spec.is_some_and(|spec| spec.variable_defs.iter().any(is_it)) {
                declared_by = Some(thread.number);
                break;
            }
        }
        let Some(declared_by) = declared_by else { return Ok(None) };
        for _ in 0..MAX_PARENTS {
            let Some(run) = self.reader.run_ref(parent)? else { return Ok(None) };
            if let Some((key, value)) = self.stored(run, 0, name)? {
                return Ok(Some(Seen { key, declared_by, value }));
            }
            match parent.parent_wf_run_id.as_deref() {
                Some(next) => parent = next,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The name of the ThreadSpec of a thread.
    pub fn spec_name(&self, number: i32) -> &'a str {
        let thread = self.wf_run.thread_runs.iter().find(|thread| thread.number == number);
        thread.map(|thread| thread.thread_spec_name.as_str()).unwrap_or_default()
    }

    /// The error for a variable that the thread cannot see.
    pub fn out_of_scope(&self, name: &str) -> Wrong {
        let (number, spec) = (self.thread, self.spec_name(self.thread));
        Wrong::new(format!("Variable {name} is out of scope for threadRun {number} of spec {spec}. Invalid WfSpec!"))
    }
}

impl StructDefs for ThreadScope<'_> {
    fn fields(&self, id: &lh::StructDefId) -> Result<Option<lh::InlineStructDef>, Fault> {
        self.reader.fields(id)
    }

    fn version(&self, id: &lh::StructDefId) -> Result<Option<lh::StructDefId>, Fault> {
        self.reader.version(id)
    }
}

impl Scope for ThreadScope<'_> {
    fn variable(&self, name: &str) -> Result<Option<Value>, EvalError> {
        match self.find(name)? {
            Some(seen) => Ok(seen.value),
            None => Err(self.out_of_scope(name).into()),
        }
    }

    fn node_output(&self, node: &str) -> Result<Option<Value>, EvalError> {
        let stored = match u32::try_from(self.thread) {
            Ok(thread) => self.reader.node_output(self.run, thread, node)?,
            Err(_) => None,
        };
        match stored {
            Some(output) => Ok(output.message.value.and_then(|value| value.value)),
            None => Err(Wrong::new(format!("Specified node {node} has no output.")).into()),
        }
    }
}
