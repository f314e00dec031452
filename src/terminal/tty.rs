//! The tty, taken and given back.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::Frame;
use ratatui::layout::Size;
use rustix::termios::{isatty, tcgetwinsize};
use tokio::sync::mpsc;

use super::clipboard;
use super::decoder::{Answer, Event};
use super::modes::Modes;
use super::output::{Output, Told};
use super::reader::{Heard, Patience, Reader};
use super::screen::Screen;

/// How long an answer to the probes is waited for when the terminal is given back: it must not appear in the shell.
const PROBE_LIMIT: Duration = Duration::from_millis(100);
/// How long the last bytes may take.
const FAREWELL_LIMIT: Duration = Duration::from_millis(500);

/// Everything that is asked of a terminal: the kitty keyboard protocol, synchronized output, and last its attributes,
/// which every terminal answers.
const PROBES: &[u8] = b"\x1b[?u\x1b[?2026$p\x1b[c";
const SYNCHRONIZED: u16 = 2026;

/// Why there is no terminal.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Standard output leads elsewhere.
    #[error("the inbox needs a terminal, and standard output is none; see `ostler --help` for what works without")]
    NotATerminal,
    /// The system refused.
    #[error("the terminal cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// What happens at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Keys, pastes and focus, in order.
    Events(Vec<Event>),
    /// A frame can be drawn again, after [`Terminal::draw`] said that it could not.
    Ready,
    /// The terminal is gone, without a signal or before it.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    NotSent,
    Sent(Instant),
    Answered,
}

/// The terminal. Dropping it gives it back.
#[derive(Debug)]
pub struct Terminal {
    modes: Arc<Modes>,
    output: Output,
    told: mpsc::UnboundedReceiver<Told>,
    reader: Reader,
    heard: VecDeque<Heard>,
    screen: Screen,
    /// What takes the screen, until it goes out with a frame: nothing flickers.
    first: Vec<u8>,
    /// For its size.
    tty: OwnedFd,
    probe: Probe,
    ours: bool,
}

impl Terminal {
    /// Takes the terminal of this process. Call it on the thread that will own it to the end.
    pub fn open(patience: Patience) -> Result<Self, OpenError> {
        let stdout = rustix::stdio::stdout();
        if !isatty(stdout) {
            return Err(OpenError::NotATerminal);
        }
        let tty = rustix::io::dup(stdout).map_err(io::Error::from)?;
        let stdin = rustix::stdio::stdin();
        // With something piped in, the keys still come from the terminal.
        let keys: OwnedFd = if isatty(stdin) {
            rustix::io::dup(stdin).map_err(io::Error::from)?
        } else {
            std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?.into()
        };
        Self::on(keys, tty, patience, true)
    }

    /// Takes the terminal with these two ends.
    fn on(keys: OwnedFd, tty: OwnedFd, patience: Patience, guarded: bool) -> Result<Self, OpenError> {
        let modes = Modes::new(keys.try_clone()?, tty.try_clone()?, guarded);
        let first = modes.take()?;
        let (tell, told) = mpsc::unbounded_channel();
        let started = Output::start(tty.try_clone()?, move |what| {
            let _ = tell.send(what);
        })
        .and_then(|output| Ok((output, Reader::start(keys, patience)?)));
        let (output, reader) = match started {
            Ok(started) => started,
            Err(error) => {
                modes.give_back();
                return Err(error.into());
            }
        };
        let screen = Screen::new(size_of(&tty));
        Ok(Self {
            modes,
            output,
            told,
            reader,
            heard: VecDeque::new(),
            screen,
            first,
            tty,
            probe: Probe::NotSent,
            ours: true,
        })
    }

    /// What happens next; may be dropped half-way.
    pub async fn next(&mut self) -> Happening {
        loop {
            if let Some(happening) = self.try_next() {
                return happening;
            }
            tokio::select! {
                biased;
                told = self.told.recv() => return happening(told),
                heard = self.reader.next() => self.heard.push_back(heard),
            }
        }
    }

