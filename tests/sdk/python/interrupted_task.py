"""An interrupt while somebody works on a task: the task stays open, and is done when the thread has gone on.

LittleHorse 1.2.1 cancels the task when its thread halts and the run waits for ever (docs/compatibility.md).
"""

from kit import client, complete, ended, equal, named, register, run, until, user_tasks, variables
from littlehorse import to_variable_value
from littlehorse.model import (
    ExternalEventDefId, PutExternalEventRequest, PutUserTaskDefRequest, UserTaskField, UserTaskRunStatus, VariableType)
from littlehorse.workflow import WorkflowThread

HURRY, FORM = named("hurry"), named("confirm")


def confirmation(wf: WorkflowThread) -> None:
    hurried = wf.declare_int("hurried", default_value=0)
    by = wf.declare_str("by")

    def hurry(handler: WorkflowThread) -> None:
        times = handler.declare_int("INPUT")
        hurried.assign(hurried.add(times))

    wf.add_interrupt_handler(HURRY, hurry).with_event_type(int)
    by.assign(wf.assign_user_task(FORM, user_id="bob").with_json_path("$.by"))


client.PutUserTaskDef(PutUserTaskDefRequest(name=FORM, fields=[
    UserTaskField(name="by", display_name="Who confirms?", type=VariableType.STR, required=True)]))
one = run(register("confirmation", confirmation))
task = until("the task", lambda: user_tasks(one).get("bob"))
client.PutExternalEvent(PutExternalEventRequest(
    external_event_def_id=ExternalEventDefId(name=HURRY), wf_run_id=one, content=to_variable_value(2)))
until("the interrupt", lambda: variables(one, "hurried"), {"hurried": 2})
equal("the task", user_tasks(one)["bob"].status, UserTaskRunStatus.ASSIGNED)
complete(task, "bob", by="bob ✓")
ended(one)
equal("its variables", variables(one, "hurried", "by"), {"hurried": 2, "by": "bob ✓"})
