//! Those who wait for a workflow event: who is told, and when waiting ends.

use ostler::api::littlehorse as lh;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::*;

type Client = LittleHorseClient<Channel>;

/// Registers a workflow that throws `told` 1, waits for `go`, and throws `told` 2.
async fn define(client: &mut Client) {
    client
        .put_external_event_def(lh::PutExternalEventDefRequest { name: "go".into(), ..Default::default() })
        .await
        .unwrap();
    client
        .put_workflow_event_def(lh::PutWorkflowEventDefRequest { name: "told".into(), content_type: None })
        .await
        .unwrap();
    let throw = |number: i64| {
        let value = lh::VariableValue { value: Some(lh::variable_value::Value::Int(number)) };
        let source = Some(lh::variable_assignment::Source::LiteralValue(value));
        lh::node::Node::ThrowEvent(lh::ThrowEventNode {
            event_def_id: Some(lh::WorkflowEventDefId { name: "told".into() }),
            content: Some(lh::VariableAssignment { source, ..Default::default() }),
        })
    };
    let external_event_def_id = Some(lh::ExternalEventDefId { name: "go".into() });
    let wait = lh::ExternalEventNode { external_event_def_id, ..Default::default() };
    let nodes = [
        ("a", lh::node::Node::Entrypoint(lh::EntrypointNode {}), Some("b")),
        ("b", throw(1), Some("c")),
        ("c", lh::node::Node::ExternalEvent(wait), Some("d")),
        ("d", throw(2), Some("e")),
        ("e", lh::node::Node::Exit(lh::ExitNode { result: None }), None),
    ];
    let nodes = nodes.map(|(name, node, next)| {
        let edge = next.map(|next| lh::Edge { sink_node_name: next.into(), ..Default::default() });
        (
            name.to_owned(),
            lh::Node { node: Some(node), outgoing_edges: edge.into_iter().collect(), ..Default::default() },
        )
    });
    let request = lh::PutWfSpecRequest {
        name: "flow".into(),
        entrypoint_thread_name: "main".into(),
        thread_specs: [("main".to_owned(), lh::ThreadSpec { nodes: nodes.into(), ..Default::default() })].into(),
        ..Default::default()
    };
    client.put_wf_spec(request).await.unwrap();
}

fn run_id() -> Option<lh::WfRunId> {
    Some(lh::WfRunId { id: "run".into(), parent_wf_run_id: None })
}

async fn run(client: &mut Client) {
    let request = lh::RunWfRequest { wf_spec_name: "flow".into(), id: Some("run".into()), ..Default::default() };
    client.run_wf(request).await.unwrap();
}

async fn go(client: &mut Client) {
    let external_event_def_id = Some(lh::ExternalEventDefId { name: "go".into() });
    let request = lh::PutExternalEventRequest { wf_run_id: run_id(), external_event_def_id, ..Default::default() };
    client.put_external_event(request).await.unwrap();
}

/// Waits for an event beside those whose numbers are known; gives its number.
async fn awaited(mut client: Client, known: Vec<i32>) -> Result<i32, Status> {
    let def = lh::WorkflowEventDefId { name: "told".into() };
    let ignored = known.into_iter().map(|number| lh::WorkflowEventId {
        wf_run_id: run_id(),
        workflow_event_def_id: Some(def.clone()),
        number,
    });
    let request = lh::AwaitWorkflowEventRequest {
        wf_run_id: run_id(),
        event_def_ids: vec![def.clone()],
        workflow_events_to_ignore: ignored.collect(),
    };
    let answer = timeout(PATIENCE, client.await_workflow_event(request)).await.expect("an answer");
    Ok(answer?.into_inner().id.unwrap_or_default().number)
}

#[tokio::test]
async fn events_reach_who_waits_also_from_an_earlier_life() {
    let ground = Ground::new();
    let handle = ground.start();
    let mut client = client(over_tcp(&handle).await);
    define(&mut client).await;
    let before_the_run = tokio::spawn(awaited(client.clone(), vec![]));
    run(&mut client).await;
    assert_eq!(before_the_run.await.unwrap().unwrap(), 0);
    let before_the_throw = tokio::spawn(awaited(client.clone(), vec![0]));
    go(&mut client).await;
    assert_eq!(before_the_throw.await.unwrap().unwrap(), 1);
    handle.stop().await;
    let handle = ground.start();
    let client = super::client(over_tcp(&handle).await);
    assert_eq!(awaited(client.clone(), vec![]).await.unwrap(), 0);
    assert_eq!(awaited(client, vec![0]).await.unwrap(), 1);
    handle.stop().await;
}

/// A host that stops keeps nobody waiting.
#[tokio::test]
async fn who_waits_is_told_that_the_host_stops() {
    let ground = Ground::new();
    let handle = ground.start();
    let mut client = client(over_tcp(&handle).await);
    define(&mut client).await;
    run(&mut client).await;
    // The event that is there answers, so the call of the other waiter has begun by then on the same connection.
    let waiting = tokio::spawn(awaited(client.clone(), vec![0]));
    tokio::task::yield_now().await;
    assert_eq!(awaited(client.clone(), vec![]).await.unwrap(), 0);
    handle.stop().await;
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), Code::Unavailable);
}