    /// What has happened already.
    pub fn try_next(&mut self) -> Option<Happening> {
        if let Ok(told) = self.told.try_recv() {
            return Some(happening(Some(told)));
        }
        while let Some(heard) = self.heard.pop_front().or_else(|| self.reader.try_next()) {
            let Heard::Events(mut events) = heard else { return Some(Happening::Gone) };
            events.retain(|event| match event {
                Event::Answer(answer) => {
                    self.answered(*answer);
                    false
                }
                _ => true,
            });
            if !events.is_empty() {
                return Some(Happening::Events(events));
            }
        }
        None
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            // An answer in the moment in which the terminal is given away changes nothing any more.
            Answer::Keyboard(_) if self.ours => self.output.send(&self.modes.take_keyboard().unwrap_or_default()),
            Answer::Keyboard(_) => {}
            Answer::Mode { mode: SYNCHRONIZED, state } => self.screen.set_synchronized(matches!(state, 1..=3)),
            Answer::Mode { .. } => {}
            Answer::Attributes => self.probe = Probe::Answered,
        }
    }

    /// Draws a frame and sends what changed, in one piece. False: the last frame is still on its way (or the terminal
    /// is not ours); nothing was drawn, and [`Happening::Ready`] tells when to try again.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> bool {
        if !self.ours || !self.output.ready() {
            return false;
        }
        let mut bytes = std::mem::take(&mut self.first);
        bytes.append(&mut self.screen.draw(draw));
        // Only now, after the first frame: the person sees something before anything is asked.
        if self.probe == Probe::NotSent {
            self.probe = Probe::Sent(Instant::now());
            bytes.extend_from_slice(PROBES);
        }
        self.output.send(&bytes);
        true
    }

    /// The size in cells.
    pub fn size(&self) -> Size {
        self.screen.size()
    }

    /// Asks the tty for its size, as SIGWINCH demands. The new size, if it is a new one.
    pub fn measure(&mut self) -> Option<Size> {
        let size = size_of(&self.tty);
        if size == self.screen.size() {
            return None;
        }
        self.screen.resize(size);
        Some(size)
    }

    /// Puts a text on the clipboard, where the terminal lets programs do so. Nobody ever answers whether it did.
    pub fn copy(&self, text: &str) {
        match clipboard::copy(text) {
            Some(bytes) if self.ours => self.output.send(&bytes),
            Some(_) => {}
            None => tracing::info!("a text was too long for the clipboard"),
        }
    }

    /// Gives the terminal back, for now or for good: afterwards its modes are as they were, and not a byte of its input
    /// is taken.
    pub fn release(&mut self) {
        if !std::mem::take(&mut self.ours) {
            return;
        }
        self.await_answers();
        self.reader.pause();
        // A screen that was never drawn was never taken.
        if self.first.is_empty() {
            self.output.send(&self.modes.farewell().unwrap_or_default());
        }
        self.first.clear();
        if self.output.drain(FAREWELL_LIMIT) {
            self.modes.give_back();
        } else {
            self.modes.emergency();
            self.modes.give_back();
        }
    }

    /// Takes the terminal again after [`Terminal::release`]. The next frame draws everything.
    pub fn retake(&mut self) -> io::Result<()> {
        self.first = self.modes.take()?;
        self.screen.resize(size_of(&self.tty));
        self.screen.forget();
        self.reader.go_on();
        self.ours = true;
        Ok(())
    }

    /// Whether a frame could be drawn now. If not, [`Happening::Ready`] will tell, or [`Terminal::retake`].
    pub fn is_ready(&self) -> bool {
        self.ours && self.output.ready()
    }

    /// What is asked is waited for, else the answer would be read by whoever comes next.
    fn await_answers(&mut self) {
        let Probe::Sent(at) = self.probe else { return };
        while let Some(left) = PROBE_LIMIT.checked_sub(at.elapsed()) {
            let heard = self.reader.next_within(left);
            match heard {
                Some(Heard::Events(mut events)) => {
                    let ended = events.contains(&Event::Answer(Answer::Attributes));
                    events.retain(|event| !matches!(event, Event::Answer(_)));
                    if !events.is_empty() {
                        self.heard.push_back(Heard::Events(events));
                    }
                    if ended {
                        break;
                    }
                }
                Some(Heard::Gone) | None => break,
            }
        }
        self.probe = Probe::Answered;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.release();
    }
}

