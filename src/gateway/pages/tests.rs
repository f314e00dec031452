use std::sync::atomic::Ordering;

use super::*;
use crate::domain::{Connection, Place, Status};
use crate::gateway::News;
use crate::gateway::fake::{Fake, amy, gateway};

const AT: i64 = 1_789_000_000_000;
const HOUR: i64 = 3_600_000;

async fn all(gateway: &Gateway, view: View, order: Order, limit: usize) -> Vec<TaskRow> {
    let mut rows = Vec::new();
    let mut cursor = None;
    for _ in 0..200 {
        let page = gateway.page(view, order, cursor.as_ref(), limit).await.unwrap();
        // How far it looked is told exactly when there is more to look at.
        assert_eq!(page.looked_back_to.is_some(), page.next.is_some() && order == Order::NewestFirst);
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return rows;
        }
    }
    panic!("no end");
}

#[tokio::test]
async fn a_server_without_order_is_listed_in_the_order_of_time() {
    let fake = Fake::default();
    for number in 0..60 {
        fake.tasks().add(&format!("r{number:03}"), None, Some("finance"), AT + number * HOUR);
    }
    let serving = fake.serve();
    let gateway = gateway(&serving);
    for limit in [7, 200] {
        let oldest = all(&gateway, View::ForMe, Order::OldestFirst, limit).await;
        let names: Vec<String> = oldest.iter().map(|row| row.id.run.to_string()).collect();
        assert_eq!(names, (0..60).map(|number| format!("r{number:03}")).collect::<Vec<_>>());
        let newest = all(&gateway, View::ForMe, Order::NewestFirst, limit).await;
        assert!(newest.iter().rev().eq(oldest.iter()));
    }
    // Asked once whether it is an ostler, then remembered.
    assert_eq!(fake.called("ostler"), 1);
    assert!(fake.most_in_flight.load(Ordering::SeqCst) <= FETCHES);
}

#[tokio::test]
async fn views_hold_what_they_say_and_counts_agree() {
    let fake = Fake::default();
    {
        let mut tasks = fake.tasks();
        tasks.add("mine", Some("amy"), Some("finance"), AT);
        tasks.add("free", None, Some("finance"), AT + 1);
        tasks.add("bobs", Some("bob"), Some("finance"), AT + 2);
        tasks.add("else", None, Some("ops"), AT + 3);
        // Found by a search for `finance` all the same.
        tasks.add("below", None, Some("finance/approvers"), AT + 4);
        tasks.add("done", Some("amy"), None, AT + 5);
        tasks.complete("done", "amy", Default::default());
        tasks.add("gone", Some("amy"), None, AT + 6);
        tasks.cancel("gone");
    }
    let serving = fake.serve();
    let gateway = gateway(&serving);
    for (view, expected) in [
        (View::ForMe, vec!["mine", "free"]),
        (View::MyGroups, vec!["mine", "free", "bobs"]),
        (View::AllOpen, vec!["mine", "free", "bobs", "else", "below"]),
        (View::Done, vec!["done"]),
        (View::Cancelled, vec!["gone"]),
    ] {
        let rows = all(&gateway, view, Order::OldestFirst, 50).await;
        let names: Vec<String> = rows.iter().map(|row| row.id.run.to_string()).collect();
        assert_eq!(names, expected, "{view:?}");
    }
    let counts = gateway.counts().await.unwrap();
    assert_eq!(counts[2..], [Count::Exactly(5), Count::Exactly(1), Count::Exactly(1)]);
}

#[test]
fn legs_never_overlap() {
    let mut me = amy();
    me.groups = vec!["finance".to_owned(), "ops".to_owned(), "finance".to_owned()];
    for view in View::ALL {
        let legs = legs(view, &me);
        for (index, leg) in legs.iter().enumerate() {
            assert!(!legs[..index].contains(leg), "{view:?} {leg:?}");
        }
    }
    me.groups.clear();
    assert!(legs(View::MyGroups, &me).is_empty());
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_is_noticed() {
    let fake = Fake::default();
    fake.tasks().add("r", Some("amy"), None, AT);
    let serving = fake.serve();
    let address = serving.address;
    let gateway = gateway(&serving);
    let mut news = gateway.news();
    let mut until = async |wanted: fn(&News) -> bool| loop {
        let told = tokio::time::timeout(std::time::Duration::from_secs(30), news.next()).await;
        let told = told.expect("told in time").expect("somebody tells");
        if wanted(&told) {
            return told;
        }
    };
    let told = until(|news| matches!(news, News::Host(_))).await;
    let News::Host(host) = told else { unreachable!() };
    assert_eq!((host.place, host.tells_changes), (Place::Server(format!("http://{address}")), false));
    assert_eq!(host.version, Some("LittleHorse 1.3".into()));

    drop(serving);
    // Nobody tells of a dead server; a call finds out.
    let trouble = gateway.page(View::ForMe, Order::NewestFirst, None, 10).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Unreachable(_)), "{trouble:?}");
    until(|news| matches!(news, News::Connection(Connection::Offline { retry_at: Some(_), .. }))).await;

    let _serving = fake.serve_at(address);
    until(|news| matches!(news, News::Connection(Connection::Online))).await;
    until(|news| matches!(news, News::Changed { missed: true, .. })).await;
    let rows = gateway.page(View::ForMe, Order::NewestFirst, None, 10).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), [Status::Assigned]);
}

#[tokio::test]
async fn a_run_whose_answer_got_lost_is_looked_for() {
    let fake = Fake::default();
    let serving = fake.serve();
    let gateway = gateway(&serving);
    fake.tasks().unanswered.insert("run");
    let run = gateway.run_workflow("pay", &Default::default()).await.unwrap();
    assert_eq!(fake.called("run"), 1);
    assert_eq!(fake.tasks().wf_runs.len(), 1);
    assert!(fake.tasks().wf_runs.contains(&run.to_string()));

    fake.tasks().unanswered.clear();
    fake.tasks().lost.insert("run");
    let trouble = gateway.run_workflow("pay", &Default::default()).await.unwrap_err();
    assert!(matches!(trouble, Trouble::OutcomeUnknown(_)), "{trouble:?}");
    assert_eq!(fake.called("run"), 2);
}
