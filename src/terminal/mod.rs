//! The only room that touches the tty.
//!
//! [`Terminal`] takes it and always gives it back: in order by [`Terminal::release`], when it is dropped, and in a
//! panic of the thread that owns it. Input comes from a thread that reads and decodes ([`Decoder`]), output goes to one
//! that writes; neither a stalled line nor a person who types fast holds the loop.

mod clipboard;
mod decoder;
mod encoder;
mod job;
mod modes;
mod output;
#[cfg(test)]
mod pty;
mod reader;
mod screen;
mod signals;
mod tty;

pub use decoder::{Answer, Decoder, Event, Waits};
pub use job::stop_job;
pub use modes::noted_panics;
pub use ratatui::layout::Size;
pub use reader::Patience;
pub use screen::Screen;
pub use signals::{Asked, Signals};
pub use tty::{Happening, OpenError, Terminal};

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Waits until one of them is ready (true) or the time is over (false).
fn wait_for(sources: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<bool> {
    let until = limit.map(|limit| Instant::now() + limit);
    loop {
        let left = match until {
            Some(until) => {
                Some(Timespec::try_from(until.saturating_duration_since(Instant::now())).map_err(|_| Errno::INVAL)?)
            }
            None => None,
        };
        match poll(sources, left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes all of it, in one piece where the terminal takes it so. A terminal that some other program made non-blocking
/// is waited for.
fn spend(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                wait_for(&mut [PollFd::new(&to, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
