//! Requests that are well-formed and make no sense: every RPC with missing, empty, huge, deeply nested and unknown
//! content, made from the descriptors. Each is answered or refused with a status and a sentence, and the store stays
//! whole.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ostler::api::{DESCRIPTORS, littlehorse as lh};
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value,
};
use tonic::{Code, Status};

use super::malformed::send;
use super::*;

/// How many requests are sent; more by hand with OSTLER_HOSTILE.
const REQUESTS: usize = 4_000;
/// Clients at a time.
const CLIENTS: usize = 8;
/// These wait for something by design, or answer in a stream.
const WAITING: [&str; 2] = ["AwaitWorkflowEvent", "PollTask"];
/// These can rightly shut everybody out: who may do what, and how much.
const ADMINISTRATION: [&str; 4] = ["PutPrincipal", "DeletePrincipal", "PutQuota", "PutTenant"];

/// A small generator of its own, so that a seed that is printed tells everything.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const NAMES: [&str; 16] = [
    "form",
    "flow",
    "loop",
    "job",
    "event",
    "thrown",
    "record",
    "run",
    "entrypoint",
    "start",
    "work",
    "end",
    "x",
    "list",
    "INPUT",
    "kid",
];

fn text(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => String::new(),
        1 => "_".into(),
        2 => "../../etc/passwd".into(),
        3 => "a\u{0}b\u{1b}[31m".into(),
        4 => "🦊\u{202e}ä".repeat(20),
        5 => "x".repeat(*dice.of(&[300, 5_000, 200_000])),
        6 => "[".repeat(*dice.of(&[100, 127, 128, 5_000])),
        7 => dice
            .of(&[r#"{"a":[1,{"b":null}]}"#, "[1,2]", "{", "{0} {", "$.a[?(@.b)]", "$..*", "run_kid", "0-1"])
            .to_string(),
        _ => dice.of(&NAMES).to_string(),
    }
}

fn scalar(dice: &mut Dice, kind: &Kind) -> Value {
    let whole = *dice.of(&[0i64, 1, 2, -1, 3, 100, i64::MAX, i64::MIN, i64::from(i32::MAX), i64::from(i32::MIN)]);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // any number will do
    match kind {
        Kind::Double => Value::F64(*dice.of(&[0.0, -1.5, 1e308, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE])),
        Kind::Float => Value::F32(*dice.of(&[0.0, 1.0, 2.5, -1.0, f32::NAN, f32::INFINITY])),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(whole),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(whole as u64),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(whole as i32),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(whole as u32),
        Kind::Bool => Value::Bool(dice.one_in(2)),
        Kind::String => Value::String(text(dice)),
        Kind::Bytes => Value::Bytes(text(dice).into_bytes().into()),
        Kind::Enum(kinds) => {
            let numbers: Vec<i32> = kinds.values().map(|value| value.number()).collect();
            Value::EnumNumber(if dice.one_in(10) { *dice.of(&[-1, 77, i32::MAX]) } else { *dice.of(&numbers) })
        }
        Kind::Message(_) => unreachable!("messages are no scalars"),
    }
}

fn single(dice: &mut Dice, kind: &Kind, depth: usize) -> Value {
    match kind {
        Kind::Message(of) => Value::Message(message(dice, of, depth)),
        kind => scalar(dice, kind),
    }
}

fn any(dice: &mut Dice, field: &FieldDescriptor, depth: usize) -> Value {
    let kind = field.kind();
    let many = if dice.one_in(60) { 300 } else { dice.below(4) };
    if field.is_map() {
        let Kind::Message(entry) = &kind else { unreachable!("a map has entries") };
        let (keys, values) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        let key = |value: Value| match value {
            Value::String(text) => MapKey::String(text),
            Value::I32(number) => MapKey::I32(number),
            Value::I64(number) => MapKey::I64(number),
            Value::Bool(truth) => MapKey::Bool(truth),
            other => panic!("no map of the API has such a key: {other:?}"),
        };
        let pairs = (0..many.min(4)).map(|_| (key(scalar(dice, &keys)), single(dice, &values, depth)));
        return Value::Map(pairs.collect::<HashMap<_, _>>());
    }
    if field.is_list() {
        let many = if matches!(kind, Kind::Message(_)) && depth > 2 { many.min(3) } else { many };
        return Value::List((0..many).map(|_| single(dice, &kind, depth)).collect());
    }
    single(dice, &kind, depth)
}

/// A message of this kind with some of its fields, down to a depth where nothing more is set.
fn message(dice: &mut Dice, of: &MessageDescriptor, depth: usize) -> DynamicMessage {
    let mut made = DynamicMessage::new(of.clone());
    // Now and then one branch goes nearly as deep as a message can be.
    let deep = dice.one_in(150);
    for field in of.fields() {
        let is_message = matches!(field.kind(), Kind::Message(_));
        let rarely = if is_message { 2 + depth } else { 2 };
        if depth < if deep { 90 } else { 12 } && dice.one_in(rarely) {
            made.set_field(&field, any(dice, &field, depth + 1));
        }
    }
    made
}

/// Changes one place somewhere in a message that makes sense.
fn twist(dice: &mut Dice, made: &mut DynamicMessage, depth: usize) {
    let fields: Vec<FieldDescriptor> = made.descriptor().fields().collect();
    if fields.is_empty() {
        return;
    }
    let set: Vec<&FieldDescriptor> = fields.iter().filter(|field| made.has_field(field)).collect();
    let field = if set.is_empty() || dice.one_in(6) { dice.of(&fields).clone() } else { (*dice.of(&set)).clone() };
    let mut value = made.get_field(&field).into_owned();
    let inner: Option<&mut DynamicMessage> = match &mut value {
        Value::Message(inner) => Some(inner),
        Value::List(list) if !list.is_empty() => {
            let place = dice.below(list.len());
            list[place].as_message_mut()
        }
        Value::Map(map) if !map.is_empty() => {
            let place = dice.below(map.len());
            map.values_mut().nth(place).and_then(Value::as_message_mut)
        }
        _ => None,
    };
    match inner {
        Some(inner) if !dice.one_in(4) => twist(dice, inner, depth + 1),
        _ if dice.one_in(4) => return made.clear_field(&field),
        _ => value = any(dice, &field, depth + 1),
    }
    made.set_field(&field, value);
}

fn run_id(id: &str) -> Option<lh::WfRunId> {
    Some(lh::WfRunId { id: id.into(), parent_wf_run_id: None })
}

fn typed(kind: lh::VariableType) -> lh::TypeDefinition {
    let defined_type = Some(lh::type_definition::DefinedType::PrimitiveType(kind.into()));
    lh::TypeDefinition { defined_type, masked: false }
}

fn variable(name: &str) -> lh::VariableAssignment {
    let source = Some(lh::variable_assignment::Source::VariableName(name.into()));
    lh::VariableAssignment { source, ..Default::default() }
}

fn number(value: i64) -> lh::VariableAssignment {
    let value = Some(lh::variable_value::Value::Int(value));
    let source = Some(lh::variable_assignment::Source::LiteralValue(lh::VariableValue { value }));
    lh::VariableAssignment { source, ..Default::default() }
}

/// A chain of these nodes, whose last edge counts x up.
fn flow(name: &str, nodes: Vec<(&str, lh::node::Node)>) -> lh::PutWfSpecRequest {
    let mut all = vec![("start", lh::node::Node::Entrypoint(lh::EntrypointNode {}))];
    all.extend(nodes);
    let mut sinks: Vec<String> = all.iter().skip(1).map(|(name, _)| (*name).to_owned()).collect();
    sinks.push("end".into());
    let count = lh::VariableMutation {
        lhs_name: "x".into(),
        operation: lh::VariableMutationType::Add.into(),
        rhs_value: Some(lh::variable_mutation::RhsValue::RhsAssignment(number(1))),
        ..Default::default()
    };
    let one = |((name, kind), sink): ((&str, lh::node::Node), String)| {
        let edge = lh::Edge { sink_node_name: sink, variable_mutations: vec![count.clone()], ..Default::default() };
        (name.to_owned(), lh::Node { node: Some(kind), outgoing_edges: vec![edge], ..Default::default() })
    };
    let mut nodes: std::collections::BTreeMap<_, _> = all.into_iter().zip(sinks).map(one).collect();
    let exit = lh::node::Node::Exit(lh::ExitNode { result: None });
    nodes.insert("end".into(), lh::Node { node: Some(exit), ..Default::default() });
    let declared = |name: &str, kind| lh::ThreadVarDef {
        var_def: Some(lh::VariableDef { name: name.into(), type_def: Some(typed(kind)), ..Default::default() }),
        searchable: true,
        ..Default::default()
    };
    let variable_defs = vec![declared("x", lh::VariableType::Int), declared("list", lh::VariableType::JsonArr)];
    let thread = lh::ThreadSpec { nodes, variable_defs, ..Default::default() };
    lh::PutWfSpecRequest {
        name: name.into(),
        thread_specs: [("entrypoint".to_owned(), thread)].into(),
        entrypoint_thread_name: "entrypoint".into(),
        ..Default::default()
    }
}

/// Requests that make sense, in an order in which they succeed.
fn sensible() -> Vec<(&'static str, Vec<u8>)> {
    let job = lh::TaskNode {
        task_to_execute: Some(lh::task_node::TaskToExecute::TaskDefId(lh::TaskDefId { name: "job".into() })),
        variables: vec![variable("x")],
        retries: 1,
        ..Default::default()
    };
    let event_id = || Some(lh::ExternalEventDefId { name: "event".into() });
    let waits = lh::ExternalEventNode { external_event_def_id: event_id(), ..Default::default() };
    let form_node = lh::UserTaskNode {
        user_task_def_name: "form".into(),
        user_id: Some(lh::VariableAssignment {
            source: Some(lh::variable_assignment::Source::LiteralValue(lh::VariableValue {
                value: Some(lh::variable_value::Value::Str("ann".into())),
            })),
            ..Default::default()
        }),
        ..Default::default()
    };
    let sleeps = lh::SleepNode { sleep_length: Some(lh::sleep_node::SleepLength::RawSeconds(number(3600))) };
    use lh::node::Node;
    let mut endless = flow("loop", vec![("work", Node::Nop(lh::NopNode {})), ("again", Node::Nop(lh::NopNode {}))]);
    let again = endless.thread_specs.values_mut().find_map(|thread| thread.nodes.get_mut("again")).unwrap();
    again.outgoing_edges[0].sink_node_name = "work".into();
    let field =
        |kind, is_nullable| lh::StructFieldDef { field_type: Some(typed(kind)), is_nullable, ..Default::default() };
    let fields = [
        ("name".to_owned(), field(lh::VariableType::Str, false)),
        ("x".to_owned(), field(lh::VariableType::Int, true)),
    ];
    let input =
        lh::VariableDef { name: "x".into(), type_def: Some(typed(lh::VariableType::Int)), ..Default::default() };
    let start = |flow: &str, id: &str| lh::RunWfRequest {
        wf_spec_name: flow.into(),
        id: Some(id.into()),
        variables: [("x".to_owned(), lh::VariableValue { value: Some(lh::variable_value::Value::Int(1)) })].into(),
        ..Default::default()
    };
    let task = || Some(lh::UserTaskRunId { wf_run_id: run_id("run"), user_task_guid: "0-1".into() });
    let posted = lh::PutExternalEventRequest {
        wf_run_id: run_id("run"),
        external_event_def_id: event_id(),
        content: Some(lh::VariableValue { value: Some(lh::variable_value::Value::JsonArr("[1]".into())) }),
        ..Default::default()
    };
    let assigned = lh::AssignUserTaskRunRequest {
        user_task_run_id: task(),
        user_id: Some("bob".into()),
        override_claim: true,
        ..Default::default()
    };
    let search = lh::SearchVariableRequest {
        wf_spec_name: "flow".into(),
        var_name: "x".into(),
        value: Some(lh::VariableValue { value: Some(lh::variable_value::Value::Int(1)) }),
        ..Default::default()
    };
    let all = vec![Node::UserTask(form_node), Node::Task(job), Node::ExternalEvent(waits), Node::Sleep(sleeps)];
    let flow = flow("flow", ["form", "work", "wait", "rest"].into_iter().zip(all).collect());
    vec![
        ("PutUserTaskDef", form("form").encode_to_vec()),
        (
            "PutTaskDef",
            lh::PutTaskDefRequest { name: "job".into(), input_vars: vec![input], ..Default::default() }.encode_to_vec(),
        ),
        (
            "PutExternalEventDef",
            lh::PutExternalEventDefRequest { name: "event".into(), ..Default::default() }.encode_to_vec(),
        ),
        (
            "PutWorkflowEventDef",
            lh::PutWorkflowEventDefRequest { name: "thrown".into(), ..Default::default() }.encode_to_vec(),
        ),
        (
            "PutStructDef",
            lh::PutStructDefRequest {
                name: "record".into(),
                struct_def: Some(lh::InlineStructDef { fields: fields.into() }),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
        ("PutWfSpec", flow.encode_to_vec()),
        ("PutWfSpec", endless.encode_to_vec()),
        ("RunWf", start("flow", "run").encode_to_vec()),
        ("RunWf", start("loop", "spin").encode_to_vec()),
        ("AssignUserTaskRun", assigned.encode_to_vec()),
        ("PutExternalEvent", posted.encode_to_vec()),
        ("SearchVariable", search.encode_to_vec()),
        ("ListVariables", lh::ListVariablesRequest { wf_run_id: run_id("run"), ..Default::default() }.encode_to_vec()),
        ("SearchWfRun", lh::SearchWfRunRequest { wf_spec_name: "flow".into(), ..Default::default() }.encode_to_vec()),
    ]
}

fn methods(pool: &DescriptorPool) -> Vec<(String, MessageDescriptor)> {
    let service = pool.get_service_by_name("littlehorse.LittleHorse").expect("the service");
    let plain = service.methods().filter(|method| !method.is_client_streaming() && !method.is_server_streaming());
    let named = plain.map(|method| (method.name().to_owned(), method.input()));
    let left = [&WAITING[..], &ADMINISTRATION[..]].concat();
    named.filter(|(name, _)| !left.contains(&name.as_str())).collect()
}

/// What is wrong with an answer; refusals are sentences, and none is the engine's own fault.
fn fault(answer: &Result<Vec<u8>, Status>) -> Option<String> {
    let Err(status) = answer else { return None };
    let own = matches!(
        status.code(),
        Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss | Code::Unavailable | Code::Aborted
    );
    (own || status.message().is_empty()).then(|| format!("{:?}: {}", status.code(), status.message()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_in_words_and_breaks_nothing() {
    let seed = match std::env::var("OSTLER_SEED") {
        Ok(seed) => seed.parse().expect("OSTLER_SEED is a number"),
        Err(_) => std::time::UNIX_EPOCH.elapsed().expect("a clock").as_nanos() as u64,
    };
    println!("OSTLER_SEED={seed}");
    let requests = std::env::var("OSTLER_HOSTILE").map_or(REQUESTS, |many| many.parse().expect("a number"));
    let ground = Ground::new();
    let handle = ground.start();
    let channel = over_socket(handle.socket()).await;
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("descriptors");
    let methods = Arc::new(methods(&pool));
    assert!(methods.len() > 90, "only {} RPCs", methods.len());
    let known: Vec<(String, DynamicMessage)> = sensible()
        .into_iter()
        .map(|(rpc, bytes)| {
            let of = methods.iter().find(|(name, _)| name == rpc).map(|(_, of)| of.clone()).expect(rpc);
            (rpc.to_owned(), DynamicMessage::decode(of, bytes.as_slice()).expect("a message"))
        })
        .collect();
    let path = |rpc: &str| format!("/littlehorse.LittleHorse/{rpc}");
    for (rpc, message) in &known {
        send(&channel, &path(rpc), message.encode_to_vec()).await.unwrap_or_else(|status| panic!("{rpc}: {status}"));
    }
    let spun = client(channel.clone()).get_wf_run(run_id("spin").unwrap()).await.unwrap().into_inner();
    assert_eq!(spun.status(), lh::LhStatus::Error, "a workflow that goes round for ever is stopped");

    let known = Arc::new(known);
    let work = (0..CLIENTS).map(|number| {
        let (channel, methods, known) = (channel.clone(), methods.clone(), known.clone());
        tokio::spawn(async move {
            let mut dice = Dice(seed ^ (number as u64) << 32);
            let mut codes: HashMap<String, usize> = HashMap::new();
            for _ in 0..requests / CLIENTS {
                let (rpc, message) = if dice.one_in(2) {
                    let (rpc, of) = dice.of(&methods).clone();
                    (rpc, message(&mut dice, &of, 0))
                } else {
                    let (rpc, mut message) = dice.of(&known).clone();
                    for _ in 0..=dice.below(3) {
                        twist(&mut dice, &mut message, 0);
                    }
                    (rpc, message)
                };
                let bytes = message.encode_to_vec();
                let path = format!("/littlehorse.LittleHorse/{rpc}");
                let sent = send(&channel, &path, bytes);
                let answer = tokio::time::timeout(PATIENCE, sent).await;
                let answer = answer.unwrap_or_else(|_| panic!("{rpc} hangs"));
                if let Some(fault) = fault(&answer) {
                    // The bytes, because a deep message would be too deep to print.
                    let bytes = message.encode_to_vec();
                    let said = bytes.iter().take(1_000).map(|byte| format!("{byte:02x}")).collect::<String>();
                    panic!("{rpc}: {fault}\nfor {said}");
                }
                let code = answer.as_ref().map_or_else(|status| format!("{:?}", status.code()), |_| "Ok".to_owned());
                *codes.entry(code).or_default() += 1;
            }
            codes
        })
    });
    let mut codes: HashMap<String, usize> = HashMap::new();
    for done in futures(work).await {
        for (code, times) in done {
            *codes.entry(code).or_default() += times;
        }
    }
    println!("{codes:?}");
    assert!(codes.get("Ok").is_some_and(|times| *times > requests / 10), "nearly nothing got through: {codes:?}");

    // Whatever was stored can be read, and the engine still works, also after a restart.
    read_everything(&channel, &methods).await;
    works(channel, "before").await;
    tokio::time::timeout(PATIENCE, handle.stop()).await.expect("it stops");
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_ostler"));
    let looked = doctor.args(["doctor", "--data-dir"]).arg(ground.data()).output().expect("runs");
    let said = String::from_utf8_lossy(&looked.stdout).into_owned() + &String::from_utf8_lossy(&looked.stderr);
    assert!(looked.status.success(), "the doctor says: {said}");
    let handle = ground.start();
    works(over_socket(handle.socket()).await, "after").await;
    tokio::time::timeout(Duration::from_secs(10), handle.stop()).await.expect("it stops");
}

async fn futures<T: Send + 'static>(work: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let running: Vec<_> = work.collect();
    let mut done = Vec::new();
    for one in running {
        done.push(one.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic())));
    }
    done
}

/// Every list and search without filters, page by page.
async fn read_everything(channel: &Channel, methods: &[(String, MessageDescriptor)]) {
    for (rpc, of) in methods.iter().filter(|(rpc, _)| rpc.starts_with("Search")) {
        let empty = DynamicMessage::new(of.clone()).encode_to_vec();
        let answer = send(channel, &format!("/littlehorse.LittleHorse/{rpc}"), empty).await;
        assert_eq!(fault(&answer), None, "{rpc}");
    }
    let mut client = client(channel.clone());
    let found = client.search_wf_run(lh::SearchWfRunRequest { wf_spec_name: "flow".into(), ..Default::default() });
    for id in found.await.map(|found| found.into_inner().results).unwrap_or_default() {
        client.get_wf_run(id.clone()).await.expect("a run that was found");
        client
            .list_node_runs(lh::ListNodeRunsRequest { wf_run_id: Some(id.clone()), ..Default::default() })
            .await
            .expect("its nodes");
        client
            .list_variables(lh::ListVariablesRequest { wf_run_id: Some(id), ..Default::default() })
            .await
            .expect("its variables");
    }
}

/// A whole workflow with a user task.
async fn works(channel: Channel, id: &str) {
    let mut client = client(channel);
    client.put_user_task_def(form(&format!("plain-{id}"))).await.expect("a form");
    let node = lh::UserTaskNode {
        user_task_def_name: format!("plain-{id}"),
        user_group: Some(lh::VariableAssignment {
            source: Some(lh::variable_assignment::Source::LiteralValue(lh::VariableValue {
                value: Some(lh::variable_value::Value::Str("everybody".into())),
            })),
            ..Default::default()
        }),
        ..Default::default()
    };
    client
        .put_wf_spec(flow(&format!("plain-{id}"), vec![("form", lh::node::Node::UserTask(node))]))
        .await
        .expect("a flow");
    let variables = [("x".to_owned(), lh::VariableValue { value: Some(lh::variable_value::Value::Int(1)) })].into();
    let asked = lh::RunWfRequest {
        wf_spec_name: format!("plain-{id}"),
        id: Some(format!("plain-{id}")),
        variables,
        ..Default::default()
    };
    client.run_wf(asked).await.expect("a run");
    let task = lh::UserTaskRunId { wf_run_id: run_id(&format!("plain-{id}")), user_task_guid: "0-1".into() };
    let done = lh::CompleteUserTaskRunRequest {
        user_task_run_id: Some(task),
        user_id: "ann".into(),
        results: [(
            "answer".to_owned(),
            lh::VariableValue { value: Some(lh::variable_value::Value::Str("yes".into())) },
        )]
        .into(),
    };
    client.complete_user_task_run(done).await.expect("completed");
    let run = client.get_wf_run(run_id(&format!("plain-{id}")).unwrap()).await.expect("the run").into_inner();
    assert_eq!(run.status(), lh::LhStatus::Completed);
}
