//! Bytes from the terminal, on a thread of their own: reads, decodes, and keeps the time that the decoder has not.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use tokio::sync::mpsc;

use super::decoder::{Decoder, Event, Waits};
use super::wait_for;

/// Reads that may wait to be taken; beyond that the bytes wait in the tty.
const AHEAD: usize = 64;

/// How long the rest of what began may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After an ESC, before it is the Esc key.
    pub escape: Duration,
    /// Inside a sequence.
    pub sequence: Duration,
    /// Inside a paste, before what came is handed over.
    pub paste: Duration,
}

impl Patience {
    /// For a terminal on this machine.
    pub const LOCAL: Self =
        Self { escape: Duration::from_millis(50), sequence: Duration::from_millis(250), paste: Duration::from_secs(1) };

    /// For one at the other end of a line: packets come apart more.
    pub const REMOTE: Self = Self {
        escape: Duration::from_millis(100),
        sequence: Duration::from_millis(500),
        paste: Duration::from_secs(2),
    };

    fn of(self, waits: Waits) -> Duration {
        match waits {
            Waits::Escape => self.escape,
            Waits::Sequence => self.sequence,
            Waits::Paste => self.paste,
        }
    }
}

/// What the thread heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The events of one read, in order.
    Events(Vec<Event>),
    /// The terminal is gone.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Read,
    Pause,
    Stop,
}

