//! Ending the program without losing anything.

use std::time::Duration;

use super::acts::PendingKind;
use super::effect::{Effect, Exit};
use super::model::Model;
use super::msg::Signal;
use super::sheet::Tone;
use crate::domain::{HostInfo, Place, Trouble};

/// How long answers are waited for at the end.
const WAIT_FOR_ANSWERS: Duration = Duration::from_secs(5);
/// How long the host is asked about its timers.
const WAIT_FOR_HOST: Duration = Duration::from_millis(300);

/// The program is about to end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quitting {
    pub(crate) stage: Stage,
    pub(crate) deadline: Option<Duration>,
    pub(crate) signal: Option<Signal>,
    /// Why the service could not be installed.
    pub(crate) problem: Option<String>,
}

/// Whether the bundled engine can run as a service of this person's, and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Not on this machine, or not for this engine.
    Impossible,
    /// It can be installed.
    Possible,
    /// It is installed: it goes on when the inbox ends.
    Installed,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The host says how many timers wait.
    AskHost,
    /// The person decides, knowing that so many timers wait.
    Timers(u64),
    /// The service that goes on with so many timers is being installed.
    Installing(u64),
    /// The answers to what was sent.
    Answers,
}

impl Model {
    /// `q`: drafts first, then the timers that stop with the last ostler, then the answers still under way.
    pub(crate) fn quit(&mut self, effects: &mut Vec<Effect>) {
        self.keep_drafts(effects);
        self.overlay = None;
        let hosts = self.host.as_ref().is_some_and(|host| host.place == Place::Local && !host.throwaway);
        if hosts {
            self.load_host(effects);
            self.quitting = Some(Quitting {
                stage: Stage::AskHost,
                deadline: Some(self.now.since_start + WAIT_FOR_HOST),
                signal: None,
                problem: None,
            });
        } else {
            self.wait_for_answers(None, effects);
        }
    }

    /// A signal ends the program: no questions.
    pub(crate) fn end_by(&mut self, signal: Signal, effects: &mut Vec<Effect>) {
        self.keep_drafts(effects);
        match signal {
            Signal::Hangup => self.end(Some(signal), effects),
            _ => self.wait_for_answers(Some(signal), effects),
        }
    }

    pub(crate) fn wait_for_answers(&mut self, signal: Option<Signal>, effects: &mut Vec<Effect>) {
        // A text in the editor is no change that somebody could wait for.
        let waits = self.pending.values().any(|pending| !matches!(pending.kind, PendingKind::Editor(..)));
        if waits {
            let deadline = Some(self.now.since_start + WAIT_FOR_ANSWERS);
            self.quitting = Some(Quitting { stage: Stage::Answers, deadline, signal, problem: None });
        } else {
            self.end(signal, effects);
        }
    }

    /// The end. What is still under way is told on the normal screen.
    pub(crate) fn end(&mut self, signal: Option<Signal>, effects: &mut Vec<Effect>) {
        self.keep_drafts(effects);
        let mut notes: Vec<String> = self.unknown.drain(..).map(|label| format!("outcome unknown: {label}")).collect();
        notes.append(&mut self.parting);
        notes.extend(self.pending.values().map(|pending| format!("no answer yet: {}", pending.label)));
        self.quitting = None;
        effects.push(Effect::Quit { exit: Exit { notes, signal } });
    }

    fn ask_about(&mut self, timers: u64, problem: Option<String>) {
        self.quitting = Some(Quitting { stage: Stage::Timers(timers), deadline: None, signal: None, problem });
    }

    /// Has the service installed that goes on with the timers.
    pub(crate) fn install_service(&mut self, effects: &mut Vec<Effect>) {
        if let Some(quitting) = &mut self.quitting
            && let Stage::Timers(timers) = quitting.stage
            && self.service == Service::Possible
        {
            quitting.stage = Stage::Installing(timers);
            quitting.problem = None;
            effects.push(Effect::InstallService);
        }
    }

    /// The service is installed, and the program ends; or it is not, and the person decides again.
    pub(crate) fn service_installed(&mut self, result: Result<Vec<String>, Trouble>, effects: &mut Vec<Effect>) {
        let timers = match self.quitting.as_ref().map(|quitting| quitting.stage) {
            Some(Stage::Installing(timers)) => Some(timers),
            _ => None,
        };
        match (result, timers) {
            (Ok(said), timers) => {
                self.service = Service::Installed;
                self.parting.extend(said);
                if timers.is_some() {
                    self.wait_for_answers(None, effects);
                }
            }
            (Err(trouble), Some(timers)) => self.ask_about(timers, Some(trouble.to_string())),
            (Err(trouble), None) => self.say(Tone::Error, trouble.to_string()),
        }
    }

    /// Goes on with ending, when what was waited for has come or its time is up.
    pub(crate) fn settle_quit(&mut self, host: Option<&HostInfo>, effects: &mut Vec<Effect>) {
        let Some(quitting) = self.quitting.clone() else { return };
        let late = quitting.deadline.is_some_and(|deadline| deadline <= self.now.since_start);
        match quitting.stage {
            Stage::AskHost => match host.and_then(|host| host.pending_timers) {
                Some(timers) if timers > 0 && self.service != Service::Installed => self.ask_about(timers, None),
                Some(_) => self.wait_for_answers(None, effects),
                None if late || host.is_some() => self.wait_for_answers(None, effects),
                None => {}
            },
            Stage::Timers(_) | Stage::Installing(_) => {}
            Stage::Answers => {
                if late || self.pending.is_empty() {
                    self.end(quitting.signal, effects);
                }
            }
        }
    }
}
