//! Halting: a thread stands still while it has a reason to, and with it the threads under it.
//!
//! Reasons come from people (StopWfRun), from interrupts and failures that are being handled, and from the thread
//! above. A thread is HALTING until its node and the threads under it stand still, then HALTED; it goes on when the
//! last of its reasons is gone. A user task stays open meanwhile: what people do with it counts once the thread goes on.

use std::collections::BTreeSet;

use crate::api::littlehorse as lh;
use crate::engine::core::key::damaged;
use crate::engine::core::record::NodeRunRecord;
use crate::engine::core::run::Run;
use crate::engine::core::run::node::{self, Visit};
use crate::engine::core::{Fault, Place, user_task};
use lh::node_run::NodeType;
use lh::thread_halt_reason::Reason;
use lh::{LhStatus, ThreadType};

/// Whether a thread in this status goes on only if it is rescued, or never.
pub fn has_ended(status: LhStatus) -> bool {
    matches!(status, LhStatus::Completed | LhStatus::Error | LhStatus::Exception)
}

/// Whether a reason lets a thread under the halted one go on: those that the halt is made for. Interrupts come before
/// the handling of a failure.
fn spares(reason: &lh::ThreadHaltReason, child: &lh::ThreadRun) -> bool {
    let is_interrupt = child.r#type() == ThreadType::Interrupt;
    match reason.reason {
        Some(Reason::PendingInterrupt(_) | Reason::Interrupted(_)) => is_interrupt,
        Some(Reason::PendingFailure(_) | Reason::HandlingFailure(_)) => {
            is_interrupt || child.failure_being_handled.is_some()
        }
        Some(Reason::ParentHalted(_) | Reason::ManualHalt(_) | Reason::HaltedByParent(_)) | None => false,
    }
}

/// Whether nothing holds the thread but what is about to be handled, so that a handler of this kind may start.
pub fn awaits_handler(thread: &lh::ThreadRun, kind: ThreadType) -> bool {
    let handler = lh::ThreadRun {
        r#type: kind.into(),
        failure_being_handled: (kind == ThreadType::FailureHandler).then(Default::default),
        ..Default::default()
    };
    thread.status() == LhStatus::Halted && thread.halt_reasons.iter().all(|reason| spares(reason, &handler))
}

impl Run<'_, '_> {
    /// The status of a thread, listed or not; none when there never was one.
    pub fn status_of(&self, number: i32) -> Option<LhStatus> {
        let there_was = (0..=self.record.message.greatest_threadrun_number).contains(&number);
        let listed = self.listed(number).map(lh::ThreadRun::status);
        // Only those that are done leave the WfRun.
        listed.or_else(|| self.unlisted.get(&number).copied()).or(there_was.then_some(LhStatus::Completed))
    }

    /// Whether a thread will never go on, but for a rescue of it or of one above it.
    pub fn is_over(&self, number: i32) -> Result<bool, Fault> {
        let mut number = number;
        loop {
            let Some(thread) = self.listed(number) else {
                return Ok(self.status_of(number) != Some(LhStatus::Starting));
            };
            if has_ended(thread.status()) {
                return Ok(true);
            }
            let mut above = None;
            for halted in &thread.halt_reasons {
                match &halted.reason {
                    Some(Reason::HaltedByParent(_)) => return Ok(true),
                    // Threads above have smaller numbers, so this ends. One that is done holds nobody.
                    Some(Reason::ParentHalted(by))
                        if by.parent_thread_id < number
                            && self.status_of(by.parent_thread_id) != Some(LhStatus::Completed) =>
                    {
                        above = Some(by.parent_thread_id);
                    }
                    _ => {}
                }
            }
            match above {
                Some(above) => number = above,
                None => return Ok(false),
            }
        }
    }

    /// Halts a thread, and the threads under it for it.
    pub fn halt(&mut self, number: i32, reason: Reason) -> Result<(), Fault> {
        let mut halting = Vec::new();
        let mut next = vec![(number, lh::ThreadHaltReason { reason: Some(reason) })];
        while let Some((number, reason)) = next.pop() {
            let Some(status) = self.listed(number).map(lh::ThreadRun::status) else {
                if let Some(Reason::HaltedByParent(_)) = reason.reason {
                    self.drop_queued(number);
                }
                continue;
            };
            let thread = self.thread_mut(number)?;
            if has_ended(status) || thread.halt_reasons.contains(&reason) {
                continue;
            }
            thread.halt_reasons.push(reason.clone());
            if status != LhStatus::Halted {
                thread.status = LhStatus::Halting.into();
                self.mark_node(number, LhStatus::Halting)?;
            }
            halting.push(number);
            for child in self.dependents(number)? {
                let is_spared = self.listed(child).is_some_and(|child| spares(&reason, child));
                if !is_spared {
                    let above = lh::ParentHalted { parent_thread_id: number };
                    next.push((child, lh::ThreadHaltReason { reason: Some(Reason::ParentHalted(above)) }));
                }
            }
        }
        // The lowest first: a thread stands still when those under it do.
        for number in halting.into_iter().rev() {
            self.finish_halting(number)?;
        }
        Ok(())
    }

