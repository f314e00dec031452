//! A program in a pseudo-terminal, and somebody who looks at its screen.
//!
//! Everything waits for what stands on the screen, never for time. When it does not come within [`LIMIT`], the test
//! fails and shows the screen and the last bytes.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, ioctl_tiocsctty, kill_process, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// How long something may take on the slowest machine that runs this.
pub const LIMIT: Duration = Duration::from_secs(20);
/// The program under test.
pub const OSTLER: &str = env!("CARGO_BIN_EXE_ostler");

/// At most two programs with their engines at once: more of them would only wait for each other.
static ROOM: (Mutex<usize>, Condvar) = (Mutex::new(2), Condvar::new());

struct Place;

impl Place {
    fn take(places: usize) -> Vec<Self> {
        let mut free = ROOM.0.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < places {
            free = ROOM.1.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= places;
        (0..places).map(|_| Self).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *ROOM.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        ROOM.1.notify_all();
    }
}

/// A home directory of a test's own. Holds the right to run programs in it.
pub struct Home {
    dir: tempfile::TempDir,
    over_ssh: bool,
    _places: Vec<Place>,
}

impl Home {
    /// For one program at a time.
    pub fn new() -> Self {
        Self::for_programs(1)
    }

    /// For so many at a time.
    pub fn for_programs(count: usize) -> Self {
        let places = Place::take(count);
        let dir = tempfile::Builder::new().prefix("ostler-pty").tempdir().unwrap();
        for part in ["run", "data", "state", "config"] {
            let path = dir.path().join(part);
            std::fs::create_dir(&path).unwrap();
            rustix::fs::chmod(&path, rustix::fs::Mode::RWXU).unwrap();
        }
        Self { dir, over_ssh: false, _places: places }
    }

    /// At the other end of a line.
    pub fn over_ssh() -> Self {
        Self { over_ssh: true, ..Self::new() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The environment of every program: the same on every machine.
    fn environment(&self) -> Vec<(String, PathBuf)> {
        let at = |part: &str| self.path().join(part);
        let mut environment = vec![
            ("HOME", self.path().to_owned()),
            ("XDG_RUNTIME_DIR", at("run")),
            ("XDG_DATA_HOME", at("data")),
            ("XDG_STATE_HOME", at("state")),
            ("XDG_CONFIG_HOME", at("config")),
            ("TERM", "xterm-256color".into()),
            ("LANG", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
            ("PS1", "shell> ".into()),
        ];
        if self.over_ssh {
            environment.push(("SSH_TTY", "/dev/pts/0".into()));
        }
        if let Some(coverage) = std::env::var_os("LLVM_PROFILE_FILE") {
            environment.push(("LLVM_PROFILE_FILE", coverage.into()));
        }
        environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The inbox on the bundled engine, as amy of the group finance, on a screen of 120x40.
    pub fn inbox(&self) -> Session {
        self.ostler(&["--user", "amy", "--group", "finance"])
    }

    /// The program with arguments.
    pub fn ostler(&self, arguments: &[&str]) -> Session {
        self.run(OSTLER, arguments)
    }

    /// Any program.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Session {
        Session::start(self, program, arguments)
    }
}

/// A program on its terminal.
pub struct Session {
    child: Child,
    master: File,
    /// The other end, kept open so that its modes can be read when the program has ended.
    tty: File,
    before: Termios,
    screen: vt100::Parser,
    /// Everything that was written.
    bytes: Vec<u8>,
    gone: bool,
}

const TTY: &str = "OSTLER_TEST_TTY";
const COMMAND: &str = "OSTLER_TEST_COMMAND";
const SEPARATOR: char = '\u{1f}';

impl Session {
    fn start(home: &Home, program: &str, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let master = File::from(master);
        let tty = OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let before = tcgetattr(&tty).unwrap();
        // A program gets a controlling terminal only from inside: this very test program starts once more, makes the
        // session, and becomes the program (see `become_the_program`).
        let command: Vec<&str> = std::iter::once(program).chain(arguments.iter().copied()).collect();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["pty::session::become_the_program", "--exact", "--nocapture"])
            .env_clear()
            .envs(home.environment())
            .env(TTY, name)
            .env(COMMAND, command.join(&SEPARATOR.to_string()))
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut session =
            Self { child, master, tty, before, screen: vt100::Parser::new(1, 1, 0), bytes: Vec::new(), gone: false };
        session.resize(120, 40);
        session
    }

    /// A screen of this size. Sent to the program as SIGWINCH by the system.
    pub fn resize(&mut self, width: u16, height: u16) {
        let size = Winsize { ws_col: width, ws_row: height, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).unwrap();
        self.screen.screen_mut().set_size(height, width);
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Everything that was written so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The screen as the terminal has it.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Waits until the text stands somewhere on the screen.
    pub fn wait(&mut self, text: &str) -> &mut Self {
        self.wait_for(&format!("{text:?}"), |session| session.text().contains(text))
    }

    /// Waits until the text stands nowhere on the screen.
    pub fn gone(&mut self, text: &str) -> &mut Self {
        self.wait_for(&format!("no {text:?}"), |session| !session.text().contains(text))
    }

    /// Waits until something holds.
    pub fn wait_for(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> &mut Self {
        let until = Instant::now() + LIMIT;
        while !holds(self) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.gone {
                self.fail(&format!("never came: {what}"));
            }
            self.look(left);
        }
        self
    }

    /// Takes what comes within the time; whether anything came.
    pub fn look(&mut self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).unwrap();
        let mut source = [PollFd::new(&self.master, PollFlags::IN)];
        if poll(&mut source, Some(&limit)).unwrap_or(0) == 0 {
            return false;
        }
        let mut bytes = [0; 64 * 1024];
        match (&self.master).read(&mut bytes) {
            Ok(0) | Err(_) => {
                self.gone = true;
                false
            }
            Ok(count) => {
                self.screen.process(&bytes[..count]);
                self.bytes.extend_from_slice(&bytes[..count]);
                true
            }
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        // The program may fill the terminal while it is being written to: both have to go on.
        let mut rest = bytes;
        while !rest.is_empty() {
            let part = &rest[..rest.len().min(512)];
            let mut source = [PollFd::new(&self.master, PollFlags::OUT | PollFlags::IN)];
            poll(&mut source, None).unwrap();
            if source[0].revents().contains(PollFlags::OUT) {
                match (&self.master).write(part) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) => self.fail(&format!("nothing can be typed: {error}")),
                }
            } else {
                self.look(Duration::ZERO);
            }
        }
        self
    }

    /// Presses keys: names between spaces (`Enter Esc Down C-s`), everything else is typed as it stands.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for key in keys.split(' ') {
            let bytes: &[u8] = match key {
                "Enter" => b"\r",
                "Esc" => b"\x1b",
                "Tab" => b"\t",
                "BackTab" => b"\x1b[Z",
                "Up" => b"\x1b[A",
                "Down" => b"\x1b[B",
                "Right" => b"\x1b[C",
                "Left" => b"\x1b[D",
                "Space" => b" ",
                "Backspace" => b"\x7f",
                "C-d" => b"\x04",
                "C-r" => b"\x12",
                "C-s" => b"\x13",
                "C-z" => b"\x1a",
                typed => typed.as_bytes(),
            };
            self.send(bytes);
        }
        self
    }

