//! ThreadRuns: starting, completing, failing, resuming.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::key::damaged;
use crate::engine::core::record::{NodeRunRecord, VariableRecord};
use crate::engine::core::run::failure::{Stage, Trouble, failure, status_of};
use crate::engine::core::run::halt::{awaits_handler, has_ended};
use crate::engine::core::run::node::{self, Visit};
use crate::engine::core::run::{Run, inputs};
use crate::engine::core::value::{Value, message};
use crate::engine::core::{Fault, Place, variable};
use lh::thread_halt_reason::Reason;
use lh::{LhStatus, ThreadType};

impl Run<'_, '_> {
    /// A thread that the WfRun lists, if it does.
    pub fn listed(&self, number: i32) -> Option<&lh::ThreadRun> {
        self.record.message.thread_runs.iter().find(|thread| thread.number == number)
    }

    /// A listed thread by number.
    pub fn thread(&self, number: i32) -> Result<&lh::ThreadRun, Fault> {
        self.listed(number).ok_or_else(|| self.no_thread(number))
    }

    /// A listed thread by number, to change it.
    pub fn thread_mut(&mut self, number: i32) -> Result<&mut lh::ThreadRun, Fault> {
        let missing = self.no_thread(number);
        let mut threads = self.record.message.thread_runs.iter_mut();
        threads.find(|thread| thread.number == number).ok_or(missing)
    }

    fn no_thread(&self, number: i32) -> Fault {
        damaged(format!("ThreadRun {number} of WfRun {}", self.run.0), "missing")
    }

    /// Starts a thread: its variables, then its ENTRYPOINT. `thread` says what kind it is and whose.
    pub fn start_thread(
        &mut self,
        spec: &lh::WfSpec,
        thread: lh::ThreadRun,
        given: BTreeMap<String, Option<Value>>,
    ) -> Result<(), Fault> {
        let number = thread.number;
        let no_thread = || damaged(format!("WfSpec thread {}", thread.thread_spec_name), "missing");
        let thread_spec = spec.thread_specs.get(&thread.thread_spec_name).ok_or_else(no_thread)?;
        let entrypoint = thread_spec.nodes.iter().find(|(_, node)| node::is_entrypoint(node)).map(|(name, _)| name);
        let entrypoint = entrypoint.ok_or_else(no_thread)?;
        for (declared, value) in inputs::initial(&self.tx.read(), thread_spec, given)? {
            let var = declared.var_def.clone().unwrap_or_default();
            let masked = var.type_def.is_some_and(|declared| declared.masked);
            let id = lh::VariableId { wf_run_id: Some(self.id()), thread_run_number: number, name: var.name };
            let variable = lh::Variable {
                id: Some(id),
                value: Some(message(value)),
                created_at: Some(self.tx.now()),
                wf_spec_id: thread.wf_spec_id.clone(),
                masked,
            };
            self.tx.put_variable(self.run, &VariableRecord { message: variable, facts: variable::facts(declared) })?;
        }
        let place = Place::new(number, 0).ok_or_else(|| self.no_thread(number))?;
        self.record.message.thread_runs.push(lh::ThreadRun {
            status: LhStatus::Running.into(),
            start_time: Some(self.tx.now()),
            ..thread
        });
        self.arrive(spec, place, entrypoint)
    }

    /// Creates the NodeRun at `place` and lets it arrive.
    pub fn arrive(&mut self, spec: &lh::WfSpec, place: Place, node_name: &str) -> Result<(), Fault> {
        let (number, position) = (place.thread.cast_signed(), place.position.cast_signed());
        let wf_run_id = self.id();
        let now = self.tx.now();
        let thread = self.thread_mut(number)?;
        thread.current_node_position = position;
        let mut node_run = NodeRunRecord {
            message: lh::NodeRun {
                id: Some(lh::NodeRunId { wf_run_id: Some(wf_run_id), thread_run_number: number, position }),
                wf_spec_id: thread.wf_spec_id.clone(),
                status: LhStatus::Running.into(),
                arrival_time: Some(now),
                thread_spec_name: thread.thread_spec_name.clone(),
                node_name: node_name.to_owned(),
                ..Default::default()
            },
            ..Default::default()
        };
        let visit = Visit::new(spec, place, &node_run.message)?;
        match node::arrive(self, &visit, &mut node_run) {
            Ok(()) => self.tx.put_node_run(self.run, place, &node_run),
            Err(Trouble::Failure(failure)) => self.fail_node(&visit, node_run, failure, Stage::Arriving),
            Err(Trouble::Fault(fault)) => Err(fault),
        }
    }

