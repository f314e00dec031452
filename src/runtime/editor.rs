//! A field in the person's own editor.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::sync::mpsc::UnboundedSender;

use crate::app::Ticket;
use crate::domain::{FieldPath, Trouble};

/// An editor that ended.
#[derive(Debug)]
pub(super) struct Edited {
    pub(super) ticket: Ticket,
    pub(super) result: Result<String, Trouble>,
}

/// Starts the editor on a private file and returns; `done` tells when it has ended. The terminal must have been given
/// back before.
pub(super) fn start(ticket: Ticket, field: &FieldPath, text: &str, done: UnboundedSender<Edited>) {
    let editor = choose(|name| std::env::var(name).ok());
    let started = write_private(&file_name(ticket, field), text).and_then(|path| {
        let thread = std::thread::Builder::new().name("editor".to_owned());
        let (text, done) = (text.to_owned(), done.clone());
        thread.spawn(move || {
            let result = edit(&editor, &path, &text);
            let _ = fs::remove_file(&path);
            let _ = done.send(Edited { ticket, result });
        })
    });
    if let Err(error) = started {
        let result = Err(Trouble::Local(format!("no file for the editor could be written: {error}")));
        let _ = done.send(Edited { ticket, result });
    }
}

/// `$VISUAL`, `$EDITOR`, or what every Unix has. May hold arguments.
fn choose(variable: impl Fn(&str) -> Option<String>) -> String {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(variable).find(|editor| !editor.trim().is_empty());
    named.unwrap_or_else(|| "vi".to_owned())
}

/// Names the field, so that the editor's title tells where one is; nothing else of a field's key gets into it.
fn file_name(ticket: Ticket, field: &FieldPath) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let field: String = field.keys().join("-").chars().map(safe).take(40).collect();
    format!("ostler-{}-{}-{field}.txt", std::process::id(), ticket.0)
}

fn write_private(name: &str, text: &str) -> io::Result<PathBuf> {
    let dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir());
    let path = dir.unwrap_or_else(std::env::temp_dir).join(name);
    // Never through a link that somebody laid there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    Ok(path)
}

fn edit(editor: &str, path: &Path, before: &str) -> Result<String, Trouble> {
    // Through the shell, as git does: editors are configured with arguments and quotes.
    let status = Command::new("/bin/sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("ostler").arg(path).status();
    match status {
        Err(error) => Err(Trouble::Local(format!("the editor could not be started: {error}"))),
        Ok(status) if !status.success() => {
            Err(Trouble::Local(format!("the editor \"{editor}\" ended with {status}; the text is as it was")))
        }
        Ok(_) => match fs::read_to_string(path) {
            // Editors end the last line; a text that had no such end does not get one.
            Ok(text) if !before.ends_with('\n') => {
                Ok(text.strip_suffix('\n').map_or(text.clone(), |text| text.trim_end_matches('\r').to_owned()))
            }
            Ok(text) => Ok(text),
            Err(error) => Err(Trouble::Local(format!("what the editor wrote cannot be read: {error}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_editor_is_the_one_the_person_chose() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[], "vi"),
            (&[("EDITOR", "nano -w")], "nano -w"),
            (&[("VISUAL", "hx"), ("EDITOR", "nano")], "hx"),
            (&[("VISUAL", " "), ("EDITOR", "nano")], "nano"),
        ];
        for (variables, expected) in table {
            let variable =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(choose(variable), *expected);
        }
    }

    #[test]
    fn a_file_name_holds_nothing_of_a_path() {
        let field = FieldPath::new(vec!["../etc".to_owned(), "pass wd\u{1b}".to_owned()]);
        let name = file_name(Ticket(7), &field);
        assert!(name.ends_with("-7----etc-pass-wd-.txt"), "{name}");
    }

    #[test]
    fn what_the_editor_wrote_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("field.txt");
        fs::write(&path, "one").unwrap();
        assert_eq!(edit("printf 'two\\nlines\\n' >", &path, "one"), Ok("two\nlines".to_owned()));
        assert_eq!(edit("true", &path, "one\n"), Ok("two\nlines\n".to_owned()));
        let failed = edit("false", &path, "one").unwrap_err().to_string();
        assert!(failed.contains("as it was"), "{failed}");
    }
}
