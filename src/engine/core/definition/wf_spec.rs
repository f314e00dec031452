//! PutWfSpec and DeleteWfSpec.

use crate::api::{littlehorse as lh, store::v1 as store};
use crate::engine::core::{Refusal, Tx};

/// PutWfSpec: a new version, or the latest one when nothing differs from it.
pub fn put(_tx: &mut Tx<'_>, _request: lh::PutWfSpecRequest) -> Result<lh::WfSpec, Refusal> {
    Err(Refusal::unimplemented("PutWfSpec is not built yet"))
}

/// DeleteWfSpec: hides one version; runs that use it go on with it.
pub fn delete(tx: &mut Tx<'_>, request: lh::DeleteWfSpecRequest) -> Result<(), Refusal> {
    let id = request.id.unwrap_or_default();
    let stored = tx.read().wf_spec(&id)?.filter(|record| record.facts.deleted.is_none());
    let mut record = stored.ok_or_else(|| Refusal::not_found("Couldn't find provided WfSpecModel"))?;
    record.facts.deleted = Some(store::Deletion { by: Some(tx.actor()), at: tx.context().now });
    tx.put_wf_spec(&record)?;
    Ok(())
}
