"""A parallel approval: three groups are asked at once; all must agree, and one that refuses ends it for the others."""

from kit import client, complete, ended, equal, named, register, run, status, until, user_tasks, variables
from littlehorse.model import (
    AssignUserTaskRunRequest, PutUserTaskDefRequest, SearchUserTaskRunRequest, UserTaskField,
    UserTaskRunStatus, VariableType)
from littlehorse.workflow import SpawnedThreads, WorkflowThread

FORM = named("approve")
GROUPS = [named("finance"), named("legal"), named("security")]


def approval(wf: WorkflowThread) -> None:
    item = wf.declare_str("item").required()
    approved = wf.declare_bool("approved", default_value=True)
    refused_by = wf.declare_str("refused-by", default_value="")
    voices = wf.declare_json_arr("voices", default_value=[])

    def ask(group, number):
        def thread(child: WorkflowThread) -> None:
            answer = child.assign_user_task(FORM, user_group=group).with_notes(child.format("may we have {0}?", item))
            agreed = child.declare_bool(f"agreed-{number}")
            agreed.assign(answer.with_json_path("$.agreed"))

            def refuse(then: WorkflowThread) -> None:
                then.fail("refused", f"{group} refused", group)

            child.do_if(agreed.is_equal_to(False), refuse)
            voices.assign(voices.extend([group]))
        return thread

    def refused(handler: WorkflowThread) -> None:
        group = handler.declare_str("INPUT")
        approved.assign(False)
        refused_by.assign(group)
        handler.fail("not-approved", "somebody refused")

    asked = [wf.spawn_thread(ask(group, number), f"ask-{group}") for number, group in enumerate(GROUPS)]
    wf.wait_for_threads(SpawnedThreads.from_list(*asked)).handle_exception_on_child(refused, "refused")


def open_tasks(group):
    found = client.SearchUserTaskRun(SearchUserTaskRunRequest(user_group=group, status=UserTaskRunStatus.UNASSIGNED))
    return [task.wf_run_id for task in found.results]


client.PutUserTaskDef(PutUserTaskDefRequest(name=FORM, fields=[
    UserTaskField(name="agreed", display_name="Do you agree?", type=VariableType.BOOL, required=True)]))
flow = register("approval", approval)

fine = run(flow, item="a boat")
for group in GROUPS:
    until(f"the task of {group}", lambda: open_tasks(group), [fine])
tasks = user_tasks(fine)
equal("who is asked", sorted(tasks), GROUPS)
equal("what they read", {task.notes for task in tasks.values()}, {"may we have a boat?"})
for group in reversed(GROUPS):
    equal("the run", status(fine), "RUNNING")
    client.AssignUserTaskRun(AssignUserTaskRunRequest(
        user_task_run_id=tasks[group].id, user_id=f"{group}-member", user_group=group))
    complete(tasks[group], f"{group}-member", agreed=True)
ended(fine)
equal("the outcome", variables(fine, "approved", "refused-by", "voices"),
      {"approved": True, "refused-by": "", "voices": GROUPS[::-1]})
equal("who did it", {group: task.user_id for group, task in user_tasks(fine).items()},
      {group: f"{group}-member" for group in GROUPS})

bad = run(flow, item="a rocket")
tasks = until("three tasks", lambda: user_tasks(bad), lambda tasks: len(tasks) == 3)
complete(tasks[GROUPS[0]], "ann", agreed=True)
complete(tasks[GROUPS[1]], "bob", agreed=False)
ended(bad, "EXCEPTION")
equal("the outcome", variables(bad, "approved", "refused-by", "voices"),
      {"approved": False, "refused-by": GROUPS[1], "voices": GROUPS[:1]})
until("the tasks", lambda: [UserTaskRunStatus.Name(user_tasks(bad)[group].status) for group in GROUPS],
      ["DONE", "DONE", "CANCELLED"])
