//! What goes in and out of the core: commands with their context, replies, refusals.

use crate::engine::core::Fault;

/// How the actor of a command was proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Not at all: the name is what the caller said.
    #[default]
    None,
    /// The kernel named the peer of the socket.
    PeerUid,
    /// A token or a certificate.
    Token,
    /// The engine itself, for a timer.
    Engine,
}

/// The way a command came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// The pipe inside the host's own process.
    #[default]
    InProcess,
    /// The host's Unix socket.
    UnixSocket,
    /// A TCP listener.
    Tcp,
    /// A timer.
    Timer,
}

/// Who gave a command. Recorded with every effect, because it cannot be rebuilt later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The proven name, or the claimed one, or nothing.
    pub name: String,
    /// How it was proven.
    pub proof: Proof,
    /// How it came in.
    pub channel: Channel,
}

/// What a command knows beside its request: everything that the core may not find out by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The tenant, `default` where none was named.
    pub tenant: String,
    /// Who gives it.
    pub actor: Actor,
    /// When the request was accepted, or the timer was due: milliseconds since 1970.
    pub at: i64,
    /// When it is applied: milliseconds since 1970, never before `at` for a timer.
    pub now: i64,
    /// Randomness for generated ids; the n-th id of a command is derived from it and n.
    pub seed: u128,
}

/// A refusal as LittleHorse gives it: a gRPC status code and the exact text. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct Refusal {
    /// The status code.
    pub code: tonic::Code,
    /// The text; clients match on it.
    pub message: String,
}

impl Refusal {
    /// A refusal with any code.
    pub fn new(code: tonic::Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// INVALID_ARGUMENT.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(tonic::Code::InvalidArgument, message)
    }

    /// NOT_FOUND.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(tonic::Code::NotFound, message)
    }

    /// FAILED_PRECONDITION.
    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new(tonic::Code::FailedPrecondition, message)
    }

    /// ALREADY_EXISTS.
    pub fn exists(message: impl Into<String>) -> Self {
        Self::new(tonic::Code::AlreadyExists, message)
    }

    /// RESOURCE_EXHAUSTED, without a hint to retry: repeating it cannot help.
    pub fn exhausted(message: impl Into<String>) -> Self {
        Self::new(tonic::Code::ResourceExhausted, message)
    }

    /// UNIMPLEMENTED.
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(tonic::Code::Unimplemented, message)
    }
}

impl From<Fault> for Refusal {
    /// Storage trouble is the engine's own: DATA_LOSS for a damaged record, UNAVAILABLE for a disk that refuses.
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::Storage(_) => tonic::Code::Unavailable,
            Fault::Damaged { .. } => tonic::Code::DataLoss,
        };
        Self::new(code, fault.to_string())
    }
}

macro_rules! requests {
    ($($variant:ident($message:ty)),+ $(,)?) => {
        /// A request that changes something: one variant an RPC.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Request { $($variant($message)),+ }

        impl Request {
            /// Bytes of its message; bounds what may wait.
            pub fn size(&self) -> usize {
                match self { $(Self::$variant(message) => prost::Message::encoded_len(message)),+ }
            }

            /// The name of its RPC, for logs and metrics.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($variant)),+ }
            }
        }

        $(impl From<$message> for Request {
            fn from(message: $message) -> Self { Self::$variant(message) }
        })+
    };
}

macro_rules! replies {
    ($($variant:ident($message:ty)),+ $(,)?) => {
        /// The answer to a command, as the RPC gives it.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Reply { Empty, $($variant($message)),+ }

        $(impl From<$message> for Reply {
            fn from(message: $message) -> Self { Self::$variant(message) }
        }
        impl TryFrom<Reply> for $message {
            type Error = Refusal;
            fn try_from(reply: Reply) -> Result<Self, Refusal> {
                match reply {
                    Reply::$variant(message) => Ok(message),
                    _ => Err(Refusal::new(tonic::Code::Internal, "the engine answered with another kind of reply")),
                }
            }
        })+
    };
}

use crate::api::{littlehorse as lh, store::v1 as store};

