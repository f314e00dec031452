//! How late timers are while the engine has something else to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ostler::api::littlehorse as lh;
use tokio::task::JoinSet;

use crate::load::{self, Times};
use crate::server::Server;

const SPEC: &str = "nap";

fn nap(seconds: i64) -> lh::PutWfSpecRequest {
    let edge = |to: &str| vec![lh::Edge { sink_node_name: to.into(), ..Default::default() }];
    let node = |edges, node| lh::Node { outgoing_edges: edges, failure_handlers: Vec::new(), node: Some(node) };
    let length = lh::VariableAssignment {
        source: Some(lh::variable_assignment::Source::LiteralValue(lh::VariableValue {
            value: Some(lh::variable_value::Value::Int(seconds)),
        })),
        ..Default::default()
    };
    let sleep = lh::SleepNode { sleep_length: Some(lh::sleep_node::SleepLength::RawSeconds(length)) };
    let nodes = BTreeMap::from([
        (
            "0-entrypoint-ENTRYPOINT".into(),
            node(edge("1-nap-SLEEP"), lh::node::Node::Entrypoint(lh::EntrypointNode {})),
        ),
        ("1-nap-SLEEP".into(), node(edge("2-exit-EXIT"), lh::node::Node::Sleep(sleep))),
        ("2-exit-EXIT".into(), node(Vec::new(), lh::node::Node::Exit(lh::ExitNode { result: None }))),
    ]);
    let thread = lh::ThreadSpec { nodes, ..Default::default() };
    lh::PutWfSpecRequest {
        name: SPEC.into(),
        thread_specs: BTreeMap::from([("entrypoint".into(), thread)]),
        entrypoint_thread_name: "entrypoint".into(),
        ..Default::default()
    }
}

fn milliseconds(time: Option<prost_types::Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000)
}

/// Lets `sleepers` workflows sleep for a second or so each, their ends spread over a second, while `rate` other commands a
/// second are given. How late each went on, and how many commands a second there were.
pub async fn lateness(server: &Server, sleepers: usize, rate: usize) -> (Times, f64) {
    let mut client = load::client(server.over_tcp().await);
    client.put_wf_spec(nap(2)).await.unwrap();
    let prefix = format!("nap-{}", server.pid());
    let began = Instant::now();
    let busy = Duration::from_millis(3_500);
    let mut working = JoinSet::new();
    let each = 8;
    for worker in 0..each {
        let mut client = load::client(server.over_tcp().await);
        let prefix = prefix.clone();
        working.spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs_f64(each as f64 / rate as f64));
            let mut given = 0usize;
            while began.elapsed() < busy {
                tick.tick().await;
                // The sleepers are among the commands: evenly over the first second.
                let sleeper = given * each + worker;
                let id = format!("{prefix}-{sleeper}");
                if sleeper < sleepers {
                    let request = lh::RunWfRequest { wf_spec_name: SPEC.into(), id: Some(id), ..Default::default() };
                    client.run_wf(request).await.unwrap();
                } else {
                    client.run_wf(crate::workload::run_wf(&id, "something else to do")).await.unwrap();
                }
                given += 1;
            }
            given
        });
    }
    let mut given = 0;
    while let Some(done) = working.join_next().await {
        given += done.unwrap();
    }
    let rate = given as f64 / began.elapsed().as_secs_f64();
    let mut times = Times::default();
    for sleeper in 0..sleepers {
        let wf_run_id = Some(lh::WfRunId { id: format!("{prefix}-{sleeper}"), parent_wf_run_id: None });
        let id = lh::NodeRunId { wf_run_id, thread_run_number: 0, position: 1 };
        let node_run = client.get_node_run(id).await.unwrap().into_inner();
        let Some(lh::node_run::NodeType::Sleep(sleep)) = node_run.node_type else { panic!("no sleep: {node_run:?}") };
        assert_eq!(node_run.status, i32::from(lh::LhStatus::Completed), "{sleeper} still sleeps");
        let late = milliseconds(node_run.end_time) - milliseconds(sleep.maturation_time);
        times.add(Duration::from_millis(u64::try_from(late).expect("a timer was early")));
    }
    (times, rate)
}
