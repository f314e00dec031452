//! Moving threads to another version of their WfSpec, as a migration plan says.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::littlehorse as lh;
use crate::engine::core::key::Word;
use crate::engine::core::migration;
use crate::engine::core::record::{NodeRunRecord, VariableRecord};
use crate::engine::core::run::failure::{Stage, Trouble, failure};
use crate::engine::core::run::node::Visit;
use crate::engine::core::run::{Run, inputs};
use crate::engine::core::user_task;
use crate::engine::core::value::{EvalError, Value, Wrong, admit, evaluate, message};
use crate::engine::core::{Fault, Place, read, variable};
use lh::LhStatus;
use lh::node::Node;
use lh::node_run::NodeType;
use lh::wait_for_threads_run::WaitingThreadStatus as Waiting;

/// Where a thread goes on.
pub struct Move {
    plan: lh::WorkflowMigrationPlan,
    /// The name of its ThreadSpec in the new version.
    thread: String,
    /// The node there.
    node: String,
}

impl Run<'_, '_> {
    /// Where the plan that is being applied sends a thread that is at, or arrives at, this node.
    pub fn next_move(&self, number: i32, node: &str) -> Result<Option<Move>, Fault> {
        let Some(id) = &self.record.message.workflow_migration_plan_id else { return Ok(None) };
        let Some(plan) = self.tx.read().migration_plan(&id.name)? else { return Ok(None) };
        let thread = self.thread(number)?;
        if thread.wf_spec_id != plan.message.old_wf_spec {
            return Ok(None);
        }
        let Some(planned) = plan.message.thread_migrations.get(&thread.thread_spec_name) else { return Ok(None) };
        let Some(to) = planned.node_migrations.get(node) else { return Ok(None) };
        if self.has_old_above(thread, planned, &plan.message)? {
            return Ok(None);
        }
        let (thread, node) = (planned.new_thread_name.clone(), to.new_node_name.clone());
        Ok(Some(Move { plan: plan.message, thread, node }))
    }

    /// Whether a thread above this one must move before it, and has not moved yet.
    fn has_old_above(
        &self,
        thread: &lh::ThreadRun,
        planned: &lh::ThreadMigrationPlan,
        plan: &lh::WorkflowMigrationPlan,
    ) -> Result<bool, Fault> {
        let find = |number: i32| self.record.message.thread_runs.iter().find(move |thread| thread.number == number);
        // A parent has a smaller number, so this ends.
        let above =
            |thread: &lh::ThreadRun| thread.parent_thread_id.filter(|parent| *parent < thread.number).and_then(find);
        let mut next = above(thread);
        while let Some(thread) = next {
            if planned.thread_spec_dependencies.contains(&thread.thread_spec_name) && self.is_to_move(thread, plan)? {
                return Ok(true);
            }
            next = above(thread);
        }
        Ok(false)
    }

    /// Lets a thread that waits on a node which the plan moves leave it, and arrive at the new one. Work that is being
    /// done, such as a task, is waited for.
    pub fn move_waiting(&mut self, visit: &Visit<'_>, mut node_run: NodeRunRecord, to: Move) -> Result<(), Fault> {
        let values = match self.values_for(visit.thread(), &to) {
            Ok(values) => values,
            Err(Trouble::Failure(failure)) => return self.fail_node(visit, node_run, failure, Stage::Processing),
            Err(Trouble::Fault(fault)) => return Err(fault),
        };
        if matches!(visit.node.node, Some(Node::UserTask(_))) {
            user_task::close_for_good(self.tx, self.run, visit.place)?;
        }
        match &mut node_run.message.node_type {
            // What a node waits for that its thread has left must not come for it any more.
            Some(NodeType::Sleep(sleep)) => sleep.matured = true,
            Some(NodeType::ExternalEvent(_)) => node_run.facts.timeout_due = None,
            _ => {}
        }
        node_run.message.status = LhStatus::Halted.into();
        self.tx.put_node_run(self.run, visit.place, &node_run)?;
        self.go_over(visit.place, to, values)?;
        match node_run.message.node_type {
            Some(NodeType::WaitForThreads(left)) => self.keep_handled(visit.thread(), &left),
            _ => Ok(()),
        }
    }

    /// Lets a node that a thread moved to know which failed threads the one that it left has handled.
    fn keep_handled(&mut self, number: i32, left: &lh::WaitForThreadsRun) -> Result<(), Fault> {
        let place = self.current_place(number)?;
        let mut node_run = self.node_run(place)?;
        let Some(NodeType::WaitForThreads(wait)) = &mut node_run.message.node_type else { return Ok(()) };
        for entry in &mut wait.threads {
            let number = entry.thread_run_number;
            let handled = left.threads.iter().filter(|old| old.failure_handler_thread_run_id.is_some());
            if let Some(old) = handled.into_iter().find(|old| old.thread_run_number == number) {
                entry.clone_from(old);
            }
        }
        self.tx.put_node_run(self.run, place, &node_run)
    }

    /// Whether a plan moves a thread that waits so. The handler of a failed thread is waited for: the new node would
    /// start another one.
    pub fn is_moved_while_waiting(node_run: &lh::NodeRun) -> bool {
        match &node_run.node_type {
            Some(NodeType::WaitForThreads(wait)) => {
                wait.threads.iter().all(|entry| entry.waiting_status() != Waiting::ThreadHandlingFailure)
            }
            Some(
                NodeType::ExternalEvent(_) | NodeType::UserTask(_) | NodeType::WaitForCondition(_) | NodeType::Sleep(_),
            ) => true,
            _ => false,
        }
    }

