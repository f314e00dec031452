//! A pseudo-terminal for the tests of this room.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::wait_for;

/// Both ends. The terminal under test has `tty`.
pub(super) struct Pty {
    pub(super) tty: OwnedFd,
    master: File,
}

impl Pty {
    pub(super) fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let tty = OpenOptions::new().read(true).write(true).open(name).unwrap();
        Self { tty: tty.into(), master: File::from(master) }
    }

    pub(super) fn types(&self, bytes: &[u8]) {
        (&self.master).write_all(bytes).unwrap();
    }

    pub(super) fn resize(&self, width: u16, height: u16) {
        tcsetwinsize(&self.master, Winsize { ws_col: width, ws_row: height, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    /// Everything that was written since the last call, up to and including this.
    pub(super) fn seen(&self, end: &[u8]) -> String {
        let mut seen = Vec::new();
        while !seen.windows(end.len()).any(|part| part == end) {
            let mut source = [PollFd::new(&self.master, PollFlags::IN)];
            let shown = String::from_utf8_lossy(&seen).into_owned();
            assert!(
                wait_for(&mut source, Some(Duration::from_secs(20))).unwrap(),
                "never came: {end:?} after {shown:?}"
            );
            let mut bytes = [0; 4096];
            let count = (&self.master).read(&mut bytes).unwrap();
            seen.extend_from_slice(&bytes[..count]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }
}
