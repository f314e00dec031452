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
    /// The thread whose end is the end of the screen.
    owner: ThreadId,
}

impl Modes {
    pub(super) fn new(input: OwnedFd, output: OwnedFd) -> Arc<Self> {
        Arc::new(Self {
            input,
            output,
            before: Mutex::new(None),
            keyboard: AtomicBool::new(false),
            owner: std::thread::current().id(),
        })
    }

    /// Switches the line to raw bytes and returns what to write first. In the background this stops the process until
    /// it is in the foreground, before anything is written.
    pub(super) fn take(self: &Arc<Self>) -> io::Result<Vec<u8>> {
        hook_panics();
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if before.is_none() {
            let modes = tcgetattr(&self.input)?;
            let mut raw = modes.clone();
            raw.make_raw();
            tcsetattr(&self.input, OptionalActions::Now, &raw)?;
            *before = Some(modes);
        }
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(self));
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
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = None;
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
                Some(modes) if modes.owner == std::thread::current().id() => {
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
