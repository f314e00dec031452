//! Stopping as a job of a shell (Ctrl-Z).

use rustix::process::{Signal, getpgid, getsid, kill_current_process_group};

/// Stops the whole job, as Ctrl-Z does to programs that leave the key to the tty; returns after `fg`. False: there is
/// no shell to come back to, so nothing was done.
///
/// SIGSTOP and not SIGTSTP: the latter is handled here, so that it gives the terminal back when it comes from outside,
/// and a handled one stops nobody. What the system does for SIGTSTP, not to stop an orphaned process group (nobody could
/// ever wake it), is done here instead: a group with the session's leader in it (`ssh -t host ostler`, a terminal's own
/// command) has no job-control shell above it.
pub fn stop_job() -> bool {
    let (Ok(group), Ok(session)) = (getpgid(None), getsid(None)) else { return false };
    group != session && kill_current_process_group(Signal::STOP).is_ok()
}
