//! Index rows as a function of the objects, and what their values hold.
//!
//! A value holds all that a search page or a task row shows, so a page never touches the objects. Attributes and
//! texts are numbers of the dictionary; those are unique over all tenants, so a key that holds one is of one tenant.

use std::collections::BTreeMap;

use crate::api::littlehorse as lh;
use crate::engine::core::derive::{Derived, Numbers};
use crate::engine::core::key::{self, IdKind, Index, KeyIndex, Place, RunRef, Word, take_u32, take_u64};
use crate::engine::core::read;
use crate::engine::core::record::{UserTaskRunRecord, WfRunRecord};
use crate::engine::core::{Fault, id};

/// Layout of the values; a new one gets a new number.
const LAYOUT: u8 = 1;
/// Bytes of a task's notes that an index row keeps.
const NOTES: usize = 240;

/// Rows of [`Table::Idx`] with their values.
///
/// [`Table::Idx`]: crate::engine::core::Table::Idx
pub type Rows = BTreeMap<(Index, u32, u8, u64), Vec<u8>>;

/// Keys of [`Table::KeyIdx`]; their values are those of [`Rows`] or empty.
///
/// [`Table::KeyIdx`]: crate::engine::core::Table::KeyIdx
pub type KeyRows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the index knows of a UserTaskRun. Numbers are of the dictionary, 0 where there is no user or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFacets {
    /// Name of the definition.
    pub def: u32,
    /// Version of the definition.
    pub version: i32,
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// Name of the WfSpec.
    pub spec: u32,
    /// When it was scheduled, in milliseconds since 1970.
    pub scheduled: i64,
    /// The WfRun it lives in.
    pub run: RunRef,
    /// Where it lives there.
    pub place: Place,
    /// The beginning of its notes.
    pub notes: Option<String>,
    /// Text form of the id of the WfRun.
    pub run_text: String,
}

impl TaskFacets {
    /// Of a stored UserTaskRun; `number` finds or makes the number of a text.
    pub fn of(run: RunRef, place: Place, record: &UserTaskRunRecord, number: &mut Numbers<'_>) -> Result<Self, Fault> {
        let task = &record.message;
        let mut optional = |word, text: &Option<String>| match text {
            Some(text) => number(word, text),
            None => Ok(0),
        };
        let (user, group) = (optional(Word::User, &task.user_id)?, optional(Word::Group, &task.user_group)?);
        let def = task.user_task_def_id.clone().unwrap_or_default();
        let run_id = task.id.as_ref().and_then(|id| id.wf_run_id.as_ref());
        Ok(Self {
            def: number(Word::Name, &def.name)?,
            version: def.version,
            user,
            group,
            spec: number(Word::Name, &record.facts.wf_spec_name)?,
            scheduled: task.scheduled_time.as_ref().map(id::milliseconds).unwrap_or_default(),
            run,
            place,
            notes: task.notes.as_deref().map(|notes| beginning(notes, NOTES).to_owned()),
            run_text: run_id.map(id::wf_run_text).unwrap_or_default(),
        })
    }

    /// As a value of the index.
    pub fn encode(&self) -> Vec<u8> {
        let notes = self.notes.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(48 + notes.len() + self.run_text.len());
        bytes.push(LAYOUT);
        for number in [self.def, self.version.cast_unsigned(), self.user, self.group, self.spec] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.scheduled.to_be_bytes());
        bytes.extend(self.run.0.to_be_bytes());
        bytes.extend(self.place.sub().to_be_bytes());
        // 255 stands for "no notes": the beginning of notes is shorter than that.
        bytes.push(match &self.notes {
            Some(notes) => u8::try_from(notes.len()).unwrap_or(NOTES as u8),
            None => u8::MAX,
        });
        bytes.extend(notes.as_bytes());
        bytes.extend(self.run_text.as_bytes());
        bytes
    }

    /// Back from a value of the index.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[LAYOUT])?;
        let (def, rest) = take_u32(rest)?;
        let (version, rest) = take_u32(rest)?;
        let (user, rest) = take_u32(rest)?;
        let (group, rest) = take_u32(rest)?;
        let (spec, rest) = take_u32(rest)?;
        let (scheduled, rest) = take_u64(rest)?;
        let (run, rest) = take_u64(rest)?;
        let (sub, rest) = take_u64(rest)?;
        let (length, rest) = rest.split_first()?;
        let (notes, rest) = match length {
            &u8::MAX => (None, rest),
            length => {
                let (notes, rest) = rest.split_at_checked(usize::from(*length))?;
                (Some(std::str::from_utf8(notes).ok()?.to_owned()), rest)
            }
        };
        Some(Self {
            def,
            version: version.cast_signed(),
            user,
            group,
            spec,
            scheduled: scheduled.cast_signed(),
            run: RunRef(run),
            place: Place::from_sub(sub),
            notes,
            run_text: std::str::from_utf8(rest).ok()?.to_owned(),
        })
    }

    /// The public id.
    pub fn id(&self) -> lh::UserTaskRunId {
        lh::UserTaskRunId { wf_run_id: Some(id::wf_run_id(&self.run_text)), user_task_guid: self.place.guid() }
    }
}

/// The part of [`TaskFacets`] that filters test, read without making texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskHead {
    /// Name of the definition.
    pub def: u32,
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// When it was scheduled, in milliseconds since 1970.
    pub scheduled: i64,
}

