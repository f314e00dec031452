//! What a thread sees: its own variables, those of the threads above it, and the outputs of its nodes.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::value::{EvalError, Scope, Value, Wrong};
use crate::engine::core::{Fault, Reader, RunRef, Tx};

/// What a thread sees, with values on top that are not stored yet.
pub struct ThreadScope<'a> {
    reader: Reader<'a>,
    run: RunRef,
    threads: &'a [lh::ThreadRun],
    thread: i32,
    /// Values by thread and name that later mutations of the same edge see already.
    pub written: BTreeMap<(i32, String), Option<Value>>,
}

impl<'a> ThreadScope<'a> {
    /// The view of one thread of a WfRun.
    pub fn new(tx: &'a Tx<'_>, run: RunRef, threads: &'a [lh::ThreadRun], thread: i32) -> Self {
        Self { reader: tx.read(), run, threads, thread, written: BTreeMap::new() }
    }

    /// The thread that owns a variable, the nearest upwards, and the value.
    pub fn find(&self, name: &str) -> Result<Option<(i32, Option<Value>)>, Fault> {
        let mut at = Some(self.thread);
        while let Some(number) = at {
            if let Some(value) = self.written.get(&(number, name.to_owned())) {
                return Ok(Some((number, value.clone())));
            }
            let stored = match u32::try_from(number) {
                Ok(number) => self.reader.variable(self.run, number, name)?,
                Err(_) => None,
            };
            if let Some(stored) = stored {
                return Ok(Some((number, stored.message.value.and_then(|value| value.value))));
            }
            // A parent has a smaller number, so this ends.
            let thread = self.threads.iter().find(|thread| thread.number == number);
            at = thread.and_then(|thread| thread.parent_thread_id).filter(|parent| *parent < number);
        }
        Ok(None)
    }

    /// The name of the ThreadSpec of a thread.
    pub fn spec_name(&self, number: i32) -> &'a str {
        let thread = self.threads.iter().find(|thread| thread.number == number);
        thread.map(|thread| thread.thread_spec_name.as_str()).unwrap_or_default()
    }

    /// The error for a variable that the thread cannot see.
    pub fn out_of_scope(&self, name: &str) -> Wrong {
        let (number, spec) = (self.thread, self.spec_name(self.thread));
        Wrong::new(format!("Variable {name} is out of scope for threadRun {number} of spec {spec}. Invalid WfSpec!"))
    }
}

impl Scope for ThreadScope<'_> {
    fn variable(&self, name: &str) -> Result<Option<Value>, EvalError> {
        match self.find(name)? {
            Some((_, value)) => Ok(value),
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
