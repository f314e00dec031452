//! How an object is stored: `[u8 envelope][u8 schema revision][u32 crc32c][payload]`.
//!
//! The payload is the public LittleHorse message exactly as Get answers it (its length first), then a private message
//! of ours. The checksum covers the key too, so a right record in a wrong place is found out as well.

use prost::Message;

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::Fault;
use crate::engine::core::key::{ObjKey, damaged};

/// The form of the envelope.
const ENVELOPE: u8 = 1;
/// The revision of the messages inside. A newer one is written by a newer ostler, which the format version refuses.
const REVISION: u8 = 1;
/// Bytes before the payload.
const HEAD: usize = 6;

/// A public message and what we know beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record<M, F> {
    /// What Get answers.
    pub message: M,
    /// What only the engine knows.
    pub facts: F,
}

/// A stored Tenant.
pub type TenantRecord = Record<lh::Tenant, store::DefinitionFacts>;
/// A stored Principal.
pub type PrincipalRecord = Record<lh::Principal, store::DefinitionFacts>;
/// A stored Quota.
pub type QuotaRecord = Record<lh::Quota, store::DefinitionFacts>;
/// A stored window of metrics.
pub type MetricWindowRecord = Record<lh::MetricWindow, ()>;
/// A stored BulkJob.
pub type BulkJobRecord = Record<lh::BulkJob, store::BulkJobFacts>;
/// A stored WorkflowMigrationPlan.
pub type MigrationPlanRecord = Record<lh::WorkflowMigrationPlan, store::DefinitionFacts>;
/// A stored UserTaskDef.
pub type UserTaskDefRecord = Record<lh::UserTaskDef, store::DefinitionFacts>;
/// A stored WfSpec.
pub type WfSpecRecord = Record<lh::WfSpec, store::DefinitionFacts>;
/// A stored StructDef.
pub type StructDefRecord = Record<lh::StructDef, store::DefinitionFacts>;
/// A stored ExternalEventDef.
pub type ExternalEventDefRecord = Record<lh::ExternalEventDef, store::DefinitionFacts>;
/// A stored WorkflowEventDef.
pub type WorkflowEventDefRecord = Record<lh::WorkflowEventDef, store::DefinitionFacts>;
/// A stored WorkflowEvent.
pub type WorkflowEventRecord = Record<lh::WorkflowEvent, store::WorkflowEventFacts>;
/// A stored CorrelatedEvent.
pub type CorrelatedEventRecord = Record<lh::CorrelatedEvent, store::CorrelatedEventFacts>;
/// A stored ScheduledWfRun.
pub type ScheduledWfRunRecord = Record<lh::ScheduledWfRun, store::ScheduledWfRunFacts>;
/// A stored ExternalEvent.
pub type ExternalEventRecord = Record<lh::ExternalEvent, store::ExternalEventFacts>;
/// A stored WfRun.
pub type WfRunRecord = Record<lh::WfRun, store::WfRunFacts>;
/// A stored NodeRun.
pub type NodeRunRecord = Record<lh::NodeRun, store::NodeRunFacts>;
/// A stored Variable, unmasked.
pub type VariableRecord = Record<lh::Variable, store::VariableFacts>;
/// A stored UserTaskRun; `message.events` is empty, for they are rows of their own.
pub type UserTaskRunRecord = Record<lh::UserTaskRun, store::UserTaskRunFacts>;
/// A stored event of a UserTaskRun.
pub type UserTaskEventRecord = Record<lh::UserTaskEvent, store::UserTaskEventFacts>;
/// The stored newest output of a node.
pub type NodeOutputRecord = Record<store::NodeOutput, ()>;

/// A stored TaskDef.
pub type TaskDefRecord = Record<lh::TaskDef, store::DefinitionFacts>;
/// A stored TaskWorkerGroup.
pub type TaskWorkerGroupRecord = Record<lh::TaskWorkerGroup, ()>;
/// A stored Checkpoint.
pub type CheckpointRecord = Record<lh::Checkpoint, ()>;
/// A stored TaskRun, unmasked.
pub type TaskRunRecord = Record<lh::TaskRun, store::TaskRunFacts>;

/// A stored ThreadRun that its WfRun does not list.
pub type InactiveThreadRecord = Record<lh::InactiveThreadRun, ()>;
/// What is left of a deleted WfRun.
pub type DoomedRunRecord = Record<(), store::DoomedRunFacts>;

impl<M: Message + Default, F: Message + Default> Record<M, F> {
    /// As stored under `key`.
    pub fn encode(&self, key: ObjKey) -> Vec<u8> {
        let length = self.message.encoded_len();
        let mut bytes = Vec::with_capacity(HEAD + 5 + length + self.facts.encoded_len());
        bytes.extend([ENVELOPE, REVISION, 0, 0, 0, 0]);
        prost::encoding::encode_varint(length as u64, &mut bytes);
        // Writing to a Vec cannot run out of room, the only way these can fail.
        self.message.encode_raw(&mut bytes);
        self.facts.encode_raw(&mut bytes);
        let sum = checksum(key, &bytes[HEAD..]);
        bytes[2..HEAD].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// Back from the stored form.
    pub fn decode(key: ObjKey, bytes: &[u8]) -> Result<Self, Fault> {
        let wrong = |detail: &str| damaged(describe(key), detail);
        let (head, mut payload) = bytes.split_first_chunk::<HEAD>().ok_or_else(|| wrong("too short"))?;
        let [envelope, revision, sum @ ..] = *head;
        if envelope != ENVELOPE || revision != REVISION {
            return Err(wrong("unknown form"));
        }
        if checksum(key, payload) != u32::from_be_bytes(sum) {
            return Err(wrong("wrong checksum"));
        }
        let length = prost::encoding::decode_varint(&mut payload).map_err(|error| wrong(&error.to_string()))?;
        let length = usize::try_from(length).map_err(|error| wrong(&error.to_string()))?;
        let (message, facts) = payload.split_at_checked(length).ok_or_else(|| wrong("too short"))?;
        Ok(Self {
            message: M::decode(message).map_err(|error| wrong(&error.to_string()))?,
            facts: F::decode(facts).map_err(|error| wrong(&error.to_string()))?,
        })
    }
}

fn checksum(key: ObjKey, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&key.bytes()), payload)
}

/// Names a stored object for a person who must find it.
pub fn describe(key: ObjKey) -> String {
    format!("{:?} {}/{}/{}", key.kind, key.scope, key.sub, key.n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::key::Kind;

    #[test]
    fn a_record_comes_back_and_any_flipped_bit_or_other_key_is_found() {
        let key = ObjKey::new(7, Kind::UserTaskDef, 3, 1);
        let record = UserTaskDefRecord {
            message: lh::UserTaskDef { name: "form".into(), version: 1, ..Default::default() },
            facts: store::DefinitionFacts { put_by: Some(store::Actor::default()), deleted: None },
        };
        let bytes = record.encode(key);
        assert_eq!(UserTaskDefRecord::decode(key, &bytes), Ok(record));
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(UserTaskDefRecord::decode(key, &wrong).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(UserTaskDefRecord::decode(key, &bytes[..length]).is_err(), "length {length}");
        }
        assert!(UserTaskDefRecord::decode(ObjKey { sub: 4, ..key }, &bytes).is_err());
    }
}