impl TaskHead {
    /// From a value of the index.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[LAYOUT])?;
        let (def, rest) = take_u32(rest)?;
        let (_version, rest) = take_u32(rest)?;
        let (user, rest) = take_u32(rest)?;
        let (group, rest) = take_u32(rest)?;
        let (_spec, rest) = take_u32(rest)?;
        let (scheduled, _) = take_u64(rest)?;
        Some(Self { def, user, group, scheduled: scheduled.cast_signed() })
    }
}

/// What follows from a UserTaskRun.
pub(super) fn user_task_run(
    run: RunRef,
    place: Place,
    tenant: u32,
    record: &UserTaskRunRecord,
    numbers: &mut Numbers<'_>,
) -> Result<Derived, Fault> {
    let facets = TaskFacets::of(run, place, record, numbers)?;
    let value = facets.encode();
    let status = status_byte(record.message.status);
    let mut attributes = vec![(Index::TasksAll, tenant), (Index::TasksByDef, facets.def)];
    attributes.extend(record.message.user_id.is_some().then_some((Index::TasksByUser, facets.user)));
    attributes.extend(record.message.user_group.is_some().then_some((Index::TasksByGroup, facets.group)));
    let ordinal = record.facts.ordinal;
    let rows = attributes.into_iter().map(|(index, attr)| ((index, attr, status, ordinal), value.clone())).collect();
    let mut derived = Derived { rows, ..Default::default() };
    let armed = record.facts.hooks.iter().filter(|_| !record.facts.closed);
    for hook in armed {
        let slot = u16::try_from(hook.slot).unwrap_or_default();
        derived.timer(tenant, hook.due, read::user_task_run_key(run, place, 0), slot);
    }
    Ok(derived)
}

/// What the index knows of a WfRun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFacets {
    /// Name of the WfSpec, by its number.
    pub spec: u32,
    /// Major version of the WfSpec.
    pub major: i32,
    /// Revision of the WfSpec.
    pub revision: i32,
    /// Status, for rows whose key does not hold it.
    pub status: u8,
    /// When it started, in milliseconds since 1970.
    pub started: i64,
    /// Text form of its id.
    pub text: String,
}

impl RunFacets {
    /// As a value of the index.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(22 + self.text.len());
        bytes.push(LAYOUT);
        for number in [self.spec, self.major.cast_unsigned(), self.revision.cast_unsigned()] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.push(self.status);
        bytes.extend(self.started.to_be_bytes());
        bytes.extend(self.text.as_bytes());
        bytes
    }

    /// Back from a value of the index.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[LAYOUT])?;
        let (spec, rest) = take_u32(rest)?;
        let (major, rest) = take_u32(rest)?;
        let (revision, rest) = take_u32(rest)?;
        let (status, rest) = rest.split_first()?;
        let (started, rest) = take_u64(rest)?;
        Some(Self {
            spec,
            major: major.cast_signed(),
            revision: revision.cast_signed(),
            status: *status,
            started: started.cast_signed(),
            text: std::str::from_utf8(rest).ok()?.to_owned(),
        })
    }
}

/// What follows from a WfRun.
pub(super) fn wf_run(
    run: RunRef,
    tenant: u32,
    record: &WfRunRecord,
    numbers: &mut Numbers<'_>,
) -> Result<Derived, Fault> {
    let spec = record.message.wf_spec_id.clone().unwrap_or_default();
    let facets = RunFacets {
        spec: numbers(Word::Name, &spec.name)?,
        major: spec.major_version,
        revision: spec.revision,
        status: status_byte(record.message.status),
        started: record.message.start_time.as_ref().map(id::milliseconds).unwrap_or_default(),
        text: record.message.id.as_ref().map(id::wf_run_text).unwrap_or_default(),
    };
    let version = numbers(Word::WfSpecVersion, &id::wf_spec_text(&spec))?;
    let value = facets.encode();
    let rows = [(Index::RunsBySpec, facets.spec), (Index::RunsByVersion, version)]
        .map(|(index, attribute)| ((index, attribute, facets.status, run.0), value.clone()));
    let mut derived = Derived { rows: Rows::from(rows), ..Default::default() };
    derived.ids.insert(key::id(tenant, IdKind::WfRun, &facets.text), run.0);
    if record.facts.parent != 0 {
        let parent = record.facts.parent.to_be_bytes();
        derived.keys.insert(key::key_index(KeyIndex::RunsByParent, tenant, &parent, run.0), value);
    }
    crate::engine::core::run::tree::derive(&record.facts, &mut derived);
    for (due, slot) in crate::engine::core::run::archive::timers(&record.facts) {
        derived.timer(tenant, due, read::wf_run_key(run), slot);
    }
    Ok(derived)
}

/// A status as a byte of a key. All that exist are small; others would only hide in a place of their own.
pub fn status_byte(status: i32) -> u8 {
    u8::try_from(status).unwrap_or(u8::MAX)
}

fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn facets_come_back(
            numbers: [u32; 4], version: i32, scheduled: i64, run: u64, sub: u64,
            notes: Option<String>, run_text: String, cut in 0usize..80,
        ) {
            let facets = TaskFacets {
                def: numbers[0], version, user: numbers[1], group: numbers[2], spec: numbers[3], scheduled,
                run: RunRef(run), place: Place::from_sub(sub),
                notes: notes.map(|notes| beginning(&notes, NOTES).to_owned()), run_text,
            };
            let bytes = facets.encode();
            prop_assert_eq!(TaskFacets::decode(&bytes), Some(facets));
            // A shortened value is refused or read, never a panic.
            let _ = TaskFacets::decode(&bytes[..cut.min(bytes.len())]);
        }
    }
}