requests! {
    DueTimer(store::DueTimer),
    PruneRuns(store::PruneRuns),
    CountQuotaUsage(store::CountQuotaUsage),
    // --- Definitions and administration
    PutTenant(lh::PutTenantRequest),
    PutPrincipal(lh::PutPrincipalRequest),
    DeletePrincipal(lh::DeletePrincipalRequest),
    PutQuota(lh::PutQuotaRequest),
    DeleteQuota(lh::DeleteQuotaRequest),
    CreateBulkJob(lh::CreateBulkJobRequest),
    PutWorkflowMigrationPlan(lh::PutWorkflowMigrationPlanRequest),
    ApplyWorkflowMigrationPlan(lh::ApplyWorkflowMigrationPlanRequest),
    DeleteBulkJob(lh::DeleteBulkJobRequest),
    PutUserTaskDef(lh::PutUserTaskDefRequest),
    DeleteUserTaskDef(lh::DeleteUserTaskDefRequest),
    PutWfSpec(lh::PutWfSpecRequest),
    DeleteWfSpec(lh::DeleteWfSpecRequest),
    PutStructDef(lh::PutStructDefRequest),
    DeleteStructDef(lh::DeleteStructDefRequest),
    // --- Tasks
    PutTaskDef(lh::PutTaskDefRequest),
    DeleteTaskDef(lh::DeleteTaskDefRequest),
    ClaimTask(store::ClaimTask),
    ReportTask(lh::ReportTaskRun),
    PutCheckpoint(lh::PutCheckpointRequest),
    RegisterTaskWorker(store::RegisterTaskWorker),
    // --- Events
    PutExternalEventDef(lh::PutExternalEventDefRequest),
    DeleteExternalEventDef(lh::DeleteExternalEventDefRequest),
    PutWorkflowEventDef(lh::PutWorkflowEventDefRequest),
    DeleteWorkflowEventDef(lh::DeleteWorkflowEventDefRequest),
    PutExternalEvent(lh::PutExternalEventRequest),
    PutCorrelatedEvent(lh::PutCorrelatedEventRequest),
    DeleteCorrelatedEvent(lh::DeleteCorrelatedEventRequest),
    ScheduleWf(lh::ScheduleWfRequest),
    DeleteScheduledWfRun(lh::DeleteScheduledWfRunRequest),
    // --- Runs
    RunWf(lh::RunWfRequest),
    StopWfRun(lh::StopWfRunRequest),
    ResumeWfRun(lh::ResumeWfRunRequest),
    RescueThreadRun(lh::RescueThreadRunRequest),
    DeleteWfRun(lh::DeleteWfRunRequest),
    // --- User tasks
    AssignUserTaskRun(lh::AssignUserTaskRunRequest),
    SaveUserTaskRunProgress(lh::SaveUserTaskRunProgressRequest),
    CompleteUserTaskRun(lh::CompleteUserTaskRunRequest),
    CancelUserTaskRun(lh::CancelUserTaskRunRequest),
    PutUserTaskRunComment(lh::PutUserTaskRunCommentRequest),
    EditUserTaskRunComment(lh::EditUserTaskRunCommentRequest),
    DeleteUserTaskRunComment(lh::DeleteUserTaskRunCommentRequest),
}

replies! {
    PrunedRuns(store::PrunedRuns),
    // --- Definitions and administration
    Tenant(lh::Tenant),
    Principal(lh::Principal),
    Quota(lh::Quota),
    BulkJob(lh::BulkJob),
    WorkflowMigrationPlan(lh::WorkflowMigrationPlan),
    UserTaskDef(lh::UserTaskDef),
    WfSpec(lh::WfSpec),
    StructDef(lh::StructDef),
    // --- Tasks
    TaskDef(lh::TaskDef),
    ClaimedTask(lh::PollTaskResponse),
    Checkpoint(lh::PutCheckpointResponse),
    RegisteredTaskWorker(lh::RegisterTaskWorkerResponse),
    // --- Events
    ExternalEventDef(lh::ExternalEventDef),
    WorkflowEventDef(lh::WorkflowEventDef),
    ExternalEvent(lh::ExternalEvent),
    CorrelatedEvent(lh::CorrelatedEvent),
    ScheduledWfRun(lh::ScheduledWfRun),
    // --- Runs
    WfRun(lh::WfRun),
    // --- User tasks
    UserTaskRun(lh::UserTaskRun),
}

impl From<()> for Reply {
    fn from((): ()) -> Self {
        Self::Empty
    }
}

impl TryFrom<Reply> for () {
    type Error = Refusal;
    fn try_from(reply: Reply) -> Result<Self, Refusal> {
        match reply {
            Reply::Empty => Ok(()),
            _ => Err(Refusal::new(tonic::Code::Internal, "the engine answered with another kind of reply")),
        }
    }
}

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Who, when, where.
    pub context: Context,
    /// What.
    pub request: Request,
}
