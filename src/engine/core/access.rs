//! Who may do what: the principal behind a call, and the right that each RPC asks for.
//!
//! Rights hold callers from the network in check. The person whose data directory this is, in the process or at the
//! socket, could read and replace the store itself, so no rule stands in that person's way.

use crate::api::littlehorse as lh;
use crate::engine::core::command::{Actor, Channel, Proof};
use crate::engine::core::key::{Kind, ObjKey, Word};
use crate::engine::core::read::{DEFAULT_TENANT, Reader};
use crate::engine::core::record::PrincipalRecord;
use crate::engine::core::{Fault, Refusal, State};
use lh::AclAction::{self, AllActions, Read, Run, WriteMetadata};
use lh::AclResource::{
    self, AclAllResources, AclExternalEvent, AclPrincipal, AclQuota, AclStruct, AclTask, AclTaskWorkerGroup, AclTenant,
    AclUserTask, AclWorkflow, AclWorkflowEvent,
};

/// The principal of callers who prove nothing.
pub const ANONYMOUS: &str = "anonymous";

/// What each RPC of the LittleHorse service asks for. Counted against 1.2.1, but for PollTask, which asks for nothing
/// there: who may not report a task must not take it from those who may.
const NEEDS: [(AclAction, AclResource, &[&str]); 24] = [
    (
        Read,
        AclWorkflow,
        &[
            "GetWfSpec",
            "GetLatestWfSpec",
            "SearchWfSpec",
            "SearchTaskDef",
            "GetWfRun",
            "SearchWfRun",
            "GetNodeRun",
            "ListNodeRuns",
            "SearchNodeRun",
            "CountNodeRun",
            "GetTaskRun",
            "CountTaskRun",
            "GetVariable",
            "ListVariables",
            "SearchVariable",
            "GetScheduledWfRun",
            "SearchScheduledWfRun",
            "AwaitWorkflowEvent",
            "GetInactiveThreadRun",
            "RegisterTaskWorker",
            "GetWorkflowMigrationPlan",
            "SearchWorkflowMigrationPlan",
            "GetBulkJob",
            "SearchBulkJob",
            "ListTaskMetrics",
            "ListWfMetrics",
            "GetMetricWindow",
            "SearchWfMetricWindow",
        ],
    ),
    (
        Run,
        AclWorkflow,
        &[
            "RunWf",
            "ScheduleWf",
            "DeleteScheduledWfRun",
            "StopWfRun",
            "ResumeWfRun",
            "RescueThreadRun",
            "ApplyWorkflowMigrationPlan",
        ],
    ),
    (
        WriteMetadata,
        AclWorkflow,
        &[
            "PutWfSpec",
            "DeleteWfSpec",
            "DeleteWfRun",
            "PutWorkflowMigrationPlan",
            "DeleteWorkflowMigrationPlan",
            "CreateBulkJob",
            "DeleteBulkJob",
        ],
    ),
    (Read, AclTask, &["GetTaskDef", "ListTaskRuns", "SearchTaskRun", "GetCheckpoint"]),
    (Run, AclTask, &["PollTask", "ReportTask", "PutCheckpoint"]),
    (WriteMetadata, AclTask, &["PutTaskDef", "DeleteTaskDef"]),
    (Read, AclTaskWorkerGroup, &["GetTaskWorkerGroup"]),
    (
        Read,
        AclExternalEvent,
        &[
            "GetExternalEventDef",
            "SearchExternalEventDef",
            "GetExternalEvent",
            "ListExternalEvents",
            "SearchExternalEvent",
            "GetCorrelatedEvent",
            "SearchCorrelatedEvent",
        ],
    ),
    (Run, AclExternalEvent, &["PutExternalEvent", "PutCorrelatedEvent", "DeleteCorrelatedEvent"]),
    (WriteMetadata, AclExternalEvent, &["PutExternalEventDef", "DeleteExternalEventDef"]),
    (
        Read,
        AclWorkflowEvent,
        &[
            "GetWorkflowEventDef",
            "SearchWorkflowEventDef",
            "GetWorkflowEvent",
            "ListWorkflowEvents",
            "SearchWorkflowEvent",
        ],
    ),
    (WriteMetadata, AclWorkflowEvent, &["PutWorkflowEventDef", "DeleteWorkflowEventDef"]),
    (Read, AclStruct, &["GetStructDef", "SearchStructDef", "ValidateStructDefEvolution"]),
    (WriteMetadata, AclStruct, &["PutStructDef", "DeleteStructDef"]),
    (
        Read,
        AclUserTask,
        &[
            "GetUserTaskDef",
            "GetLatestUserTaskDef",
            "SearchUserTaskDef",
            "GetUserTaskRun",
            "ListUserTaskRuns",
            "SearchUserTaskRun",
        ],
    ),
    (
        Run,
        AclUserTask,
        &[
            "CompleteUserTaskRun",
            "CancelUserTaskRun",
            "SaveUserTaskRunProgress",
            "PutUserTaskRunComment",
            "EditUserTaskRunComment",
            "DeleteUserTaskRunComment",
        ],
    ),
    (WriteMetadata, AclUserTask, &["PutUserTaskDef", "DeleteUserTaskDef", "AssignUserTaskRun"]),
    (Read, AclPrincipal, &["GetPrincipal", "SearchPrincipal"]),
    (WriteMetadata, AclPrincipal, &["PutPrincipal", "DeletePrincipal"]),
    (Read, AclTenant, &["GetTenant", "SearchTenant"]),
    (WriteMetadata, AclTenant, &["PutTenant"]),
    (Read, AclQuota, &["GetQuota", "SearchQuota", "ListQuotaUsageMetrics"]),
    (WriteMetadata, AclQuota, &["PutQuota", "DeleteQuota"]),
    (AllActions, AclAllResources, &["MigrateWfSpec", "GetTaskDefMetricsWindow", "GetWfSpecMetricsWindow"]),
];

