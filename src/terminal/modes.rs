//! The modes of the terminal: taken once, always given back.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use crossterm::cursor::{Hide, SetCursorStyle, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, KeyboardEnhancementFlags,
    PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::queue;
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use rustix::event::{PollFd, PollFlags};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{spend, wait_for};

/// How long an emergency waits for a terminal that takes nothing.
const EMERGENCY_LIMIT: Duration = Duration::from_millis(200);

/// Ends whatever sequence or text was cut off in the middle.
const BREAK_OFF: &[u8] = b"\x18\x1b\\";

/// The terminal that is ours now, for the panic hook. One process has one terminal.
static TAKEN: Mutex<Option<Arc<Modes>>> = Mutex::new(None);

/// Panics of other threads, to be told when the screen is the person's again.
static NOTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What there is to know to give the terminal back.
#[derive(Debug)]
pub(super) struct Modes {
    input: OwnedFd,
    output: OwnedFd,
    /// As the modes were when the terminal was taken last; `None` while it is not ours.
    before: Mutex<Option<Termios>>,
    /// Whether the kitty keyboard protocol was switched on.
    keyboard: AtomicBool,
    /// The thread whose panic is the end of the screen; `None` when panics are nobody's business here.
    owner: Option<ThreadId>,
}

impl Modes {
    /// The modes of a terminal. With `guarded`, a panic of this thread gives it back.
    pub(super) fn new(input: OwnedFd, output: OwnedFd, guarded: bool) -> Arc<Self> {
        Arc::new(Self {
            input,
            output,
            before: Mutex::new(None),
            keyboard: AtomicBool::new(false),
            owner: guarded.then(|| std::thread::current().id()),
        })
    }

    /// Switches the line to raw bytes and returns what to write first. In the background this stops the process until
    /// it is in the foreground, before anything is written.
    pub(super) fn take(self: &Arc<Self>) -> io::Result<Vec<u8>> {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let modes = match before.take() {
            // Taken already and taken again: a shell may have changed the line while the job was stopped.
            Some(modes) => modes,
            None => tcgetattr(&self.input)?,
        };
        let mut raw = modes.clone();
        raw.make_raw();
        *before = Some(modes);
        if let Err(error) = tcsetattr(&self.input, OptionalActions::Now, &raw) {
            *before = None;
            return Err(error.into());
        }
        if self.owner.is_some() {
            hook_panics();
            *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(self));
        }
        let mut bytes = Vec::new();
        // The cursor is shown only where text is typed: a bar between characters. Without line wrap, a terminal that
        // finds a character wider than we do spoils one cell, not the whole screen.
        queue!(
            bytes,
            EnterAlternateScreen,
            Hide,
            SetCursorStyle::SteadyBar,
            DisableLineWrap,
            EnableBracketedPaste,
            EnableFocusChange,
            Clear(ClearType::All)
        )?;
        if self.keyboard.load(Ordering::Relaxed) {
            queue!(bytes, PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES))?;
        }
        Ok(bytes)
    }

    /// The terminal speaks the kitty keyboard protocol: what to write to switch it on.
    pub(super) fn take_keyboard(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if !self.keyboard.swap(true, Ordering::Relaxed) {
            queue!(bytes, PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES))?;
        }
        Ok(bytes)
    }

    /// What to write before [`Modes::give_back`].
    pub(super) fn farewell(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        queue!(bytes, EndSynchronizedUpdate)?;
        if self.keyboard.load(Ordering::Relaxed) {
            queue!(bytes, PopKeyboardEnhancementFlags)?;
        }
        queue!(bytes, DisableFocusChange, DisableBracketedPaste, EnableLineWrap, SetCursorStyle::DefaultUserShape)?;
        bytes.extend_from_slice(b"\x1b[m");
        queue!(bytes, LeaveAlternateScreen, Show)?;
        Ok(bytes)
    }

    /// Puts the line back to the modes it had. Whether there was something to give back.
    pub(super) fn give_back(&self) -> bool {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.owner.is_some() {
            *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        match before {
            Some(modes) => {
                // A terminal that is gone has no modes to give back.
                let _ = tcsetattr(&self.input, OptionalActions::Now, &modes);
                true
            }
            None => false,
        }
    }

    /// Gives the terminal back from wherever the program is, past everything that is queued.
    pub(super) fn emergency(&self) {
        let before = match self.before.try_lock() {
            Ok(mut before) => before.take(),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            // The panic came while the modes were being changed, on this thread: its unwinding gives them back.
            Err(std::sync::TryLockError::WouldBlock) => return,
        };
        let Some(modes) = before else { return };
        let mut bytes = BREAK_OFF.to_vec();
        bytes.extend(self.farewell().unwrap_or_default());
        if wait_for(&mut [PollFd::new(&self.output, PollFlags::OUT)], Some(EMERGENCY_LIMIT)).is_ok_and(|ready| ready) {
            let _ = spend(self.output.as_fd(), &bytes);
        }
        let _ = tcsetattr(&self.input, OptionalActions::Now, &modes);
    }
}

