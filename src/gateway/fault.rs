//! What can go wrong with a call, and what it means for what was asked.

use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};

use super::connector::ConnectError;
use crate::domain::{Trouble, display_line};

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// It never left: nothing happened.
    NotSent(String),
    /// The connection broke under way: it may have happened.
    Broken(String),
    /// No answer in this time: it may have happened, or happen later.
    TimedOut(Duration),
    /// The server says no. But see [`Fault::is_certain`].
    Refused(Status),
}

impl Fault {
    /// Whether it is certain that nothing was changed.
    pub(super) fn is_certain(&self) -> bool {
        match self {
            Fault::NotSent(_) => true,
            Fault::Broken(_) | Fault::TimedOut(_) => false,
            // A server that gave up waiting for its own work says so; the work may be done later all the same. One that
            // is being moved does not know either.
            Fault::Refused(status) => {
                !matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled | Code::Unavailable | Code::Unknown)
            }
        }
    }

    /// In the terms of the inbox.
    pub(super) fn into_trouble(self) -> Trouble {
        match self {
            Fault::NotSent(reason) | Fault::Broken(reason) => Trouble::Unreachable(reason),
            Fault::TimedOut(waited) => Trouble::OutcomeUnknown(waited),
            Fault::Refused(status) => refused(&status),
        }
    }
}

/// Sorts a failed call. Only what a server said has no source behind it; everything else went wrong on the way.
pub(super) fn of(status: Status) -> Fault {
    let Some(source) = status.source() else { return Fault::Refused(status) };
    let mut next: Option<&(dyn Error + 'static)> = Some(source);
    while let Some(error) = next {
        if error.is::<tonic::ConnectError>() {
            return Fault::NotSent(innermost(source));
        }
        next = error.source();
    }
    Fault::Broken(innermost(source))
}

fn refused(status: &Status) -> Trouble {
    // It becomes part of a sentence, which has a full stop of its own.
    let message = status.message().strip_suffix('.').unwrap_or(status.message());
    let text = || message.into();
    match status.code() {
        Code::NotFound => Trouble::NotFound(text()),
        Code::Unimplemented => Trouble::Unsupported(display_line(message).into_owned()),
        Code::ResourceExhausted | Code::Unavailable => Trouble::Busy(text()),
        code => Trouble::Refused { code: name(code), text: text() },
    }
}

/// The name of a status code as gRPC writes it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The trouble of something that may have happened, whatever kept its answer away.
pub(super) fn unknown(waited: Duration) -> Trouble {
    Trouble::OutcomeUnknown(waited.max(Duration::from_secs(1)))
}

/// No connection, in the terms of the inbox.
pub(super) fn unreachable(error: &ConnectError) -> Trouble {
    Trouble::Unreachable(connect_reason(error))
}

/// Why there is no connection, safe to print.
pub(super) fn connect_reason(error: &ConnectError) -> String {
    display_line(&error.to_string()).into_owned()
}

/// The innermost cause says what happened ("connection refused"); the outer ones only "transport error".
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(inner) = error.source() {
        error = inner;
    }
    let text = error.to_string();
    // The system appends its number to the words; a person has no use for it.
    let plain = match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or(&text).to_lowercase(),
        None => text,
    };
    display_line(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_no_is_certain() {
        for code in (0..=16).map(Code::from_i32).filter(|code| *code != Code::Ok) {
            let fault = of(Status::new(code, "x\u{1b}[31m"));
            let unsure = [Code::DeadlineExceeded, Code::Cancelled, Code::Unavailable, Code::Unknown].contains(&code);
            assert_eq!(fault.is_certain(), !unsure, "{code:?}");
            let text = fault.into_trouble().to_string();
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
        assert!(!Fault::TimedOut(Duration::ZERO).is_certain() && !Fault::Broken(String::new()).is_certain());
        assert!(Fault::NotSent(String::new()).is_certain());
    }

    #[test]
    fn codes_have_their_grpc_names() {
        let refused = of(Status::failed_precondition("no")).into_trouble();
        assert_eq!(refused, Trouble::Refused { code: "FAILED_PRECONDITION", text: "no".into() });
        assert_eq!(of(Status::not_found("x")).into_trouble(), Trouble::NotFound("x".into()));
        assert_eq!(of(Status::not_found("No x.")).into_trouble(), Trouble::NotFound("No x".into()));
        assert_eq!(of(Status::unimplemented("x")).into_trouble(), Trouble::Unsupported("x".to_owned()));
        assert_eq!(of(Status::resource_exhausted("x")).into_trouble(), Trouble::Busy("x".into()));
    }
}