/// What everybody may ask.
const FREE: [&str; 2] = ["Whoami", "GetServerVersion"];

/// What an RPC asks for; nothing for what everybody may ask. An unknown one asks for everything.
fn need(rpc: &str) -> Option<(AclAction, AclResource)> {
    if FREE.contains(&rpc) {
        return None;
    }
    let found = NEEDS.iter().find(|(.., rpcs)| rpcs.contains(&rpc));
    Some(found.map_or((AllActions, AclAllResources), |(action, resource, _)| (*action, *resource)))
}

/// The principal whose rights a caller has; none for whom no rule holds back: the owner of the data, and the engine
/// itself.
pub fn principal_of(actor: &Actor) -> Option<&'static str> {
    let is_own = match actor.channel {
        Channel::Timer | Channel::InProcess => true,
        Channel::UnixSocket => actor.proof == Proof::PeerUid,
        Channel::Tcp => false,
    };
    (!is_own).then_some(ANONYMOUS)
}

/// Refuses a call for which the caller has no right in this tenant.
pub fn check(state: &dyn State, tenant: &str, actor: &Actor, rpc: &str) -> Result<(), Refusal> {
    let (Some(name), Some((action, resource))) = (principal_of(actor), need(rpc)) else { return Ok(()) };
    // Without a stored one nothing was taken from it yet.
    let Some(principal) = Reader::new(state, tenant)?.principal(name)? else { return Ok(()) };
    allowed(&principal.message, tenant, action, resource)
}

fn allowed(principal: &lh::Principal, tenant: &str, action: AclAction, resource: AclResource) -> Result<(), Refusal> {
    let denied = |text: String| Refusal::new(tonic::Code::PermissionDenied, text);
    if is_admin(principal) {
        return Ok(());
    }
    let own = principal.per_tenant_acls.get(tenant);
    if own.is_some() && is_of_cluster(resource) {
        let name = principal.id.as_ref().map(|id| id.id.as_str()).unwrap_or_default();
        return Err(denied(format!(
            "Current Principal {name} has per-tenant ACLs for Tenant {tenant}, but is trying to access a \
             cluster-scoped resource. Cluster-scoped resource access requires global ACLs."
        )));
    }
    let holds = |acl: &lh::ServerAcl| {
        let is_about = acl.resources().any(|about| about == AclAllResources || about == resource);
        is_about && acl.allowed_actions().any(|allowed| allowed == AllActions || allowed == action)
    };
    // The rights of a tenant stand in the place of the global ones.
    let acls = own.or(principal.global_acls.as_ref());
    if acls.is_some_and(|acls| acls.acls.iter().any(holds)) {
        return Ok(());
    }
    let (action, resource) = (action.as_str_name(), resource.as_str_name());
    Err(denied(format!("Missing permissions [{action}] over resources [{resource}]")))
}

/// Whether a right on it can only be given for all tenants.
pub fn is_of_cluster(resource: AclResource) -> bool {
    matches!(resource, AclPrincipal | AclTenant | AclQuota)
}

/// Whether a principal may do everything everywhere.
pub fn is_admin(principal: &lh::Principal) -> bool {
    let all = |acl: &lh::ServerAcl| {
        acl.resources().any(|resource| resource == AclAllResources)
            && acl.allowed_actions().any(|action| action == AllActions)
    };
    principal.global_acls.as_ref().is_some_and(|acls| acls.acls.iter().any(all))
}

/// All rights, in the form in which they are stored.
pub fn everything() -> lh::ServerAcLs {
    let acl = lh::ServerAcl {
        resources: vec![AclAllResources.into()],
        allowed_actions: vec![AllActions.into()],
        resource_filter: Some(lh::server_acl::ResourceFilter::Name(String::new())),
    };
    lh::ServerAcLs { acls: vec![acl] }
}

/// The key of a principal.
pub fn principal_key(number: u32) -> ObjKey {
    ObjKey::new(0, Kind::Principal, u64::from(number), 0)
}