fn happening(told: Option<Told>) -> Happening {
    match told {
        Some(Told::Ready) => Happening::Ready,
        Some(Told::Gone) | None => Happening::Gone,
    }
}

/// The size of the tty in cells. Some lines (serial ones, bare PTYs) know none: the least of all terminals then.
fn size_of(tty: &OwnedFd) -> Size {
    match tcgetwinsize(tty) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size { width: size.ws_col, height: size.ws_row },
        _ => Size { width: 80, height: 24 },
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;
    use crate::input::Chord;
    use crate::terminal::pty::Pty;

    const PATIENCE: Patience = Patience::LOCAL;

    fn open(pty: &Pty) -> Terminal {
        Terminal::on(pty.tty.try_clone().unwrap(), pty.tty.try_clone().unwrap(), PATIENCE, false).unwrap()
    }

    async fn next(terminal: &mut Terminal) -> Happening {
        tokio::time::timeout(Duration::from_secs(20), terminal.next()).await.expect("nothing happened")
    }

    fn hello(frame: &mut Frame<'_>) {
        frame.render_widget("hello", Rect { x: 0, y: 0, width: 10, height: 1 });
    }

    #[tokio::test]
    async fn the_first_frame_comes_before_the_questions_and_answers_are_obeyed() {
        let pty = Pty::open();
        let mut terminal = open(&pty);
        assert!(terminal.draw(hello));
        let seen = pty.seen(b"\x1b[c");
        let order = [seen.find("\x1b[?1049h"), seen.find("hello"), seen.find("\x1b[?u"), seen.find("\x1b[?2026$p")];
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?} in {seen:?}");
        // A key in the middle of the answers stays a key; the answers are nobody's keys.
        pty.types(b"\x1b[?0u\x1b[?2026;0$yk\x1b[?62c");
        let key = Happening::Events(vec![Event::Key(Chord::char('k'))]);
        assert_eq!(next(&mut terminal).await, key);
        assert!(pty.seen(b"\x1b[>1u").contains("\x1b[>1u"));
        pty.types(b"j");
        assert_eq!(next(&mut terminal).await, Happening::Events(vec![Event::Key(Chord::char('j'))]));
        // Without synchronized output, frames have no marks; and the keyboard is given back too.
        while !terminal.is_ready() {
            assert_eq!(next(&mut terminal).await, Happening::Ready);
        }
        assert!(terminal.draw(|frame| frame.render_widget("other", frame.area())));
        drop(terminal);
        let seen = pty.seen(b"\x1b[?25h");
        assert!(seen.contains("other") && seen.contains("\x1b[<1u") && !seen.contains("\x1b[?2026h"), "{seen:?}");
    }

    #[tokio::test]
    async fn what_was_released_is_taken_again_and_drawn_whole() {
        let pty = Pty::open();
        let mut terminal = open(&pty);
        assert!(terminal.draw(hello));
        pty.seen(b"\x1b[c");
        pty.types(b"\x1b[?62c");
        terminal.release();
        assert!(pty.seen(b"\x1b[?25h").contains("\x1b[?1049l"));
        assert!(!terminal.draw(hello), "it is not ours");
        terminal.retake().unwrap();
        assert!(terminal.draw(hello));
        let seen = pty.seen(b"hello");
        assert!(seen.contains("\x1b[?1049h") && !seen.contains("\x1b[c"), "{seen:?}");
        pty.types(b"x");
        assert_eq!(next(&mut terminal).await, Happening::Events(vec![Event::Key(Chord::char('x'))]));
    }

    #[tokio::test]
    async fn a_size_is_told_once_and_a_terminal_without_one_has_the_usual() {
        let pty = Pty::open();
        let mut terminal = open(&pty);
        assert_eq!(terminal.size(), Size { width: 80, height: 24 });
        pty.resize(20, 5);
        assert_eq!(terminal.measure(), Some(Size { width: 20, height: 5 }));
        assert_eq!(terminal.measure(), None);
    }

    #[tokio::test]
    async fn a_terminal_that_goes_away_is_told_and_dropping_it_ends() {
        let pty = Pty::open();
        let mut terminal = open(&pty);
        drop(pty);
        assert_eq!(next(&mut terminal).await, Happening::Gone);
        terminal.draw(hello);
    }
}