    /// Pastes, bracketed.
    pub fn paste(&mut self, text: &[u8]) -> &mut Self {
        self.send(&[b"\x1b[200~", text, b"\x1b[201~"].concat())
    }

    pub fn signal(&mut self, signal: Signal) -> &mut Self {
        kill_process(self.pid(), signal).unwrap();
        self
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until the program has ended: its exit code, or 128 and the signal that killed it.
    pub fn exit(&mut self) -> i32 {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while self.look(Duration::ZERO) {}
                return status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            }
            if Instant::now() > until {
                self.fail("the program never ended");
            }
            self.look(Duration::from_millis(20));
        }
    }

    /// The terminal is as it was before the program: its modes, its screen, its cursor.
    pub fn assert_given_back(&mut self) {
        // The modes of the line follow the last bytes, and nothing tells when: they are asked for again and again.
        let until = Instant::now() + LIMIT;
        while !self.has_its_line_modes() && Instant::now() < until {
            self.look(Duration::from_millis(10));
        }
        let screen = self.screen();
        let wrong = [
            (!self.has_its_line_modes(), "the line's modes"),
            (screen.alternate_screen(), "the alternate screen"),
            (screen.hide_cursor(), "the hidden cursor"),
            (screen.bracketed_paste(), "bracketed paste"),
            (self.last_of("\x1b[?1004h", "\x1b[?1004l"), "focus reports"),
            (self.last_of("\x1b[?7l", "\x1b[?7h"), "line wrap"),
            (self.last_of("\x1b[?2026h", "\x1b[?2026l"), "synchronized output"),
            (self.last_of("\x1b[6 q", "\x1b[0 q"), "the cursor's shape"),
        ];
        let wrong: Vec<&str> = wrong.iter().filter(|(wrong, _)| *wrong).map(|(_, what)| *what).collect();
        if !wrong.is_empty() {
            self.fail(&format!("not given back: {}", wrong.join(", ")));
        }
    }

    fn has_its_line_modes(&self) -> bool {
        let modes = |modes: &Termios| (modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes);
        modes(&tcgetattr(&self.tty).unwrap()) == modes(&self.before)
    }

    /// Whether the first mark came after the second.
    fn last_of(&self, on: &str, off: &str) -> bool {
        let last = |mark: &str| self.bytes.windows(mark.len()).rposition(|part| part == mark.as_bytes());
        last(on) > last(off)
    }

    /// Fails the test and shows what there is to see.
    pub fn fail(&self, why: &str) -> ! {
        let mut shown = String::new();
        for line in self.text().lines() {
            let _ = writeln!(shown, "  |{line}");
        }
        let tail = &self.bytes[self.bytes.len().saturating_sub(2000)..];
        panic!("{why}\nthe screen:\n{shown}the last bytes: {:?}", String::from_utf8_lossy(tail));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: what [`Session::start`] starts, inside the new process. Among the tests it does nothing.
#[test]
fn become_the_program() {
    let (Ok(name), Ok(command)) = (std::env::var(TTY), std::env::var(COMMAND)) else { return };
    let become_it = || -> io::Result<()> {
        let tty = OpenOptions::new().read(true).write(true).open(name)?;
        setsid()?;
        ioctl_tiocsctty(&tty)?;
        rustix::stdio::dup2_stdin(&tty)?;
        rustix::stdio::dup2_stdout(&tty)?;
        rustix::stdio::dup2_stderr(&tty)?;
        let mut command = command.split(SEPARATOR);
        let program = command.next().unwrap_or_default();
        Err(Command::new(program).args(command).env_remove(TTY).env_remove(COMMAND).exec())
    };
    panic!("{:?}", become_it());
}
