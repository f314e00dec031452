//! How many WfRuns a tree may have.

use super::*;
use crate::engine::core::run::tree::{MAX_TREE, counter};
use crate::engine::core::{Reader, State, Table, WriteSet, check};

fn ask() -> Kind {
    Kind::UserTask(user_task(Some(lit(s("ann"))), None))
}

fn run_child(flow: &str) -> Kind {
    Kind::RunChildWf(lh::RunChildWfNode {
        wf_spec: Some(lh::run_child_wf_node::WfSpec::WfSpecName(flow.into())),
        major_version: -1,
        child_id: Some(lit(s(flow))),
        ..Default::default()
    })
}

/// `top` asks, then starts `mid`, which starts `low`; both of these ask, so that they stay.
fn begun() -> Bench {
    let mut bench = Bench::default();
    bench.form("form", &[]);
    bench.flow("low", &[("low", chain(&[("ask", ask())]))]).unwrap();
    bench.flow("mid", &[("mid", chain(&[("low", run_child("low")), ("ask", ask())]))]).unwrap();
    bench.flow("top", &[("top", chain(&[("ask", ask()), ("mid", run_child("mid")), ("more", ask())]))]).unwrap();
    bench.run("top", "run", &[]).unwrap();
    bench
}

fn key(bench: &Bench) -> [u8; 6] {
    counter(Reader::new(&bench.state, "default").unwrap().run_ref(&run_id("run")).unwrap().unwrap().0)
}

fn counted(bench: &Bench) -> u64 {
    let stored = bench.state.get(Table::Count, &key(bench)).unwrap();
    stored.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()))
}

fn below(names: &[&str]) -> lh::WfRunId {
    names.iter().fold(run_id("run"), |parent, name| lh::WfRunId {
        id: (*name).to_owned(),
        parent_wf_run_id: Some(Box::new(parent)),
    })
}

/// Makes the tree of `run` one of so many.
fn pretend(bench: &mut Bench, count: u64) {
    let mut writes = WriteSet::default();
    writes.put(Table::Count, key(bench), count.to_be_bytes());
    bench.state.apply(&writes);
}

#[test]
fn the_runs_of_a_tree_are_counted_as_they_are_stored() {
    let mut bench = begun();
    assert_eq!(counted(&bench), 0, "the root itself is not under it");
    bench.complete(&task_id("run", "0-1"), "ann", &[]).unwrap();
    assert_eq!(counted(&bench), 2);
    bench.must(lh::DeleteWfRunRequest { id: Some(below(&["mid", "low"])) });
    bench.pass(1_000);
    assert_eq!(counted(&bench), 1);
    assert_eq!(check(&bench.state), Ok(Vec::new()));
}

#[test]
fn a_full_tree_takes_no_more_runs() {
    let mut bench = begun();
    pretend(&mut bench, MAX_TREE - 1);
    bench.complete(&task_id("run", "0-1"), "ann", &[]).unwrap();
    let text = "A WfRun cannot have more than 100000 WfRuns under it";
    let mid = below(&["mid"]);
    let id = lh::NodeRunId { wf_run_id: Some(mid.clone()), thread_run_number: 0, position: 1 };
    let node = crate::engine::core::query::get_node_run(&bench.state, "default", id).unwrap();
    assert_eq!(failures(&node), [("CHILD_FAILURE", text)]);
    assert_eq!(bench.wf_run("run").unwrap().status(), LhStatus::Running, "there was room for `mid`");

    bench.must(lh::PutWfSpecRequest {
        name: "under".into(),
        entrypoint_thread_name: "main".into(),
        thread_specs: [("main".to_owned(), chain(&[]))].into(),
        parent_wf_spec: Some(lh::wf_spec::ParentWfSpecReference {
            wf_spec_name: "top".into(),
            wf_spec_major_version: 0,
        }),
        ..Default::default()
    });
    let request =
        lh::RunWfRequest { wf_spec_name: "under".into(), parent_wf_run_id: Some(run_id("run")), ..Default::default() };
    assert_eq!(bench.give(request.clone()).map(drop), Err(Refusal::precondition(text)));
    pretend(&mut bench, 5);
    assert!(bench.give(request).is_ok());
    assert_eq!(counted(&bench), 6);
}
