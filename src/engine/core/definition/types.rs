//! Types that definitions name: references to StructDefs become exact versions, what does not exist is refused.

use std::rc::Rc;

use crate::api::littlehorse as lh;
use crate::engine::core::key::{Kind, ObjKey, Word};
use crate::engine::core::record::StructDefRecord;
use crate::engine::core::value::{MAX_TYPE_DEPTH, StructDefs, type_depth};
use crate::engine::core::{Fault, Reader, Refusal, Tx, tx::natural};
use lh::type_definition::DefinedType;

/// The version that stands for the newest one.
pub const LATEST: i32 = -1;

/// What is wrong with a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// It names a StructDef that is not there.
    #[error("Refers to non-existent StructDef {}{}", .0.name, with_version(.0.version))]
    NoStructDef(lh::StructDefId),
    /// It names a primitive type by a number that none has.
    #[error("Unknown VariableType {0}")]
    Unknown(i32),
    /// Its arrays and maps lie too deep in each other.
    #[error("A type nested {0} levels deep exceeds the limit of {MAX_TYPE_DEPTH}")]
    TooDeep(usize),
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn with_version(version: i32) -> String {
    if version == LATEST { String::new() } else { format!(" with version {version}") }
}

impl From<TypeError> for Refusal {
    fn from(error: TypeError) -> Self {
        match error {
            TypeError::Fault(fault) => fault.into(),
            other => Self::invalid(other.to_string()),
        }
    }
}

fn struct_def_key(tenant: u32, name: u32, version: u32) -> ObjKey {
    ObjKey::new(u64::from(tenant), Kind::StructDef, u64::from(name), version)
}

impl Reader<'_> {
    /// A StructDef version, deleted or not: values go on with what they were made with.
    pub fn struct_def(&self, id: &lh::StructDefId) -> Result<Option<StructDefRecord>, Fault> {
        let (Some(name), Ok(version)) = (self.number(Word::Name, &id.name)?, u32::try_from(id.version)) else {
            return Ok(None);
        };
        match self.tenant {
            Some(tenant) => self.object(struct_def_key(tenant, name, version)),
            None => Ok(None),
        }
    }

    /// The newest StructDef version of a name that is not deleted; with `deleted`, the newest at all.
    pub fn latest_struct_def(&self, name: &str, deleted: bool) -> Result<Option<StructDefRecord>, Fault> {
        let Some(name) = self.number(Word::Name, name)? else { return Ok(None) };
        let sub = u64::from(name);
        let latest = self.last(Kind::StructDef, (sub, 0), (sub, u32::MAX), &|record: &StructDefRecord| {
            deleted || record.facts.deleted.is_none()
        });
        Ok(latest?.map(Rc::unwrap_or_clone))
    }

    /// The version that a reference means, the newest for [`LATEST`]; a deleted one is not there for new definitions.
    pub fn referenced_struct_def(&self, id: &lh::StructDefId) -> Result<StructDefRecord, TypeError> {
        let found = match id.version {
            LATEST => self.latest_struct_def(&id.name, false)?,
            _ => self.struct_def(id)?.filter(|record| record.facts.deleted.is_none()),
        };
        found.ok_or_else(|| TypeError::NoStructDef(id.clone()))
    }

    /// Checks a type of a definition that is being put, and writes into it the versions of the StructDefs it names.
    pub fn resolve_type(&self, definition: &mut lh::TypeDefinition) -> Result<(), TypeError> {
        let depth = type_depth(definition);
        if depth > MAX_TYPE_DEPTH {
            return Err(TypeError::TooDeep(depth));
        }
        self.resolve(definition)
    }

    fn resolve(&self, definition: &mut lh::TypeDefinition) -> Result<(), TypeError> {
        let inner = |inner: &mut Option<Box<lh::TypeDefinition>>| match inner {
            Some(inner) => self.resolve(inner),
            None => Ok(()),
        };
        match &mut definition.defined_type {
            Some(DefinedType::PrimitiveType(number)) if lh::VariableType::try_from(*number).is_err() => {
                Err(TypeError::Unknown(*number))
            }
            Some(DefinedType::StructDefId(id)) => {
                *id = self.referenced_struct_def(id)?.message.id.unwrap_or_default();
                Ok(())
            }
            Some(DefinedType::InlineArrayDef(array)) => inner(&mut array.array_type),
            Some(DefinedType::InlineMapDef(map)) => {
                inner(&mut map.key_type)?;
                inner(&mut map.value_type)
            }
            Some(DefinedType::InlineStructDef(fields)) => fields
                .fields
                .values_mut()
                .filter_map(|field| field.field_type.as_mut())
                .try_for_each(|field_type| self.resolve(field_type)),
            Some(DefinedType::PrimitiveType(_)) | None => Ok(()),
        }
    }
}

impl StructDefs for Reader<'_> {
    fn fields(&self, id: &lh::StructDefId) -> Result<Option<lh::InlineStructDef>, Fault> {
        Ok(self.struct_def(id)?.and_then(|record| record.message.struct_def))
    }

    fn version(&self, id: &lh::StructDefId) -> Result<Option<lh::StructDefId>, Fault> {
        let found = match id.version {
            LATEST => self.latest_struct_def(&id.name, false)?,
            _ => self.struct_def(id)?,
        };
        Ok(found.and_then(|record| record.message.id))
    }
}

impl Tx<'_> {
    /// Stores a StructDef version.
    pub fn put_struct_def(&mut self, record: &StructDefRecord) -> Result<(), Fault> {
        let id = record.message.id.clone().unwrap_or_default();
        let name = self.intern(Word::Name, &id.name)?;
        let version = natural(id.version, "StructDef version")?;
        self.store(struct_def_key(self.tenant(), name, version), record)
    }
}
