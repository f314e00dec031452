//! Events from the outside, and the nodes that wait for them or for a time.

mod correlated;
mod external;
mod waiting;
mod workflow;

use crate::api::littlehorse as lh;
use crate::engine::core::testing::*;
use crate::engine::core::value::{Value, message};
use crate::engine::core::{Refusal, check, query};
use lh::VariableType as T;
use lh::node::Node as Kind;

/// Everything beside the objects is as they ask for it.
pub fn sound(bench: &Bench) {
    assert_eq!(check(&bench.state).unwrap(), []);
}

pub fn event_def(bench: &mut Bench, name: &str, kind: Option<T>) {
    let content_type = kind.map(|kind| lh::ReturnType { return_type: Some(typed(kind)) });
    bench.must(lh::PutExternalEventDefRequest { name: name.into(), content_type, ..Default::default() });
}

pub fn event_def_id(name: &str) -> Option<lh::ExternalEventDefId> {
    Some(lh::ExternalEventDefId { name: name.into() })
}

pub fn event_request(run: &str, def: &str, guid: &str, content: Option<Value>) -> lh::PutExternalEventRequest {
    lh::PutExternalEventRequest {
        wf_run_id: Some(run_id(run)),
        external_event_def_id: event_def_id(def),
        guid: Some(guid.into()),
        content: Some(message(content)),
        ..Default::default()
    }
}

pub fn post(
    bench: &mut Bench,
    run: &str,
    def: &str,
    guid: &str,
    content: Option<Value>,
) -> Result<lh::ExternalEvent, Refusal> {
    bench.give(event_request(run, def, guid, content))?.try_into()
}

pub fn events(bench: &Bench, run: &str) -> Vec<lh::ExternalEvent> {
    let request = lh::ListExternalEventsRequest { wf_run_id: Some(run_id(run)), ..Default::default() };
    query::list_external_events(&bench.state, "default", request).unwrap().results
}

pub fn guid(event: &lh::ExternalEvent) -> &str {
    &event.id.as_ref().unwrap().guid
}

pub fn wait_for(def: &str) -> lh::ExternalEventNode {
    lh::ExternalEventNode { external_event_def_id: event_def_id(def), ..Default::default() }
}

/// `start` -> an EXTERNAL_EVENT node `n1` -> `end`, which gives what came.
pub fn one_event(node: lh::ExternalEventNode) -> lh::ThreadSpec {
    with(chain(&[("n1", Kind::ExternalEvent(node))]), "end", |end| {
        let result = Some(lh::exit_node::Result::ReturnContent(output("n1")));
        end.node = Some(Kind::Exit(lh::ExitNode { result }));
    })
}

pub fn output(node: &str) -> lh::VariableAssignment {
    lh::VariableAssignment { path: None, ..out(node, "$") }
}

/// What thread 0 of a WfRun gave.
pub fn result(bench: &Bench, run: &str) -> Option<Value> {
    bench.wf_run(run).unwrap().thread_runs[0].output.clone().and_then(|output| output.value)
}
