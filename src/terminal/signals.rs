//! Signals as values.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGHUP: the terminal is gone.
    Hangup,
    /// SIGTERM: end.
    Terminate,
    /// SIGINT from outside: the key Ctrl-C is no signal while the terminal is ours.
    Interrupt,
    /// SIGTSTP from outside.
    Stop,
    /// SIGCONT.
    Continue,
    /// SIGWINCH.
    Size,
}

/// The signals of this process. From its making on none of them has its default effect.
#[derive(Debug)]
pub struct Signals {
    hangup: Stream,
    terminate: Stream,
    interrupt: Stream,
    stop: Stream,
    go_on: Stream,
    size: Stream,
}

impl Signals {
    /// Inside a runtime.
    pub fn new() -> io::Result<Self> {
        // The numbers of these two differ between systems, and tokio has no names for them.
        let (stop, go_on) = (rustix::process::Signal::TSTP.as_raw(), rustix::process::Signal::CONT.as_raw());
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop: signal(SignalKind::from_raw(stop))?,
            go_on: signal(SignalKind::from_raw(go_on))?,
            size: signal(SignalKind::window_change())?,
        })
    }

    /// The next one; may be dropped half-way.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            biased;
            _ = self.hangup.recv() => Asked::Hangup,
            _ = self.terminate.recv() => Asked::Terminate,
            _ = self.interrupt.recv() => Asked::Interrupt,
            _ = self.stop.recv() => Asked::Stop,
            _ = self.go_on.recv() => Asked::Continue,
            _ = self.size.recv() => Asked::Size,
        }
    }
}
