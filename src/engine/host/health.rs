//! Whether the engine does its work, in words.

use std::time::Duration;

use crate::engine::writer::Engine;

/// A commit takes milliseconds; one that takes this long waits for a disk that hangs.
const LONGEST_BATCH: Duration = Duration::from_secs(20);

/// How the engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It reads and writes.
    Well,
    /// It reads, and refuses to write until it is started again; why. Starting it again at once would not help: the
    /// disk is what needs help.
    ReadOnly(String),
    /// It does not answer; why. Starting it again may help.
    Stuck(String),
}

impl Health {
    /// The trouble in words; none when all is well.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Well => None,
            Self::ReadOnly(trouble) | Self::Stuck(trouble) => Some(trouble),
        }
    }
}

/// Looks at an engine: its writer, its disk and a read.
pub(super) fn of(engine: &Engine) -> Health {
    with_patience(engine, LONGEST_BATCH)
}

fn with_patience(engine: &Engine, longest_batch: Duration) -> Health {
    if engine.has_stopped() {
        return Health::Stuck("the engine has stopped".to_owned());
    }
    // The store reopens itself for reading after an error, so a read that fails comes before the reason why it did.
    if let Err(fault) = engine.snapshot() {
        return Health::Stuck(fault.to_string());
    }
    if let Some(trouble) = engine.trouble() {
        return Health::ReadOnly(format!(
            "the engine is read-only because {trouble}; free the disk, then start it again"
        ));
    }
    match engine.stats().busy_for() {
        Some(time) if time > longest_batch => {
            Health::Stuck(format!("a commit has been running for {} s; the disk does not answer", time.as_secs()))
        }
        _ => Health::Well,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;
    use crate::api::littlehorse as lh;
    use crate::engine::core::{Actor, Applied, Command, Context, Refusal, State};
    use crate::engine::store::RealDisk;
    use crate::engine::writer::EngineOptions;

    /// What the stuck command tells when it is being carried out, and what it waits for.
    static STUCK: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>> = Mutex::new(None);

    fn hang(_: &dyn State, _: &Command) -> Result<Applied, Refusal> {
        let (at, until) = STUCK.lock().unwrap().take().unwrap();
        at.send(()).unwrap();
        let _ = until.recv();
        Err(Refusal::not_found("nothing"))
    }

    #[test]
    fn a_writer_that_hangs_is_not_well() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(directory.path());
        let (engine, mut writer) = Engine::open_stepped(&disk, EngineOptions::default(), hang).unwrap();
        let (at, is_at) = mpsc::channel();
        let (go_on, until) = mpsc::channel();
        *STUCK.lock().unwrap() = Some((at, until));
        let context = Context { tenant: "default".into(), actor: Actor::default(), at: 0, now: 0, seed: 0 };
        let _answer = engine.submit(Command { context, request: lh::RunWfRequest::default().into() }).unwrap();
        assert_eq!(of(&engine), Health::Well);
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                writer.step();
            });
            is_at.recv().unwrap();
            assert!(matches!(with_patience(&engine, Duration::ZERO), Health::Stuck(_)));
            assert_eq!(of(&engine), Health::Well);
            go_on.send(()).unwrap();
            writing.join().unwrap();
        });
        assert_eq!(with_patience(&engine, Duration::ZERO), Health::Well);
        drop(writer);
        assert!(matches!(of(&engine), Health::Stuck(_)));
    }
}