    /// Halts the threads under one that failed.
    pub fn halt_under(&mut self, number: i32) -> Result<(), Fault> {
        for child in self.dependents(number)? {
            self.halt(child, Reason::ParentHalted(lh::ParentHalted { parent_thread_id: number }))?;
        }
        self.close_user_tasks(number)
    }

    /// Cancels the open user tasks of a thread, and of those under it, that never go on. Nobody could complete them.
    pub fn close_user_tasks(&mut self, number: i32) -> Result<(), Fault> {
        for number in self.with_all_under(number)? {
            if self.is_over(number)? {
                let (place, node_run) = self.current_node(number)?;
                if let Some(NodeType::UserTask(_)) = node_run.message.node_type {
                    user_task::close(self.tx, self.run, place)?;
                }
            }
        }
        Ok(())
    }

    /// Opens what [`Run::close_user_tasks`] closed, where it goes on after all.
    pub fn reopen_user_tasks(&mut self, number: i32) -> Result<(), Fault> {
        for number in self.with_all_under(number)? {
            if !self.is_over(number)? {
                let (place, node_run) = self.current_node(number)?;
                if let Some(NodeType::UserTask(_)) = node_run.message.node_type {
                    user_task::reopen(self.tx, self.run, place)?;
                }
            }
        }
        Ok(())
    }

    fn with_all_under(&self, number: i32) -> Result<Vec<i32>, Fault> {
        let (mut all, mut next) = (BTreeSet::new(), vec![number]);
        while let Some(number) = next.pop() {
            if self.listed(number).is_some() && all.insert(number) {
                next.extend(self.dependents(number)?);
            }
        }
        Ok(all.into_iter().collect())
    }

    /// The threads that stand still when this one does: those started under it, and the handlers that its
    /// WAIT_FOR_THREADS node has at work for others.
    fn dependents(&self, number: i32) -> Result<Vec<i32>, Fault> {
        let mut all = self.thread(number)?.child_thread_ids.clone();
        let (_, node_run) = self.current_node(number)?;
        if let Some(NodeType::WaitForThreads(wait)) = node_run.message.node_type {
            all.extend(wait.threads.iter().filter_map(|waited| waited.failure_handler_thread_run_id));
        }
        Ok(all)
    }

    /// Lets a HALTING thread be HALTED once its node and the threads under it stand still; tells whether it is.
    pub fn finish_halting(&mut self, number: i32) -> Result<bool, Fault> {
        let thread = self.thread(number)?;
        if thread.status() != LhStatus::Halting {
            return Ok(false);
        }
        let (place, node_run) = self.current_node(number)?;
        let failed = !node_run.message.failures.is_empty();
        let spec = self.spec_of_thread(number)?;
        let spec = &spec.message;
        if !failed && !node::is_haltable(self, &Visit::new(spec, place, &node_run.message)?, &node_run.message)? {
            return Ok(false);
        }
        self.mark_node(number, LhStatus::Halted)?;
        let reasons = &self.thread(number)?.halt_reasons;
        for child in self.dependents(number)? {
            let Some(child) = self.listed(child) else { continue };
            let moves = matches!(child.status(), LhStatus::Running | LhStatus::Halting);
            if moves && !reasons.iter().all(|reason| spares(reason, child)) {
                return Ok(false);
            }
        }
        self.thread_mut(number)?.status = LhStatus::Halted.into();
        Ok(true)
    }

    /// Lets a thread go on when nothing halts it any more; tells whether anything changed.
    pub fn resolve_halt(&mut self, number: i32) -> Result<bool, Fault> {
        let reasons = self.thread(number)?.halt_reasons.clone();
        let (mut kept, mut handled) = (Vec::new(), false);
        for reason in &reasons {
            if !self.is_resolved(number, reason)? {
                kept.push(reason.clone());
            } else if let Some(Reason::HandlingFailure(_)) = reason.reason {
                handled = true;
            }
        }
        if handled {
            self.mark_handled(number)?;
        }
        if kept.is_empty() {
            self.go_on(number)?;
            return Ok(true);
        }
        let changed = kept.len() != reasons.len();
        self.thread_mut(number)?.halt_reasons = kept;
        Ok(changed)
    }