    /// Ends a thread whose EXIT is done.
    pub fn complete_thread(&mut self, number: i32) -> Result<(), Fault> {
        let now = self.tx.now();
        let thread = self.thread_mut(number)?;
        thread.status = LhStatus::Completed.into();
        thread.end_time = Some(now);
        self.tell_run(number, LhStatus::Completed)
    }

    /// Ends a thread that failed: those under it are halted, and whoever cannot go on without it fails too. Its end
    /// time stays unset, as LittleHorse leaves it.
    pub fn fail_thread(&mut self, number: i32, failure: lh::Failure) -> Result<(), Fault> {
        let mut failed = Some((number, failure));
        while let Some((number, failure)) = failed {
            let status = status_of(&failure.failure_name);
            let thread = self.thread_mut(number)?;
            thread.status = status.into();
            thread.error_message = Some(failure.message.clone());
            let (kind, parent) = (thread.r#type(), thread.parent_thread_id.unwrap_or_default());
            let handles = thread.failure_being_handled.is_some();
            self.tell_run(number, status)?;
            self.record.message.pending_failures.retain(|pending| pending.failed_thread_run != number);
            self.record.message.pending_interrupts.retain(|pending| pending.interrupted_thread_id != number);
            self.halt_under(number)?;
            failed = match kind {
                _ if self.status_of(parent).is_none_or(has_ended) => None,
                // The thread whose failure was being handled fails with the failure of its handler.
                ThreadType::FailureHandler if handles => Some((parent, failure)),
                ThreadType::Interrupt => {
                    let message = format!("Interrupt thread with id {number} failed!");
                    let failure = lh::Failure { message, failure_handler_threadrun_id: None, ..failure };
                    let (place, mut node_run) = self.current_node(parent)?;
                    node_run.message.status = status.into();
                    node_run.message.failures.push(failure.clone());
                    self.tx.put_node_run(self.run, place, &node_run)?;
                    Some((parent, failure))
                }
                _ => None,
            };
        }
        Ok(())
    }

    /// The WfRun ends as its first thread ends.
    fn tell_run(&mut self, number: i32, status: LhStatus) -> Result<(), Fault> {
        if number == 0 {
            self.record.message.status = status.into();
            self.record.message.end_time = Some(self.tx.now());
            self.arm_retention()?;
        }
        Ok(())
    }

    /// Starts the handlers of failures whose threads are halted; tells whether there were any.
    pub fn start_failure_handlers(&mut self) -> Result<bool, Fault> {
        let pending = std::mem::take(&mut self.record.message.pending_failures);
        let is_ready = |pending: &lh::PendingFailureHandler| {
            let thread = self.listed(pending.failed_thread_run);
            thread.is_some_and(|thread| awaits_handler(thread, ThreadType::FailureHandler))
        };
        let (ready, waiting): (Vec<_>, Vec<_>) = pending.into_iter().partition(is_ready);
        self.record.message.pending_failures = waiting;
        let changed = !ready.is_empty();
        for handler in ready {
            self.start_failure_handler(handler.failed_thread_run, handler.handler_spec_name)?;
        }
        Ok(changed)
    }

    fn start_failure_handler(&mut self, failed: i32, handler_spec: String) -> Result<(), Fault> {
        let place = self.current_place(failed)?;
        let mut node_run = self.node_run(place)?;
        let spec = self.spec_of_thread(failed)?;
        let spec = &spec.message;
        if !spec.thread_specs.contains_key(&handler_spec) {
            let visit = Visit::new(spec, place, &node_run.message)?;
            let missing =
                failure("INTERNAL_ERROR", &format!("There is no ThreadSpec {handler_spec} to handle the failure"));
            return self.fail_node(&visit, node_run, missing, Stage::Unhandled);
        }
        let number = self.next_number()?;
        let failures = &mut node_run.message.failures;
        let failure_number = failures.len().saturating_sub(1);
        let mut content = None;
        if let Some(failure) = failures.last_mut() {
            failure.failure_handler_threadrun_id = Some(number);
            content = failure.content.as_ref().and_then(|content| content.value.clone());
        }
        node_run.message.failure_handler_ids.push(number);
        self.tx.put_node_run(self.run, place, &node_run)?;
        let handling = Reason::HandlingFailure(lh::HandlingFailureHaltReason { handler_thread_id: number });
        for halted in &mut self.thread_mut(failed)?.halt_reasons {
            if let Some(Reason::PendingFailure(_)) = halted.reason {
                halted.reason = Some(handling.clone());
            }
        }
        let handled = lh::FailureBeingHandled {
            thread_run_number: failed,
            node_run_position: place.position.cast_signed(),
            failure_number: i32::try_from(failure_number).unwrap_or(i32::MAX),
        };
        let thread = lh::ThreadRun {
            thread_spec_name: handler_spec,
            r#type: ThreadType::FailureHandler.into(),
            failure_being_handled: Some(handled),
            ..Default::default()
        };
        self.start_handler(failed, thread, content)?;
        Ok(())
    }

    /// Starts a handler under a thread, with what it handles as its input. Which ThreadSpec it runs, and of what kind it
    /// is, `thread` says.
    pub fn start_handler(&mut self, under: i32, thread: lh::ThreadRun, input: Option<Value>) -> Result<i32, Fault> {
        self.start_under(under, thread, BTreeMap::from([(inputs::INPUT.to_owned(), input)]))
    }

    /// Starts a thread under another and gives its number.
    pub fn start_under(
        &mut self,
        under: i32,
        thread: lh::ThreadRun,
        given: BTreeMap<String, Option<Value>>,
    ) -> Result<i32, Fault> {
        let number = self.next_number()?;
        self.record.message.greatest_threadrun_number = number;
        let spec = self.spec_of_thread(under)?;
        let spec = &spec.message;
        let parent = self.thread_mut(under)?;
        parent.child_thread_ids.push(number);
        let wf_spec_id = parent.wf_spec_id.clone();
        let thread = lh::ThreadRun { wf_spec_id, number, parent_thread_id: Some(under), ..thread };
        if thread.r#type() == ThreadType::Child && self.is_full()? {
            self.enqueue(thread, given)?;
        } else {
            self.start_thread(spec, thread, given)?;
        }
        Ok(number)
    }