    /// Lets a thread that leaves a node arrive at the new node instead of the next one.
    pub fn move_leaving(&mut self, visit: &Visit<'_>, to: Move) -> Result<(), Fault> {
        match self.values_for(visit.thread(), &to) {
            Ok(values) => self.go_over(visit.place, to, values),
            Err(Trouble::Failure(failure)) => {
                let node_run = self.node_run(visit.place)?;
                self.fail_node(visit, node_run, failure, Stage::Leaving)
            }
            Err(Trouble::Fault(fault)) => Err(fault),
        }
    }

    /// The values that were given for the migration, as the thread sees them before it.
    fn values_for(&mut self, number: i32, to: &Move) -> Result<Vec<(String, Option<Value>)>, Trouble> {
        let old_name = self.thread(number)?.thread_spec_name.clone();
        let given = self.record.message.migration_variables.get(&old_name).cloned().unwrap_or_default();
        let spec = self.spec(&migration::destination(&to.plan))?;
        let spec = &spec.message;
        let declared = spec.thread_specs.get(&to.thread).map(|thread| thread.variable_defs.as_slice());
        let mut values = Vec::new();
        for (name, assignment) in given.var_assignment_by_var_name {
            let var = declared.unwrap_or_default().iter().filter_map(|def| def.var_def.as_ref());
            let type_def = var.filter(|var| var.name == name).find_map(|var| var.type_def.clone());
            let value = evaluate(&assignment, &self.scope(number));
            let value = value.and_then(|value| admit(&self.tx.read(), &type_def.unwrap_or_default(), value));
            let value = value.map_err(|error| match error {
                EvalError::Wrong(Wrong(text)) => Trouble::Failure(failure(
                    "VAR_SUB_ERROR",
                    &format!("Failed applying migration variable '{name}': {text}"),
                )),
                EvalError::Fault(fault) => Trouble::Fault(fault),
            })?;
            values.push((name, value));
        }
        Ok(values)
    }

    /// Makes the thread one of the new version, with the variables it lacks, and lets it arrive.
    fn go_over(&mut self, from: Place, to: Move, values: Vec<(String, Option<Value>)>) -> Result<(), Fault> {
        let number = from.thread.cast_signed();
        let new_id = migration::destination(&to.plan);
        let spec = self.spec(&new_id)?;
        let spec = &spec.message;
        let thread = self.thread_mut(number)?;
        thread.wf_spec_id = Some(new_id.clone());
        thread.thread_spec_name.clone_from(&to.thread);
        if number == 0 {
            let old = self.record.message.wf_spec_id.replace(new_id.clone());
            self.record.message.old_wf_spec_versions.extend(old);
        }
        if let Some(thread_spec) = spec.thread_specs.get(&to.thread) {
            let values: BTreeMap<_, _> = values.into_iter().collect();
            let given: BTreeSet<String> = values.keys().cloned().collect();
            for (declared, value) in inputs::initial(&self.tx.read(), thread_spec, values)? {
                self.add_variable(from.thread, &new_id, declared, value, &given)?;
            }
        }
        let position = from.position.checked_add(1).filter(|position| i32::try_from(*position).is_ok());
        let position = position.ok_or_else(|| Fault::Storage("there are no more node positions".to_owned()))?;
        self.arrive(spec, Place { position, ..from }, &to.node)
    }

    /// Gives the thread a variable of the new version; one that it has keeps its value unless a new one was given for
    /// this thread.
    fn add_variable(
        &mut self,
        thread: u32,
        spec: &lh::WfSpecId,
        declared: &lh::ThreadVarDef,
        value: Option<Value>,
        given: &BTreeSet<String>,
    ) -> Result<(), Fault> {
        let Some(definition) = &declared.var_def else { return Ok(()) };
        let stored = self.tx.read().variable(self.run, thread, &definition.name)?;
        if stored.is_some() && !given.contains(&definition.name) {
            return Ok(());
        }
        if stored.is_some() {
            // Whether it can be searched for may change with the version, which storing alone does not look at.
            let name = self.tx.intern(Word::Name, &definition.name)?;
            self.tx.erase(read::variable_key(self.run, thread, name))?;
        }
        let id = lh::VariableId {
            wf_run_id: Some(self.id()),
            thread_run_number: thread.cast_signed(),
            name: definition.name.clone(),
        };
        let variable = lh::Variable {
            id: Some(id),
            value: Some(message(value)),
            created_at: Some(stored.and_then(|stored| stored.message.created_at).unwrap_or_else(|| self.tx.now())),
            wf_spec_id: Some(spec.clone()),
            masked: definition.type_def.as_ref().is_some_and(|type_def| type_def.masked),
        };
        self.tx.put_variable(self.run, &VariableRecord { message: variable, facts: variable::facts(declared) })
    }

    /// A migration is done when no thread that can still go on, or waits for its turn, is of the old version.
    pub fn end_migration(&mut self) -> Result<(), Fault> {
        let Some(id) = &self.record.message.workflow_migration_plan_id else { return Ok(()) };
        let Some(plan) = self.tx.read().migration_plan(&id.name)? else { return Ok(()) };
        let run = &self.record.message;
        let mut goes_on = !run.thread_run_queue.is_empty();
        for thread in &run.thread_runs {
            goes_on |= self.is_to_move(thread, &plan.message)?;
        }
        if !goes_on {
            self.record.message.workflow_migration_plan_id = None;
            self.record.message.migration_variables.clear();
        }
        Ok(())
    }

    /// Whether a thread is of the version that a plan leads away from, and can still go on.
    fn is_to_move(&self, thread: &lh::ThreadRun, plan: &lh::WorkflowMigrationPlan) -> Result<bool, Fault> {
        Ok(thread.wf_spec_id == plan.old_wf_spec && !self.is_over(thread.number)?)
    }
}