    /// Whether a reason halts its thread no more.
    pub fn is_resolved(&self, number: i32, reason: &lh::ThreadHaltReason) -> Result<bool, Fault> {
        let is_completed = |number| self.status_of(number) == Some(LhStatus::Completed);
        Ok(match &reason.reason {
            Some(Reason::ParentHalted(above)) => match self.listed(above.parent_thread_id) {
                Some(above) if matches!(above.status(), LhStatus::Halting | LhStatus::Halted) => {
                    let thread = self.thread(number)?;
                    above.halt_reasons.iter().all(|reason| spares(reason, thread))
                }
                Some(above) => !matches!(above.status(), LhStatus::Error | LhStatus::Exception),
                None => true,
            },
            Some(Reason::Interrupted(by)) => is_completed(by.interrupt_thread_id),
            Some(Reason::HandlingFailure(by)) => is_completed(by.handler_thread_id),
            Some(
                Reason::ManualHalt(_)
                | Reason::PendingInterrupt(_)
                | Reason::PendingFailure(_)
                | Reason::HaltedByParent(_),
            ) => false,
            None => true,
        })
    }

    /// Lets a halted thread run, and its node with it.
    fn go_on(&mut self, number: i32) -> Result<(), Fault> {
        let thread = self.thread_mut(number)?;
        thread.halt_reasons.clear();
        thread.status = LhStatus::Running.into();
        self.mark_node(number, LhStatus::Running)
    }

    /// Gives the current NodeRun of a thread a status, unless it failed: then it keeps that of the failure.
    fn mark_node(&mut self, number: i32, status: LhStatus) -> Result<(), Fault> {
        let (place, mut node_run) = self.current_node(number)?;
        if !node_run.message.failures.is_empty() || node_run.message.status() == status {
            return Ok(());
        }
        node_run.message.status = status.into();
        self.tx.put_node_run(self.run, place, &node_run)
    }

    /// The newest failure of a thread was handled.
    fn mark_handled(&mut self, number: i32) -> Result<(), Fault> {
        let (place, mut node_run) = self.current_node(number)?;
        if let Some(failure) = node_run.message.failures.last_mut() {
            failure.was_properly_handled = true;
        }
        self.tx.put_node_run(self.run, place, &node_run)?;
        if let Some(NodeType::WaitForThreads(wait)) = node_run.message.node_type {
            for entry in wait.threads {
                let failed = entry.thread_run_number;
                if matches!(self.status_of(failed), Some(LhStatus::Error | LhStatus::Exception)) {
                    self.count_as_handled(number, failed)?;
                }
            }
            self.abandon_handlers(number)?;
        }
        Ok(())
    }

    /// Halts the handlers for good that the WAIT_FOR_THREADS node of a thread still has at work, when the thread leaves
    /// the node: nobody would see what becomes of them.
    pub fn abandon_handlers(&mut self, number: i32) -> Result<(), Fault> {
        let (place, node_run) = self.current_node(number)?;
        let Some(NodeType::WaitForThreads(wait)) = node_run.message.node_type else { return Ok(()) };
        let reason = Reason::HaltedByParent(lh::HaltedByParentNodeHaltReason {
            parent_thread_run_number: number,
            waiting_node_run_position: place.position.cast_signed(),
        });
        for handler in wait.threads.iter().filter_map(|entry| entry.failure_handler_thread_run_id) {
            self.halt(handler, reason.clone())?;
            self.close_user_tasks(handler)?;
        }
        Ok(())
    }

    /// The newest NodeRun of a thread.
    pub fn current_node(&self, number: i32) -> Result<(Place, NodeRunRecord), Fault> {
        let place = self.current_place(number)?;
        Ok((place, self.node_run(place)?))
    }

    /// A WfRun is HALTED while a person holds its first thread; every other halt passes by itself.
    pub fn sync_status(&mut self) -> Result<(), Fault> {
        let first = self.listed(0).ok_or_else(|| damaged(format!("WfRun {}", self.run.0), "has no threads"))?;
        let is_manual = |reason: &lh::ThreadHaltReason| matches!(reason.reason, Some(Reason::ManualHalt(_)));
        let status = match first.status() {
            LhStatus::Halted if first.halt_reasons.iter().any(is_manual) => LhStatus::Halted,
            LhStatus::Starting | LhStatus::Running | LhStatus::Halting | LhStatus::Halted => LhStatus::Running,
            ended @ (LhStatus::Completed | LhStatus::Error | LhStatus::Exception) => ended,
        };
        self.record.message.status = status.into();
        Ok(())
    }
}
