//! What the environment says about the terminal.

use std::time::Duration;

use crate::app::Look;
use crate::terminal::Patience;

/// How the screen may look and how fast the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Surroundings {
    pub(super) look: Look,
    pub(super) patience: Patience,
    /// Between two frames that data asked for.
    pub(super) interval: Duration,
}

impl Surroundings {
    /// From the environment.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let remote = set("SSH_CONNECTION") || set("SSH_TTY");
        // The first that is set decides, as in setlocale(3). Without any, the terminal of today is assumed.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(&variable).find(|value| !value.is_empty());
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let color = !set("NO_COLOR") && variable("TERM").is_none_or(|terminal| terminal != "dumb");
        Self {
            look: Look { color, unicode },
            patience: if remote { Patience::REMOTE } else { Patience::LOCAL },
            interval: Duration::from_millis(if remote { 66 } else { 33 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        type Row<'a> = (&'a [(&'a str, &'a str)], bool, bool, u64);
        let table: &[Row<'_>] = &[
            (&[], true, true, 33),
            (&[("LANG", "de_CH.UTF-8")], true, true, 33),
            (&[("LANG", "de_CH.UTF-8"), ("LC_ALL", "C")], true, false, 33),
            (&[("LANG", "C.utf8"), ("LC_ALL", "")], true, true, 33),
            (&[("NO_COLOR", "1")], false, true, 33),
            (&[("NO_COLOR", "")], true, true, 33),
            (&[("TERM", "dumb")], false, true, 33),
            (&[("SSH_TTY", "/dev/pts/3")], true, true, 66),
        ];
        for (variables, color, unicode, interval) in table {
            let variable =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            let found = Surroundings::read(variable);
            let look = Look { color: *color, unicode: *unicode };
            assert_eq!((found.look, found.interval), (look, Duration::from_millis(*interval)), "{variables:?}");
        }
    }
}
