//! What a frame costs, in time and in bytes, at 120x40 with 1,000 tasks in the list.
//!
//! `cargo bench --bench ui` prints the figures. The byte budgets hold on every machine and are checked; the times are
//! the machine's own.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "a program that prints figures")]

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ostler::app::{self, Effect, Look, Model, Msg, Now, Setup, Update};
use ostler::domain::{Count, DefId, HostInfo, Identity, Place, RunId, Status, TaskId, TaskPage, TaskRow};
use ostler::input::Chord;
use ostler::terminal::{Screen, Size};
use ostler::ui;

const SIZE: Size = Size { width: 120, height: 40 };
const ROWS: usize = 1000;
const KEYS: usize = 500;
/// What one step down in the list may send. A slow line (19,200 baud) carries this in a third of a second.
const SELECTION_BUDGET: usize = 700;

fn main() {
    let (now, mut first) = (Timestamp::now(), Vec::new());
    let mut screen = Screen::new(SIZE);
    let began = Instant::now();
    let mut model = model(now);
    let update = model.start();
    first.extend(screen.draw(|frame| ui::draw(frame, &model)));
    println!("first frame (before any answer)      {:>9.3?}  {:>6} bytes", began.elapsed(), first.len());

    let mut effects = update.effects;
    while !effects.is_empty() {
        effects = answer(&mut model, effects, now);
    }
    let began = Instant::now();
    let list = screen.draw(|frame| ui::draw(frame, &model));
    println!("frame with the list                  {:>9.3?}  {:>6} bytes", began.elapsed(), list.len());

    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for step in 0..KEYS {
        // Past the middle and back, so that scrolling is in it as well as moving inside the page.
        let key = if step < KEYS / 2 { 'j' } else { 'k' };
        let began = Instant::now();
        let update = app::update(&mut model, Msg::Key(Chord::char(key)));
        let frame = screen.draw(|frame| ui::draw(frame, &model));
        times.push(began.elapsed());
        bytes.push(frame.len());
        drop(update);
    }
    times.sort_unstable();
    // The first steps do not scroll: they are what a person does most.
    let moved: Vec<usize> = bytes.iter().copied().take(20).collect();
    let most = moved.iter().copied().max().unwrap_or(0);
    println!("key to frame, median                 {:>9.3?}", times[times.len() / 2]);
    println!("key to frame, worst of {KEYS}           {:>9.3?}", times[times.len() - 1]);
    println!(
        "a moved selection                               {:>6} bytes, at most {most}",
        moved.iter().sum::<usize>() / 20
    );
    println!("a step that scrolls                             {:>6} bytes at most", bytes.iter().max().unwrap_or(&0));

    let mut idle = 0;
    for _ in 0..KEYS {
        idle += screen.draw(|frame| ui::draw(frame, &model)).len();
    }
    println!("idle, {KEYS} frames                               {idle:>6} bytes");
    assert!(idle == 0, "an idle screen sends nothing");
    assert!(most > 0 && most <= SELECTION_BUDGET, "a moved selection sends {most} bytes");
}

fn model(now: Timestamp) -> Model {
    Model::new(Setup {
        me: Identity { user: "amy".to_owned(), groups: vec!["finance".to_owned()] },
        zone: TimeZone::UTC,
        look: Look { color: true, unicode: true },
        size: app::Size { width: SIZE.width, height: SIZE.height },
        now: Now { since_start: Duration::ZERO, wall: now },
        service: app::Service::Impossible,
        seed: 7,
    })
}

/// Answers what the model asks for; what it asks then.
fn answer(model: &mut Model, effects: Vec<Effect>, now: Timestamp) -> Vec<Effect> {
    let mut next = Vec::new();
    for effect in effects {
        let msg = match effect {
            Effect::LoadPage { generation, cursor: None, .. } => {
                let rows = (0..ROWS).map(|number| row(number, now)).collect();
                Msg::Page { generation, result: Ok(TaskPage { rows, ..TaskPage::default() }) }
            }
            Effect::LoadCounts { generation } => {
                Msg::Counts { generation, result: Ok([Count::Exactly(ROWS as u64); 5]) }
            }
            Effect::LoadHost { generation } => Msg::Host {
                generation: Some(generation),
                result: Ok(HostInfo {
                    place: Place::Local,
                    version: None,
                    listen: None,
                    writable: true,
                    pending_timers: Some(0),
                    throwaway: false,
                    tells_changes: true,
                }),
            },
            _ => continue,
        };
        let Update { effects, .. } = app::update(model, msg);
        next.extend(effects);
    }
    next
}

fn row(number: usize, now: Timestamp) -> TaskRow {
    let (def, notes) = match number % 3 {
        0 => ("approve-expense", "Laptop for Amy, 1,240 EUR, cost centre 4711"),
        1 => ("verify-customer", "ACME GmbH, new account"),
        _ => ("enter-invoice", "Scan 00417, 発注書"),
    };
    TaskRow {
        id: TaskId { run: RunId::root(format!("4f2a{number:028x}")), guid: "0-1".to_owned() },
        def: DefId { name: def.into(), version: 0 },
        status: if number.is_multiple_of(2) { Status::Assigned } else { Status::Unassigned },
        user: number.is_multiple_of(2).then(|| "amy".into()),
        group: Some("finance".into()),
        notes: Some(notes.into()),
        scheduled: Some(now - SignedDuration::from_mins(number as i64 * 7)),
        workflow: Some("expense-approval".into()),
    }
}
