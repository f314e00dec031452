//! What was typed and not sent yet, on the disk.
//!
//! One file a draft. Its name is made of a readable part and a hash of place, tenant and key, so that no id can name
//! another file; what it belongs to stands in it once more, so that a collision is found out. The definition's version
//! is in the file and not in its name: a task keeps its definition for life.
//!
//! The format is TOML: unlike JSON it knows infinity and "not a number", which a server may have stored in a field, and
//! a person can read it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{LocalError, files};
use crate::domain::{Draft, DraftKey};

/// The format that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;
const ENDING: &str = "toml";
/// Bytes of the readable part of a name; with hash and ending it stays far below the 255 that a name may have.
const READABLE: usize = 60;

/// The drafts of one place and tenant. Blocking: see the module [`crate::local`].
#[derive(Debug, Clone)]
pub struct Drafts {
    dir: PathBuf,
    place: String,
    tenant: String,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    place: &'a str,
    tenant: &'a str,
    draft: &'a Draft,
}

#[derive(Deserialize)]
struct Read {
    place: String,
    tenant: String,
    draft: Draft,
}

/// Read before the rest, which another format may have shaped otherwise.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Drafts {
    /// The drafts below a directory that belong to a place and tenant. The place is the store's id for a bundled
    /// engine and the address for a server: something that stays the same for as long as task ids mean the same.
    pub fn new(dir: impl Into<PathBuf>, place: impl Into<String>, tenant: impl Into<String>) -> Drafts {
        let dir = dir.into();
        files::sweep(&dir);
        Drafts { dir, place: place.into(), tenant: tenant.into() }
    }

    /// Keeps a draft, replacing the one of the same key. On the disk when this returns.
    pub fn keep(&self, draft: &Draft) -> Result<(), LocalError> {
        let written = Written { format: FORMAT, place: &self.place, tenant: &self.tenant, draft };
        let text = toml::to_string(&written).map_err(|error| LocalError::Format(error.to_string()))?;
        files::write(&self.path(&draft.key), text.as_bytes())
    }

    /// The draft of a key. A file that cannot be understood is set aside and reported once.
    pub fn find(&self, key: &DraftKey) -> Result<Option<Draft>, LocalError> {
        let Some(read) = self.read(&self.path(key))? else { return Ok(None) };
        let mine = read.place == self.place && read.tenant == self.tenant && read.draft.key == *key;
        Ok(mine.then_some(read.draft))
    }

    /// Removes the draft of a key; fine if there is none.
    pub fn remove(&self, key: &DraftKey) -> Result<(), LocalError> {
        files::remove(&self.path(key))
    }

    fn read(&self, path: &Path) -> Result<Option<Read>, LocalError> {
        let Some(bytes) = files::read(path)? else { return Ok(None) };
        let (ending, why) = match understand(&bytes) {
            Ok(read) => return Ok(Some(read)),
            Err(Fault::Newer(format)) => {
                (format!("format-{format}"), format!("was written by a newer ostler (format {format})"))
            }
            Err(Fault::Damaged(why)) => ("damaged".to_owned(), format!("cannot be read ({why})")),
        };
        Err(LocalError::SetAside { path: files::set_aside(path, &ending)?, why })
    }

    fn path(&self, key: &DraftKey) -> PathBuf {
        let mut hash = Hash::new();
        hash.part(&self.place);
        hash.part(&self.tenant);
        let readable = match key {
            DraftKey::Task(id) => {
                hash.part("task");
                for run in id.run.chain() {
                    hash.part(run);
                }
                hash.part("guid");
                hash.part(&id.guid);
                readable(&format!("{}-{}", id.run.chain().join("_"), id.guid))
            }
            DraftKey::Run(name) => {
                hash.part("run");
                hash.part(name);
                readable(&format!("run-{name}"))
            }
        };
        self.dir.join(format!("{readable}-{:032x}.{ENDING}", hash.0))
    }
}

enum Fault {
    Newer(u32),
    Damaged(String),
}

fn understand(bytes: &[u8]) -> Result<Read, Fault> {
    let damaged = |why: &str| Fault::Damaged(why.lines().next().unwrap_or_default().to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
    let format: Format = toml::from_str(text).map_err(|error| damaged(error.message()))?;
    match format.format {
        FORMAT => toml::from_str(text).map_err(|error| damaged(error.message())),
        newer if newer > FORMAT => Err(Fault::Newer(newer)),
        _ => Err(damaged("it names no format")),
    }
}

/// Letters, digits, `-` and `_` of a text; enough to recognise a file by, and nothing that a path could be made of.
fn readable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '.' })
        .skip_while(|c| matches!(c, '.' | '-'))
        .take(READABLE)
        .collect()
}

/// FNV-1a with 128 bits: stable for ever, which the standard library's hasher does not promise. Against collisions made
/// on purpose a file also says what it belongs to.
struct Hash(u128);

impl Hash {
    fn new() -> Hash {
        Hash(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    /// Takes a part with its length, so that `ab`,`c` differs from `a`,`bc`.
    fn part(&mut self, part: &str) {
        for byte in (part.len() as u64).to_le_bytes().into_iter().chain(part.bytes()) {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

#[cfg(test)]
mod tests;
