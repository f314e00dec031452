//! RescueThreadRun: a thread that ended with an error goes on, and with it those that ended because it did.

use crate::api::littlehorse as lh;
use crate::engine::core::run::failure::Trouble;
use crate::engine::core::run::node::Visit;
use crate::engine::core::run::{Run, delete};
use crate::engine::core::{Fault, Place, Refusal, RunRef, Tx, id};
use lh::node_run::NodeType;
use lh::thread_halt_reason::Reason;
use lh::{LhStatus, ThreadType};

/// RescueThreadRun: the thread visits its node once more, or goes on with the next one.
pub fn rescue(tx: &mut Tx<'_>, request: lh::RescueThreadRunRequest) -> Result<lh::WfRun, Refusal> {
    let (run_id, number) = (request.wf_run_id.unwrap_or_default(), request.thread_run_number);
    let found = tx.read().wf_run_by_id(&run_id)?;
    let (at, record) =
        found.ok_or_else(|| Refusal::not_found(format!("Couldn't find WfRun {}", id::wf_run_text(&run_id))))?;
    let mut run = Run::new(tx, at, record);
    run.check_rescue(number)?;
    let waiting = match run.waiting_parent(number)? {
        Some((parent, place)) => Some(check_parent_run(run.tx, parent, place)?),
        None => None,
    };
    run.rescue_thread(number, request.skip_current_node)?;
    run.advance()?;
    run.finish()?;
    if let Some((parent, number)) = waiting.flatten() {
        let mut parent = Run::load(tx, parent)?;
        parent.rescue_thread(number, false)?;
        parent.advance()?;
        parent.finish()?;
    }
    Ok(Run::load(tx, at)?.record.message)
}

/// The thread of another WfRun that fails because this one did, if it does; refused where its failure was handled.
fn check_parent_run(tx: &mut Tx<'_>, run: RunRef, place: Place) -> Result<Option<(RunRef, i32)>, Refusal> {
    let Some(node_run) = tx.read().node_run(run, place)? else { return Ok(None) };
    let Some(record) = tx.read().wf_run(run)? else { return Ok(None) };
    let number = place.thread.cast_signed();
    let parent = Run::new(tx, run, record);
    let thread = parent.listed(number);
    let is_there = thread.is_some_and(|thread| thread.current_node_position == place.position.cast_signed());
    let Some(failure) = node_run.message.failures.last() else { return Ok(None) };
    if failure.was_properly_handled || !is_there {
        return Err(Refusal::precondition("Parent WfRun has already handled the child failure"));
    }
    let waits = thread.is_some_and(|thread| thread.status() == LhStatus::Error);
    Ok((waits && failure.failure_name == "CHILD_FAILURE").then_some((run, number)))
}