    /// The number of the next thread.
    pub fn next_number(&self) -> Result<i32, Fault> {
        let number = self.record.message.greatest_threadrun_number.checked_add(1);
        number.ok_or_else(|| Fault::Storage("there are no more thread numbers".to_owned()))
    }

    /// Whether a thread is another, or above it.
    pub fn is_at_or_above(&self, above: i32, number: i32) -> bool {
        // A parent has a smaller number, so this ends.
        let up = |number: &i32| {
            let parent = self.listed(*number).and_then(|thread| thread.parent_thread_id);
            parent.filter(|parent| parent < number)
        };
        std::iter::successors(Some(number), up).any(|number| number == above)
    }

    /// The failure that a thread ended with.
    pub fn newest_failure(&self, number: i32) -> Result<lh::Failure, Fault> {
        let (_, node_run) = self.current_node(number)?;
        let text = || self.listed(number).and_then(|thread| thread.error_message.clone()).unwrap_or_default();
        Ok(node_run.message.failures.last().cloned().unwrap_or_else(|| failure("INTERNAL_ERROR", &text())))
    }

    /// Remembers that the failure of a thread under this one, or waited for by it, is no matter any more.
    pub fn count_as_handled(&mut self, number: i32, failed: i32) -> Result<(), Fault> {
        let handled = &mut self.thread_mut(number)?.handled_failed_children;
        if !handled.contains(&failed) {
            handled.push(failed);
        }
        Ok(())
    }
}