#[derive(Debug)]
struct Gate {
    state: Mutex<(Wanted, bool)>,
    changed: Condvar,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, (Wanted, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the thread pass while reading is wanted; holds it while it is not. False: it shall end.
    fn pass(&self) -> bool {
        let mut state = self.lock();
        loop {
            match state.0 {
                Wanted::Read => {
                    state.1 = false;
                    return true;
                }
                Wanted::Stop => return false,
                Wanted::Pause => {
                    state.1 = true;
                    self.changed.notify_all();
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Reader {
    heard: mpsc::Receiver<Heard>,
    /// What was heard while the thread came to a halt.
    before: std::collections::VecDeque<Heard>,
    gate: Arc<Gate>,
    wake: PipeWriter,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts reading.
    pub(super) fn start(from: OwnedFd, patience: Patience) -> io::Result<Self> {
        let (tell, heard) = mpsc::channel(AHEAD);
        let gate = Arc::new(Gate { state: Mutex::new((Wanted::Read, false)), changed: Condvar::new() });
        let of_thread = Arc::clone(&gate);
        let (woken, wake) = io::pipe()?;
        let thread = std::thread::Builder::new()
            .name("tty input".to_owned())
            .spawn(move || run(&from, woken, patience, &of_thread, &tell))?;
        Ok(Self { heard, before: std::collections::VecDeque::new(), gate, wake, thread: Some(thread) })
    }

    /// What comes next; may be dropped half-way.
    pub(super) async fn next(&mut self) -> Heard {
        match self.before.pop_front() {
            Some(heard) => heard,
            None => self.heard.recv().await.unwrap_or(Heard::Gone),
        }
    }

    /// What has come already.
    pub(super) fn try_next(&mut self) -> Option<Heard> {
        self.before.pop_front().or_else(|| self.heard.try_recv().ok())
    }

    /// What comes next, if it comes in time. Blocks the thread: only for the moments before the terminal is given away.
    pub(super) fn next_within(&mut self, limit: Duration) -> Option<Heard> {
        let until = Instant::now() + limit;
        loop {
            if let Some(heard) = self.try_next() {
                return Some(heard);
            }
            let left = until.checked_duration_since(Instant::now())?;
            let state = self.gate.lock();
            drop(self.gate.changed.wait_timeout(state, left.min(Duration::from_millis(5))));
        }
    }

    /// Stops reading, for somebody else reads now. When this returns, not a byte more is taken.
    pub(super) fn pause(&mut self) {
        self.want(Wanted::Pause);
        loop {
            // The thread may be waiting for room to tell what it read last.
            while let Ok(heard) = self.heard.try_recv() {
                self.before.push_back(heard);
            }
            let state = self.gate.lock();
            let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
            if state.1 || ended {
                return;
            }
            drop(self.gate.changed.wait_timeout(state, Duration::from_millis(5)));
        }
    }

    /// Reads again.
    pub(super) fn go_on(&self) {
        self.want(Wanted::Read);
    }

    fn want(&self, wanted: Wanted) {
        self.gate.lock().0 = wanted;
        self.gate.changed.notify_all();
        let _ = (&self.wake).write(&[0]);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.want(Wanted::Stop);
        self.heard.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(from: &OwnedFd, mut woken: PipeReader, patience: Patience, gate: &Gate, tell: &mpsc::Sender<Heard>) {
    let mut decoder = Decoder::new();
    let mut bytes = vec![0; 16 * 1024];
    let mut since = Instant::now();
    while gate.pass() {
        let limit = decoder.waits().map(|waits| patience.of(waits).saturating_sub(since.elapsed()));
        let mut sources = [PollFd::new(from, PollFlags::IN), PollFd::new(&woken, PollFlags::IN)];
        let Ok(any) = wait_for(&mut sources, limit) else {
            let _ = tell.blocking_send(Heard::Gone);
            return;
        };
        let [input, wake] = sources.map(|source| !source.revents().is_empty());
        let mut events = Vec::new();
        if wake {
            let _ = woken.read(&mut [0; 16]);
            continue;
        }
        if input {
            match rustix::io::read(from, &mut bytes) {
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Ok(0) | Err(_) => {
                    let _ = tell.blocking_send(Heard::Gone);
                    return;
                }
                Ok(count) => decoder.feed(bytes.get(..count).unwrap_or_default(), &mut events),
            }
            since = Instant::now();
        } else if !any {
            decoder.expire(&mut events);
            // A paste stays open after its time is over: the next part gets a time of its own.
            since = Instant::now();
        }
        if !events.is_empty() && tell.blocking_send(Heard::Events(events)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Chord, Key};

    /// Long enough that no test machine is slower, short enough to wait for.
    const PATIENCE: Patience = Patience {
        escape: Duration::from_millis(300),
        sequence: Duration::from_millis(300),
        paste: Duration::from_millis(300),
    };

    async fn heard(reader: &mut Reader) -> Heard {
        tokio::time::timeout(Duration::from_secs(20), reader.next()).await.expect("nothing was heard")
    }

    fn keys(chords: &[Chord]) -> Heard {
        Heard::Events(chords.iter().copied().map(Event::Key).collect())
    }

    #[tokio::test]
    async fn a_split_sequence_is_one_key_and_a_lone_esc_is_esc() {
        let (from, mut to) = io::pipe().unwrap();
        let mut reader = Reader::start(from.into(), PATIENCE).unwrap();
        to.write_all(b"\x1b").unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        to.write_all(b"[A").unwrap();
        assert_eq!(heard(&mut reader).await, keys(&[Chord::plain(Key::Up)]));
        to.write_all(b"\x1b").unwrap();
        assert_eq!(heard(&mut reader).await, keys(&[Chord::plain(Key::Esc)]));
        drop(to);
        assert_eq!(heard(&mut reader).await, Heard::Gone);
    }

    #[tokio::test]
    async fn while_paused_not_a_byte_is_taken() {
        let (from, mut to) = io::pipe().unwrap();
        let mine = from.try_clone().unwrap();
        let mut reader = Reader::start(from.into(), PATIENCE).unwrap();
        to.write_all(b"a").unwrap();
        assert_eq!(heard(&mut reader).await, keys(&[Chord::char('a')]));
        reader.pause();
        to.write_all(b"b").unwrap();
        let mut byte = [0];
        (&mine).read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"b");
        reader.go_on();
        to.write_all(b"c").unwrap();
        assert_eq!(heard(&mut reader).await, keys(&[Chord::char('c')]));
    }

    #[tokio::test]
    async fn a_pause_gets_through_to_a_reader_that_nobody_listens_to() {
        let (from, mut to) = io::pipe().unwrap();
        let mut reader = Reader::start(from.into(), PATIENCE).unwrap();
        let typing = std::thread::spawn(move || {
            // One byte a read, more reads than fit.
            for _ in 0..AHEAD * 4 {
                if to.write_all(b"x").is_err() {
                    break;
                }
                std::thread::yield_now();
            }
            to
        });
        reader.pause();
        reader.go_on();
        let mut count = 0;
        while count < AHEAD * 4 {
            match heard(&mut reader).await {
                Heard::Events(events) => count += events.len(),
                Heard::Gone => panic!("gone after {count}"),
            }
        }
        drop(typing.join().unwrap());
    }
}
