//! Definitions through the commands: what is refused, which version comes out, what is found afterwards.

mod build;
mod forms;
mod principals;
mod quotas;
mod spec_types;
mod specs;
mod structs;
mod tasks;
mod tenants;

use crate::api::littlehorse as lh;
use crate::engine::core::command::{Command, Context, Reply, Request};
use crate::engine::core::state::MemoryState;
use crate::engine::core::{Actor, Refusal, check, execute};
use tonic::Code;

const TENANT: &str = "default";

/// A state, and a clock that moves with every command.
#[derive(Clone, Default)]
struct World {
    state: MemoryState,
    now: i64,
}

impl World {
    fn run(&mut self, request: impl Into<Request>) -> Result<Reply, Refusal> {
        self.now += 1000;
        let context = Context {
            tenant: TENANT.to_owned(),
            actor: Actor::default(),
            at: self.now,
            now: self.now,
            seed: self.now as u128,
        };
        let command = Command { context, request: request.into() };
        let applied = execute(&self.state, &command)?;
        assert_eq!(execute(&self.state, &command).as_ref(), Ok(&applied), "the same command gives the same bytes");
        self.state.apply(&applied.writes);
        assert_eq!(check(&self.state), Ok(Vec::new()));
        Ok(applied.reply)
    }

    fn put_form(&mut self, name: &str, fields: Vec<lh::UserTaskField>) -> Result<lh::UserTaskDef, Refusal> {
        let request = lh::PutUserTaskDefRequest { name: name.to_owned(), fields, description: None };
        self.run(request)?.try_into()
    }

    fn put_spec(&mut self, request: lh::PutWfSpecRequest) -> Result<lh::WfSpec, Refusal> {
        self.run(request)?.try_into()
    }
}

fn field(name: &str, kind: lh::VariableType) -> lh::UserTaskField {
    lh::UserTaskField { name: name.to_owned(), r#type: kind.into(), ..Default::default() }
}

fn code<T>(result: Result<T, Refusal>) -> Result<T, Code> {
    result.map_err(|refusal| refusal.code)
}

/// What PutWfSpec says: `Ok` or the text of an INVALID_ARGUMENT, without the start that they share.
fn verdict(world: &mut World, request: lh::PutWfSpecRequest) -> String {
    match world.put_spec(request) {
        Ok(_) => "Ok".to_owned(),
        Err(refusal) if refusal.code == Code::InvalidArgument => {
            let text = refusal.message;
            text.strip_prefix("PutWfSpecRequest is invalid: ThreadSpec entrypoint invalid: ")
                .map_or(text.clone(), |rest| format!("… {rest}"))
        }
        Err(refusal) => panic!("{refusal}"),
    }
}