impl Run<'_, '_> {
    fn check_rescue(&self, number: i32) -> Result<(), Refusal> {
        if !(0..=self.record.message.greatest_threadrun_number).contains(&number) {
            return Err(Refusal::invalid("Tried to rescue a non-existent thread id."));
        }
        let status = self.status_of(number).unwrap_or_default();
        let Some(thread) = self.listed(number) else {
            return Err(match status {
                LhStatus::Completed => Refusal::precondition("Specified ThreadRun has been garbage-collected."),
                other => not_failed(other),
            });
        };
        if status != LhStatus::Error {
            return Err(not_failed(status));
        }
        if thread.r#type() == ThreadType::FailureHandler && thread.failure_being_handled.is_none() {
            let failed = thread.parent_thread_id.unwrap_or_default();
            let text = format!("Could not rescue threadRun: it handles the failure of threadRun {failed}; rescue that");
            return Err(Refusal::precondition(text));
        }
        let mut child = thread;
        while let Some(parent) = child.parent_thread_id.and_then(|parent| self.listed(parent)) {
            if parent.handled_failed_children.contains(&child.number) {
                return Err(Refusal::precondition("Parent of specified ThreadRun has already handled the failure"));
            }
            child = parent;
        }
        Ok(())
    }

    /// Where another WfRun waits for this one, when rescuing this thread lets this WfRun run again.
    fn waiting_parent(&self, number: i32) -> Result<Option<(RunRef, Place)>, Fault> {
        if self.record.message.status() == LhStatus::Running || !self.is_at_or_above(0, number) {
            return Ok(None);
        }
        let waiting = self.record.message.parent_trigger.as_ref().and_then(|trigger| trigger.waiting_node_run.as_ref());
        let Some(waiting) = waiting else { return Ok(None) };
        let place = Place::new(waiting.thread_run_number, waiting.position);
        let run = self.tx.read().run_ref(&waiting.wf_run_id.clone().unwrap_or_default())?;
        Ok(run.zip(place))
    }

    /// Lets a thread go on that ended with an error, and those that ended because of it.
    fn rescue_thread(&mut self, number: i32, skip: bool) -> Result<(), Refusal> {
        self.revive(number, skip)?;
        let mut number = number;
        while let Some(parent) = self.thread(number)?.parent_thread_id {
            let thread = self.thread(number)?;
            let was_told = match thread.r#type() {
                ThreadType::Interrupt => true,
                ThreadType::FailureHandler => thread.failure_being_handled.is_some(),
                ThreadType::Child | ThreadType::Entrypoint => false,
            };
            if self.status_of(parent) != Some(LhStatus::Error) {
                break;
            }
            if was_told {
                self.take_back(parent, number)?;
            } else if self.failed_for_children(parent)? {
                self.revive(parent, false)?;
            } else {
                break;
            }
            number = parent;
        }
        // One that is under a thread that stands still or has failed for another reason waits for that.
        if let Some(parent) = self.thread(number)?.parent_thread_id {
            let above = lh::ParentHalted { parent_thread_id: parent };
            let reason = lh::ThreadHaltReason { reason: Some(Reason::ParentHalted(above)) };
            if !self.is_resolved(number, &reason)? {
                self.halt(number, Reason::ParentHalted(above))?;
                self.close_user_tasks(number)?;
            }
        }
        self.reopen_user_tasks(number)?;
        Ok(())
    }

    /// Whether a thread ended because threads that it waited for did.
    fn failed_for_children(&self, number: i32) -> Result<bool, Fault> {
        let (_, node_run) = self.current_node(number)?;
        let waited = matches!(node_run.message.node_type, Some(NodeType::WaitForThreads(_) | NodeType::Exit(_)));
        let failure = node_run.message.failures.last();
        Ok(waited && failure.is_some_and(|failure| failure.failure_name == "CHILD_FAILURE"))
    }

    /// Lets a thread visit its node again, or the next one.
    fn revive(&mut self, number: i32, skip: bool) -> Result<(), Refusal> {
        self.abandon_handlers(number)?;
        let (place, node_run) = self.current_node(number)?;
        let spec = self.spec_of_thread(number)?;
        let spec = &spec.message;
        let visit = Visit::new(spec, place, &node_run.message)?;
        self.thread_mut(number)?.halt_reasons.clear();
        self.live_again(number, LhStatus::Running)?;
        let next = match skip {
            false => visit.node_name.to_owned(),
            true => match self.choose_edge(&visit, false) {
                Ok(sink) => sink,
                Err(Trouble::Failure(failure)) => return Err(not_rescued(&failure)),
                Err(Trouble::Fault(fault)) => return Err(fault.into()),
            },
        };
        self.activate(spec, &visit, &next)?;
        match self.current_node(number)?.1.message.failures.last() {
            Some(failure) => Err(not_rescued(failure)),
            None => Ok(()),
        }
    }

    /// Lets a thread be halted again that ended because one that handles something for it did.
    fn take_back(&mut self, number: i32, handler: i32) -> Result<(), Fault> {
        if self.thread(handler)?.r#type() == ThreadType::Interrupt {
            let (place, mut node_run) = self.current_node(number)?;
            node_run.message.failures.pop();
            if node_run.message.failures.is_empty() {
                node_run.message.status = LhStatus::Halted.into();
            }
            self.tx.put_node_run(self.run, place, &node_run)?;
        }
        self.live_again(number, LhStatus::Halted)
    }

    fn live_again(&mut self, number: i32, status: LhStatus) -> Result<(), Fault> {
        let thread = self.thread_mut(number)?;
        thread.status = status.into();
        thread.end_time = None;
        thread.error_message = None;
        if number == 0 {
            self.record.message.end_time = None;
            delete::keep(&mut self.record);
        }
        Ok(())
    }
}

fn not_failed(status: LhStatus) -> Refusal {
    Refusal::precondition(format!("Specified ThreadRun has status {}, not ERROR", status.as_str_name()))
}

fn not_rescued(failure: &lh::Failure) -> Refusal {
    Refusal::precondition(format!("Could not rescue threadRun: {}", failure.message))
}
