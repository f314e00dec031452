//! The loop itself.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::editor::{self, Edited};
use super::executor::Executor;
use super::files::Files;
use super::look::Surroundings;
use super::pace::Pace;
use super::server::Server;
use super::{FLUSH_LIMIT, RuntimeError, RuntimeOptions};
use crate::app::{self, Effect, Exit, Model, Msg, Now, Service, Setup, Signal, Update};
use crate::terminal::{self, Asked, Event, Happening, Signals, Terminal};
use crate::ui;

/// Answers that may wait for the loop; beyond that the calls wait.
const AHEAD: usize = 256;
/// Messages taken in one go before a frame is drawn.
const BATCH: usize = 512;

/// What woke the loop.
enum Wake {
    Signal(Asked),
    Terminal(Happening),
    Message(Msg),
    Edited(Edited),
    Time,
}

struct Loop<S> {
    began: Instant,
    model: Model,
    pace: Pace,
    executor: Executor<S>,
    files: Files,
    edited: mpsc::UnboundedSender<Edited>,
    /// An editor has the terminal.
    editing: bool,
    /// The SIGCONT of a stop that was our own is still to come.
    own_stop: bool,
    terminal: Terminal,
}

pub(super) async fn run<S: Server>(options: RuntimeOptions<S>, calls: Handle) -> Result<Exit, RuntimeError> {
    let began = Instant::now();
    let mut signals = Signals::new()?;
    let surroundings = Surroundings::read(|name| std::env::var(name).ok());
    let (to_loop, mut answers) = mpsc::channel(AHEAD);
    let (files_to_loop, mut files_answers) = mpsc::unbounded_channel();
    let (edited, mut edits) = mpsc::unbounded_channel();
    let service = match &options.service {
        None => Service::Impossible,
        Some(service) if service.serves_this() => Service::Installed,
        // Installing would take it from the data directory that it serves.
        Some(service) if service.is_installed() => Service::Impossible,
        Some(_) => Service::Possible,
    };
    let files = Files::start(options.drafts, options.service, files_to_loop)?;
    let terminal = Terminal::open(surroundings.patience)?;
    let model = Model::new(Setup {
        me: options.me,
        zone: TimeZone::system(),
        look: surroundings.look,
        size: cells(terminal.size()),
        now: now(began),
        service,
        seed: RandomState::new().hash_one(std::process::id()),
    });
    let mut this = Loop {
        began,
        model,
        pace: Pace::new(surroundings.interval),
        executor: Executor::new(options.server, calls, to_loop),
        files,
        edited,
        editing: false,
        own_stop: false,
        terminal,
    };

    let first = this.model.start();
    this.pace.changed(began.elapsed(), true);
    this.draw();
    let mut exit = this.carry_out(first, true)?;
    let mut gone = false;
    while exit.is_none() {
        let deadline = this.deadline();
        let mut wake = tokio::select! {
            biased;
            asked = signals.next() => Wake::Signal(asked),
            happening = this.terminal.next(), if !gone => Wake::Terminal(happening),
            Some(edited) = edits.recv() => Wake::Edited(edited),
            Some(msg) = files_answers.recv() => Wake::Message(msg),
            Some(msg) = answers.recv() => Wake::Message(msg),
            () = until(deadline) => Wake::Time,
        };
        exit = this.update(Msg::Tick(now(began)), false)?;
        for _ in 0..BATCH {
            gone |= matches!(wake, Wake::Terminal(Happening::Gone));
            exit = match exit {
                None => this.take(wake)?,
                some => some,
            };
            // Whatever else is there already goes into the same frame. A signal is seen when the loop turns.
            let next = match this.terminal.try_next().filter(|_| !gone) {
                Some(happening) => Some(Wake::Terminal(happening)),
                None => files_answers.try_recv().or_else(|_| answers.try_recv()).ok().map(Wake::Message),
            };
            match next {
                Some(next) if exit.is_none() => wake = next,
                _ => break,
            }
        }
        this.draw();
    }
    this.end(exit.unwrap_or_default())
}

impl<S: Server> Loop<S> {
    /// When the loop must turn at the latest.
    fn deadline(&self) -> Option<Instant> {
        // While the terminal takes nothing, the frame that is due waits for it and not for time.
        let frame = self.pace.due().filter(|_| self.terminal.is_ready());
        let due = [self.model.next_deadline(), frame].into_iter().flatten().min();
        due.map(|due| self.began + due)
    }