/// Panics that did not end the program since the last call, in words.
pub fn noted_panics() -> Vec<String> {
    std::mem::take(&mut *NOTED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// From now on a panic of the thread that owns the terminal gives it back before its message is printed. A panic of
/// another thread (a call to the server, the bundled engine) does not end the program; its message would only tear the
/// screen, so it is noted for later.
fn hook_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let taken = match TAKEN.try_lock() {
                Ok(taken) => taken.clone(),
                Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
                Err(std::sync::TryLockError::WouldBlock) => None,
            };
            match taken {
                None => previous(info),
                Some(modes) if modes.owner == Some(std::thread::current().id()) => {
                    modes.emergency();
                    previous(info);
                }
                Some(_) => note(info),
            }
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let text = format!("{} (thread {})", info, thread.name().unwrap_or("without a name"));
    tracing::error!("{text}");
    if let Ok(mut noted) = NOTED.try_lock() {
        noted.push(text);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rustix::termios::LocalModes;

    use super::*;
    use crate::terminal::pty::Pty;

    fn is_raw(pty: &Pty) -> bool {
        !tcgetattr(&pty.tty).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    #[test]
    fn a_panic_of_the_owner_gives_the_terminal_back_and_one_elsewhere_does_not() {
        let pty = Pty::open();
        let modes = Modes::new(pty.tty.try_clone().unwrap(), pty.tty.try_clone().unwrap(), true);
        modes.take().unwrap();
        assert!(is_raw(&pty));

        let elsewhere =
            std::thread::Builder::new().name("elsewhere".to_owned()).spawn(|| panic!("of no matter")).unwrap();
        assert!(elsewhere.join().is_err());
        assert!(is_raw(&pty));
        let noted = noted_panics();
        assert!(noted.iter().any(|text| text.contains("of no matter") && text.contains("elsewhere")), "{noted:?}");

        let ended = catch_unwind(AssertUnwindSafe(|| panic!("the screen is lost (this text is expected)")));
        assert!(ended.is_err());
        assert!(!is_raw(&pty));
        let seen = pty.seen(b"\x1b[?25h");
        for restored in ["\x1b[?1049l", "\x1b[?2004l", "\x1b[?1004l", "\x1b[?7h", "\x1b[0 q", "\x1b[m", "\x1b[?2026l"] {
            assert!(seen.contains(restored), "{restored:?} in {seen:?}");
        }
        assert!(!modes.give_back(), "given back twice");
    }

    #[test]
    fn taking_twice_keeps_the_modes_from_before() {
        let pty = Pty::open();
        let modes = Modes::new(pty.tty.try_clone().unwrap(), pty.tty.try_clone().unwrap(), false);
        modes.take().unwrap();
        modes.take().unwrap();
        assert!(is_raw(&pty));
        assert!(modes.give_back());
        assert!(!is_raw(&pty));
    }
}
