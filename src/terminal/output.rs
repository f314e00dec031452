//! Bytes to the terminal, from a thread of their own.
//!
//! A terminal may take nothing for minutes: a stalled SSH line, a stopped tmux. Whoever writes then stands still, and
//! must not be the loop, which has drafts to keep and signals to obey. Frames are not queued: while one is on its way
//! none is drawn, and the next shows the newest state.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::spend;

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    busy: bool,
    stop: bool,
    failed: bool,
    /// Somebody wants to draw as soon as all is written.
    wanted: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// All is written, and somebody had asked to be told.
    Ready,
    /// Nothing can be written any more: the terminal is gone.
    Gone,
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Output {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Output {
    /// Starts the thread; `tell` is called on it.
    pub(super) fn start(to: OwnedFd, tell: impl Fn(Told) + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let of_thread = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("tty output".to_owned()).spawn(move || run(&of_thread, &to, &tell))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands bytes over; they go out in one piece.
    pub(super) fn send(&self, bytes: &[u8]) {
        let mut state = self.shared.lock();
        if !state.failed && !bytes.is_empty() {
            state.waiting.extend_from_slice(bytes);
            self.shared.changed.notify_all();
        }
    }

    /// Whether all was written. If not, [`Told::Ready`] will come.
    pub(super) fn ready(&self) -> bool {
        let mut state = self.shared.lock();
        let ready = !state.busy && state.waiting.is_empty();
        state.wanted = !ready;
        ready
    }

    /// Waits until all is written or the time is over; whether it was.
    pub(super) fn drain(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.shared.lock();
        while (state.busy || !state.waiting.is_empty()) && !state.failed {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.failed
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stop = true;
        // A write that stands still ends only with the process: it is not waited for.
        let stuck = state.busy;
        drop(state);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && !stuck
        {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, to: &OwnedFd, tell: &dyn Fn(Told)) {
    let mut bytes = Vec::new();
    loop {
        {
            let mut state = shared.lock();
            while state.waiting.is_empty() && !state.stop {
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.waiting.is_empty() {
                return;
            }
            bytes.clear();
            std::mem::swap(&mut bytes, &mut state.waiting);
            state.busy = true;
        }
        let result = spend(to.as_fd(), &bytes);
        let mut state = shared.lock();
        state.busy = false;
        let told = match &result {
            Err(error) => {
                tracing::info!("the terminal takes nothing any more: {error}");
                state.failed = true;
                state.waiting.clear();
                Some(Told::Gone)
            }
            Ok(()) => (state.waiting.is_empty() && std::mem::take(&mut state.wanted)).then_some(Told::Ready),
        };
        drop(state);
        shared.changed.notify_all();
        if let Some(told) = told {
            tell(told);
        }
        if result.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_reader_that_stands_still_stops_nobody_and_gets_all_later() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (tell, told) = mpsc::channel();
        let output = Output::start(OwnedFd::from(writer), move |what| {
            let _ = tell.send(what);
        })
        .unwrap();
        let big = vec![b'x'; 1 << 20];
        output.send(&big);
        assert!(!output.ready());
        assert!(!output.drain(Duration::from_millis(20)));
        output.send(b"end");
        let mut got = vec![0; big.len() + 3];
        reader.read_exact(&mut got).unwrap();
        assert!(got.ends_with(b"xxend"));
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(Told::Ready));
        assert!(output.drain(Duration::from_secs(20)));
        assert!(output.ready());
    }

    #[test]
    fn a_reader_that_is_gone_is_told() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (tell, told) = mpsc::channel();
        let output = Output::start(OwnedFd::from(writer), move |what| {
            let _ = tell.send(what);
        })
        .unwrap();
        output.send(b"x");
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(Told::Gone));
        assert!(!output.drain(Duration::from_secs(20)));
    }
}
