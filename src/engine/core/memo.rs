//! Definitions are decoded once, not with each command that needs them.
//!
//! A decoded record is remembered with the bytes it came from and given out again for the same bytes alone, so it can
//! be neither stale nor of another store: this is the memory of a pure function. Each thread has its own.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use prost::Message;

use crate::engine::core::Fault;
use crate::engine::core::key::ObjKey;
use crate::engine::core::record::Record;

/// Encoded bytes of what one thread remembers at most; then all of it goes.
const MOST: usize = 4 << 20;

#[derive(Default)]
struct Memo {
    records: HashMap<ObjKey, (Vec<u8>, Rc<dyn Any>)>,
    bytes: usize,
}

thread_local! {
    static MEMO: RefCell<Memo> = RefCell::default();
}

/// The record that lies under `key` as these bytes.
pub fn decode<M, F>(key: ObjKey, bytes: &[u8]) -> Result<Rc<Record<M, F>>, Fault>
where
    M: Message + Default + 'static,
    F: Message + Default + 'static,
{
    MEMO.with_borrow_mut(|memo| {
        if let Some((known, record)) = memo.records.get(&key)
            && known == bytes
            && let Ok(record) = Rc::clone(record).downcast()
        {
            return Ok(record);
        }
        let record = Rc::new(Record::<M, F>::decode(key, bytes)?);
        if memo.bytes + bytes.len() > MOST {
            *memo = Memo::default();
        }
        memo.bytes += bytes.len();
        memo.records.insert(key, (bytes.to_vec(), record.clone()));
        Ok(record)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::key::Kind;
    use crate::engine::core::record::{UserTaskDefRecord, WfSpecRecord};

    #[test]
    fn what_is_remembered_is_given_for_the_same_bytes_alone() {
        let key = ObjKey::new(1, Kind::UserTaskDef, 1, 0);
        let mut record = UserTaskDefRecord::default();
        let mut given: Vec<Rc<UserTaskDefRecord>> = Vec::new();
        for name in ["a", "a", "b"] {
            record.message.name = name.into();
            given.push(decode(key, &record.encode(key)).unwrap());
        }
        assert!(Rc::ptr_eq(&given[0], &given[1]));
        assert_eq!(*given[2], record);
        let mut damaged = record.encode(key);
        *damaged.last_mut().unwrap() ^= 1;
        assert!(
            decode::<crate::api::littlehorse::UserTaskDef, crate::api::store::v1::DefinitionFacts>(key, &damaged)
                .is_err()
        );
        // The same bytes as a record of another kind are no trap.
        let other: Rc<WfSpecRecord> = decode(key, &WfSpecRecord::default().encode(key)).unwrap();
        assert_eq!(*other, WfSpecRecord::default());
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let large = "x".repeat(MOST / 10);
        for number in 0..40 {
            let key = ObjKey::new(2, Kind::UserTaskDef, number, 0);
            let message = crate::api::littlehorse::UserTaskDef { name: large.clone(), ..Default::default() };
            let record = UserTaskDefRecord { message, ..Default::default() };
            decode::<crate::api::littlehorse::UserTaskDef, crate::api::store::v1::DefinitionFacts>(
                key,
                &record.encode(key),
            )
            .unwrap();
            MEMO.with_borrow(|memo| {
                let kept: usize = memo.records.values().map(|(bytes, _)| bytes.len()).sum();
                assert!(kept <= MOST && memo.bytes >= kept);
            });
        }
    }
}