impl Reader<'_> {
    /// A stored principal, whatever the tenant.
    pub fn principal(&self, id: &str) -> Result<Option<PrincipalRecord>, Fault> {
        match (Reader { tenant: Some(0), ..*self }).number(Word::Principal, id)? {
            Some(number) => self.object(principal_key(number)),
            None => Ok(None),
        }
    }

    /// Whether a caller may do everything.
    pub fn is_admin(&self, actor: &Actor) -> Result<bool, Fault> {
        let Some(name) = principal_of(actor) else { return Ok(true) };
        Ok(self.principal(name)?.is_none_or(|principal| is_admin(&principal.message)))
    }
}

/// Whether a store has what every store has: its default tenant, and the principal of unknown callers.
pub fn is_founded(state: &dyn State) -> Result<bool, Refusal> {
    let reader = Reader::new(state, DEFAULT_TENANT)?;
    Ok(reader.tenant.is_some() && reader.principal(ANONYMOUS)?.is_some())
}

/// Whoami: the principal whose rights the caller has. The owner of the data is asked for no rights, so has all.
pub fn whoami(state: &dyn State, actor: &Actor) -> Result<lh::Principal, Refusal> {
    let reader = Reader::new(state, DEFAULT_TENANT)?;
    if principal_of(actor).is_some()
        && let Some(stored) = reader.principal(ANONYMOUS)?
    {
        return Ok(stored.message);
    }
    let name = if principal_of(actor).is_some() { ANONYMOUS } else { actor.name.as_str() };
    // It came into being with the store, as the default tenant did.
    let default = reader.tenant_record(DEFAULT_TENANT)?;
    Ok(lh::Principal {
        id: Some(lh::PrincipalId { id: name.to_owned() }),
        created_at: default.and_then(|record| record.message.created_at),
        per_tenant_acls: Default::default(),
        global_acls: Some(everything()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpc_asks_for_one_right_or_none() {
        let service = include_str!("../../../proto/littlehorse/service.proto");
        let rpcs = service.lines().filter_map(|line| line.trim_start().strip_prefix("rpc ")?.split('(').next());
        let rpcs: Vec<&str> = rpcs.collect();
        assert_eq!(rpcs.len(), 108);
        let named: Vec<&str> = NEEDS.iter().flat_map(|(.., rpcs)| *rpcs).chain(&FREE).copied().collect();
        for rpc in &rpcs {
            assert_eq!(named.iter().filter(|name| *name == rpc).count(), 1, "{rpc}");
        }
        assert_eq!(named.len(), rpcs.len(), "a name that is no RPC");
    }

    fn acl(resource: AclResource, action: AclAction) -> lh::ServerAcl {
        lh::ServerAcl { resources: vec![resource.into()], allowed_actions: vec![action.into()], resource_filter: None }
    }

    #[test]
    fn rights_of_a_tenant_stand_in_the_place_of_the_global_ones() {
        let acls = |acls: &[lh::ServerAcl]| lh::ServerAcLs { acls: acls.to_vec() };
        let principal = lh::Principal {
            id: Some(lh::PrincipalId { id: "ann".into() }),
            global_acls: Some(acls(&[acl(AclWorkflow, Read), acl(AclPrincipal, AllActions)])),
            per_tenant_acls: [("acme".to_owned(), acls(&[acl(AclAllResources, Run), acl(AclTask, Read)]))].into(),
            ..Default::default()
        };
        let cluster = "Current Principal ann has per-tenant ACLs for Tenant acme, but is trying to access a \
                       cluster-scoped resource. Cluster-scoped resource access requires global ACLs.";
        for (tenant, action, resource, expected) in [
            ("default", Read, AclWorkflow, Ok(())),
            ("default", Run, AclWorkflow, Err("Missing permissions [RUN] over resources [ACL_WORKFLOW]")),
            ("default", Read, AclTask, Err("Missing permissions [READ] over resources [ACL_TASK]")),
            ("default", WriteMetadata, AclPrincipal, Ok(())),
            ("acme", Read, AclWorkflow, Err("Missing permissions [READ] over resources [ACL_WORKFLOW]")),
            ("acme", Run, AclWorkflow, Ok(())),
            ("acme", Read, AclTask, Ok(())),
            ("acme", Read, AclPrincipal, Err(cluster)),
        ] {
            let got = allowed(&principal, tenant, action, resource);
            let expected = expected.map_err(|text| Refusal::new(tonic::Code::PermissionDenied, text));
            assert_eq!(got, expected, "{tenant} {action:?} {resource:?}");
        }
        let admin = lh::Principal { global_acls: Some(everything()), ..principal };
        assert_eq!(allowed(&admin, "acme", WriteMetadata, AclQuota), Ok(()));
    }

    #[test]
    fn only_the_network_is_held_in_check() {
        for (channel, proof, expected) in [
            (Channel::InProcess, Proof::PeerUid, None),
            (Channel::UnixSocket, Proof::PeerUid, None),
            (Channel::UnixSocket, Proof::None, Some(ANONYMOUS)),
            (Channel::Tcp, Proof::None, Some(ANONYMOUS)),
            (Channel::Timer, Proof::Engine, None),
        ] {
            assert_eq!(principal_of(&Actor { name: "ann".into(), proof, channel }), expected, "{channel:?}");
        }
    }
}