    fn take(&mut self, wake: Wake) -> Result<Option<Exit>, RuntimeError> {
        match wake {
            Wake::Time | Wake::Terminal(Happening::Ready) => Ok(None),
            Wake::Message(msg) => self.update(msg, false),
            Wake::Edited(Edited { ticket, result }) => {
                self.editing = false;
                self.retake()?;
                self.update(Msg::Edited { ticket, result }, true)
            }
            Wake::Terminal(Happening::Gone) => self.update(Msg::Signal(Signal::Hangup), true),
            Wake::Terminal(Happening::Events(events)) => {
                for event in events {
                    let msg = match event {
                        Event::Key(chord) => Msg::Key(chord),
                        Event::Paste(text) => Msg::Paste(text),
                        Event::Focus(focused) => Msg::Focus(focused),
                        // The terminal keeps its answers to itself.
                        Event::Answer(_) => continue,
                    };
                    if let Some(exit) = self.update(msg, true)? {
                        return Ok(Some(exit));
                    }
                }
                Ok(None)
            }
            Wake::Signal(asked) => self.asked(asked),
        }
    }

    fn asked(&mut self, asked: Asked) -> Result<Option<Exit>, RuntimeError> {
        match asked {
            Asked::Hangup => self.update(Msg::Signal(Signal::Hangup), true),
            // Ctrl-C in an editor's terminal goes to the whole group and means the editor.
            Asked::Interrupt if self.editing => Ok(None),
            Asked::Terminate | Asked::Interrupt => self.update(Msg::Signal(Signal::Terminate), true),
            // Ctrl-Z in the editor: the job stops, and the terminal is not ours to give.
            Asked::Stop if self.editing => {
                terminal::stop_job();
                Ok(None)
            }
            Asked::Stop => self.update(Msg::Signal(Signal::Suspend), true),
            Asked::Continue if self.editing => Ok(None),
            Asked::Continue if std::mem::take(&mut self.own_stop) => Ok(None),
            Asked::Continue => {
                self.retake()?;
                self.update(Msg::Signal(Signal::Continue), true)
            }
            Asked::Size => match self.terminal.measure() {
                Some(size) => self.update(Msg::Resize(cells(size)), true),
                None => Ok(None),
            },
        }
    }

    fn update(&mut self, msg: Msg, urgent: bool) -> Result<Option<Exit>, RuntimeError> {
        let update = app::update(&mut self.model, msg);
        self.carry_out(update, urgent)
    }

    fn carry_out(&mut self, update: Update, urgent: bool) -> Result<Option<Exit>, RuntimeError> {
        if update.redraw {
            self.pace.changed(self.began.elapsed(), urgent);
        }
        for effect in update.effects {
            let Some(effect) = self.executor.start(effect) else { continue };
            match effect {
                Effect::KeepDraft { ticket, draft } => self.files.keep(ticket, draft),
                Effect::FindDraft { key } => self.files.find(key),
                Effect::DropDraft { key } => self.files.remove(key),
                Effect::InstallService => self.files.install_service(),
                Effect::Copy { text } => self.terminal.copy(&text),
                Effect::Edit { ticket, field, text } => {
                    self.terminal.release();
                    self.editing = true;
                    editor::start(ticket, &field, &text, self.edited.clone());
                }
                Effect::Suspend => return self.suspend(),
                Effect::Quit { exit } => return Ok(Some(exit)),
                // The executor has taken every other.
                _ => {}
            }
        }
        Ok(None)
    }

    /// Stops as a job; returns after `fg`.
    fn suspend(&mut self) -> Result<Option<Exit>, RuntimeError> {
        self.files.flush(FLUSH_LIMIT);
        self.terminal.release();
        self.own_stop = terminal::stop_job();
        self.retake()?;
        self.update(Msg::Signal(Signal::Continue), true)
    }

    fn retake(&mut self) -> Result<(), RuntimeError> {
        self.terminal.retake()?;
        let size = cells(self.terminal.size());
        let update = app::update(&mut self.model, Msg::Resize(size));
        self.pace.changed(self.began.elapsed(), true);
        self.carry_out(update, true)?;
        Ok(())
    }

    /// Draws, if it is time to.
    fn draw(&mut self) {
        let now = self.began.elapsed();
        if self.pace.due().is_some_and(|due| due <= now) && self.terminal.draw(|frame| ui::draw(frame, &self.model)) {
            self.pace.drawn(now);
        }
    }

    /// Everything typed to the disk, then the terminal back.
    fn end(mut self, mut exit: Exit) -> Result<Exit, RuntimeError> {
        if !self.files.finish(FLUSH_LIMIT) {
            exit.notes.push("The disk did not answer: what was typed last may not be kept.".to_owned());
        }
        self.terminal.release();
        exit.notes.extend(terminal::noted_panics().into_iter().map(|panic| format!("A fault inside ostler: {panic}")));
        Ok(exit)
    }
}

fn now(began: Instant) -> Now {
    Now { since_start: began.elapsed(), wall: Timestamp::now() }
}

fn cells(size: terminal::Size) -> app::Size {
    app::Size { width: size.width, height: size.height }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
