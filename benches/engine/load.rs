//! Clients that read and write, and how long they waited.

use std::fmt;
use std::time::{Duration, Instant};

use ostler::api::littlehorse as lh;
use ostler::api::littlehorse::little_horse_client::LittleHorseClient;
use ostler::api::ostler::v1;
use ostler::api::ostler::v1::ostler_client::OstlerClient;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::fill::{PEOPLE, claim, complete, task};
use crate::server::Server;
use crate::workload::{results, run_wf};

/// How long each of many calls took.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    fn at(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let last = sorted.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        sorted.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99, max) = (self.at(0.5), self.at(0.99), self.at(1.0));
        write!(f, "p50 {p50:.3} ms, p99 {p99:.3} ms, max {max:.3} ms")
    }
}

/// A LittleHorse client, as an SDK has it.
pub fn client(channel: Channel) -> LittleHorseClient<Channel> {
    LittleHorseClient::new(channel).max_decoding_message_size(4 << 20)
}

/// One page of 50: what is claimed by one person.
pub async fn page(client: &mut LittleHorseClient<Channel>) -> lh::UserTaskRunIdList {
    search(client, mine(7)).await
}

fn mine(person: usize) -> lh::SearchUserTaskRunRequest {
    lh::SearchUserTaskRunRequest {
        limit: Some(50),
        status: Some(lh::UserTaskRunStatus::Assigned.into()),
        user_id: Some(format!("user{}", person % PEOPLE)),
        ..Default::default()
    }
}

fn of_group() -> lh::SearchUserTaskRunRequest {
    lh::SearchUserTaskRunRequest {
        limit: Some(50),
        status: Some(lh::UserTaskRunStatus::Unassigned.into()),
        user_group: Some("finance".into()),
        ..Default::default()
    }
}

async fn search(
    client: &mut LittleHorseClient<Channel>,
    request: lh::SearchUserTaskRunRequest,
) -> lh::UserTaskRunIdList {
    client.search_user_task_run(request).await.unwrap().into_inner()
}

/// One page of ids, then each task, eight at a time: what an inbox does with a server that offers no more.
async fn screen(client: &mut LittleHorseClient<Channel>, request: lh::SearchUserTaskRunRequest) {
    let ids = search(client, request).await.results;
    let mut reads = JoinSet::new();
    for id in ids {
        if reads.len() == 8 {
            reads.join_next().await.unwrap().unwrap();
        }
        let mut client = client.clone();
        reads.spawn(async move {
            client.get_user_task_run(id).await.unwrap();
        });
    }
    while let Some(read) = reads.join_next().await {
        read.unwrap();
    }
}

/// Reading, one call after the other.
pub async fn reads(server: &Server, rounds: usize) -> Vec<(&'static str, Times)> {
    let mut client = client(server.over_tcp().await);
    let mut ostler = OstlerClient::new(server.over_socket().await);
    let mut all = vec![
        ("page of 50, mine", Times::default()),
        ("page of 50, my group's", Times::default()),
        ("the same, further down", Times::default()),
        ("inbox screen, 50 + 50", Times::default()),
        ("inbox screen, ostler.v1", Times::default()),
    ];
    let mut bookmark = None;
    for round in 0..rounds {
        let mut timed = Vec::new();
        let start = Instant::now();
        search(&mut client, mine(round)).await;
        timed.push(start.elapsed());
        let start = Instant::now();
        search(&mut client, of_group()).await;
        timed.push(start.elapsed());
        let further = lh::SearchUserTaskRunRequest { bookmark, ..of_group() };
        let start = Instant::now();
        bookmark = search(&mut client, further).await.bookmark;
        timed.push(start.elapsed());
        let start = Instant::now();
        screen(&mut client, mine(round)).await;
        timed.push(start.elapsed());
        let start = Instant::now();
        ostler.list_tasks(newest(round)).await.unwrap();
        timed.push(start.elapsed());
        for ((_, times), time) in all.iter_mut().zip(timed) {
            times.add(time);
        }
    }
    all
}

/// The first screen of an inbox: mine and my group's, newest first.
fn newest(person: usize) -> v1::ListTasksRequest {
    let open = |status: lh::UserTaskRunStatus, user_id, user_group| v1::TaskFilter {
        statuses: vec![status.into()],
        user_id,
        user_group,
        user_task_def_name: None,
    };
    v1::ListTasksRequest {
        any_of: vec![
            open(lh::UserTaskRunStatus::Assigned, Some(format!("user{}", person % PEOPLE)), None),
            open(lh::UserTaskRunStatus::Unassigned, None, Some("finance".into())),
        ],
        newest_first: true,
        limit: 50,
        bookmark: None,
    }
}

#[derive(Clone, Copy)]
enum Deed {
    Run,
    Claim,
    Save,
    Complete,
}

async fn act(client: &mut LittleHorseClient<Channel>, deed: Deed, run: &str) {
    match deed {
        Deed::Run => {
            client.run_wf(run_wf(run, "Travel expenses of one more trip")).await.unwrap();
        }
        Deed::Claim => {
            client.assign_user_task_run(claim(run, 1, "user7")).await.unwrap();
        }
        Deed::Save => {
            let request = lh::SaveUserTaskRunProgressRequest {
                user_task_run_id: task(run, 1),
                results: results("Checked against the receipts so far."),
                user_id: "user7".into(),
                policy: 0,
            };
            client.save_user_task_run_progress(request).await.unwrap();
        }
        Deed::Complete => {
            client.complete_user_task_run(complete(run, 1, "user7")).await.unwrap();
        }
    }
}

/// What many commands of one kind cost.
pub struct Cost {
    pub name: &'static str,
    /// How many a second.
    pub rate: f64,
    pub times: Times,
    /// KiB that went to the disk for one.
    pub written: u64,
    /// Microseconds of processor time that the server spent on one: steadier than the rate when others use the
    /// machine.
    pub processor: u64,
}

/// Every client has a connection of its own and gives one durable command after the other.
pub async fn writes(server: &Server, round: u32, clients: usize, each: usize) -> Vec<Cost> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(client(server.over_tcp().await));
    }
    let mut all = Vec::new();
    let deeds = [("RunWf", Deed::Run), ("claim", Deed::Claim), ("save", Deed::Save), ("complete", Deed::Complete)];
    for (name, deed) in deeds {
        let before = (crate::written(server), crate::processor(server));
        let start = Instant::now();
        let mut working = JoinSet::new();
        for (number, client) in connections.iter().enumerate() {
            let mut client = client.clone();
            working.spawn(async move {
                let mut times = Times::default();
                for task in 0..each {
                    let start = Instant::now();
                    act(&mut client, deed, &format!("bench-{round}-{clients}-{number}-{task}")).await;
                    times.add(start.elapsed());
                }
                times
            });
        }
        let mut times = Times::default();
        while let Some(done) = working.join_next().await {
            times.0.extend(done.unwrap().0);
        }
        let rate = times.0.len() as f64 / start.elapsed().as_secs_f64();
        let done = times.0.len() as u64;
        let written = (crate::written(server) - before.0) / 1024 / done;
        let processor = (crate::processor(server) - before.1) / done;
        all.push(Cost { name, rate, times, written, processor });
    }
    all
}
