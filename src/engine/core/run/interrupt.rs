//! Interrupts: an ExternalEvent halts the threads whose ThreadSpec wants it, and a thread under each handles it.

use std::collections::BTreeSet;

use crate::api::littlehorse as lh;
use crate::engine::core::run::Run;
use crate::engine::core::run::halt::{awaits_handler, has_ended};
use crate::engine::core::{Fault, RunRef, Tx};
use lh::ThreadType;
use lh::thread_halt_reason::Reason;

/// Lets an event that was just posted interrupt the threads that it is for; tells whether there were any. The WfRun is
/// to be advanced afterwards.
pub fn interrupt(tx: &mut Tx<'_>, run: RunRef, event: &lh::ExternalEvent) -> Result<bool, Fault> {
    let Some(record) = tx.read().wf_run(run)? else { return Ok(false) };
    let id = event.id.clone().unwrap_or_default();
    let def = id.external_event_def_id.as_ref().map(|def| def.name.as_str()).unwrap_or_default();
    let mut run = Run::new(tx, run, record);
    let listed = run.record.message.thread_runs.iter();
    let listed = listed.filter(|thread| event.thread_run_number.is_none_or(|number| number == thread.number));
    let listed: Vec<i32> = listed.map(|thread| thread.number).collect();
    let mut reacts = Vec::new();
    for number in listed {
        if run.is_over(number)? {
            continue;
        }
        let spec = run.spec_of_thread(number)?;
        let spec = &spec.message;
        let thread_spec = spec.thread_specs.get(&run.thread(number)?.thread_spec_name);
        let is_it = |interrupt: &&lh::InterruptDef| {
            interrupt.external_event_def_id.as_ref().is_some_and(|wanted| wanted.name == def)
        };
        if let Some(interrupt) = thread_spec.and_then(|spec| spec.interrupt_defs.iter().find(is_it)) {
            reacts.push((number, interrupt.handler_spec_name.clone()));
        }
    }
    for (number, handler_spec_name) in &reacts {
        run.record.message.pending_interrupts.push(lh::PendingInterrupt {
            external_event_id: Some(id.clone()),
            handler_spec_name: handler_spec_name.clone(),
            interrupted_thread_id: *number,
        });
        let pending = lh::PendingInterruptHaltReason { external_event_id: Some(id.clone()) };
        run.halt(*number, Reason::PendingInterrupt(pending))?;
    }
    if !reacts.is_empty() {
        run.finish()?;
    }
    Ok(!reacts.is_empty())
}

impl Run<'_, '_> {
    /// Starts the handlers of interrupts whose threads are halted, the newest first and one for each thread; tells
    /// whether there were any.
    pub fn start_interrupts(&mut self) -> Result<bool, Fault> {
        let mut begun = BTreeSet::new();
        for at in (0..self.record.message.pending_interrupts.len()).rev() {
            let Some(pending) = self.record.message.pending_interrupts.get(at) else { continue };
            let number = pending.interrupted_thread_id;
            let Some(thread) = self.listed(number).filter(|thread| !has_ended(thread.status())) else { continue };
            let is_interrupted = |halted: &lh::ThreadHaltReason| matches!(halted.reason, Some(Reason::Interrupted(_)));
            // Beside others only where there is room: what waits here does no harm.
            let alone = !thread.halt_reasons.iter().any(is_interrupted);
            if awaits_handler(thread, ThreadType::Interrupt) && (alone || !self.is_full()?) && begun.insert(number) {
                let pending = self.record.message.pending_interrupts.remove(at);
                self.start_interrupt(pending)?;
            }
        }
        Ok(!begun.is_empty())
    }

    fn start_interrupt(&mut self, pending: lh::PendingInterrupt) -> Result<(), Fault> {
        let number = pending.interrupted_thread_id;
        let id = pending.external_event_id.clone().unwrap_or_default();
        let event = self.tx.read().external_event_by_id(&id)?;
        let content = event.and_then(|(_, event)| event.message.content).and_then(|content| content.value);
        let by = lh::Interrupted { interrupt_thread_id: self.next_number()? };
        let halted = lh::PendingInterruptHaltReason { external_event_id: pending.external_event_id };
        let halted = Some(Reason::PendingInterrupt(halted));
        for reason in &mut self.thread_mut(number)?.halt_reasons {
            if reason.reason == halted {
                reason.reason = Some(Reason::Interrupted(by));
            }
        }
        let thread = lh::ThreadRun {
            thread_spec_name: pending.handler_spec_name,
            r#type: ThreadType::Interrupt.into(),
            interrupt_trigger_id: Some(id),
            ..Default::default()
        };
        self.start_handler(number, thread, content)?;
        Ok(())
    }
}
