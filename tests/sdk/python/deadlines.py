"""Time limits of user tasks: a reminder, a deadline that releases it, one that hands it on, one that cancels."""

from kit import client, complete, ended, equal, named, register, run, task_runs, until, user_tasks, variable, work
from littlehorse.model import (
    AssignUserTaskRunRequest, PutUserTaskDefRequest, UserTaskField, UserTaskRunStatus, VariableType)
from littlehorse.worker import WorkerContext
from littlehorse.workflow import WorkflowThread

FORM, GROUP = named("review"), named("reviewers")
REMINDED = []


async def remind(who: str, context: WorkerContext) -> str:
    REMINDED.append((who, context.wf_run_id.id))
    return f"{who} was reminded"


def reminded(wf: WorkflowThread) -> None:
    seconds = wf.declare_int("seconds", default_value=1)
    verdict = wf.declare_str("verdict")
    answer = wf.assign_user_task(FORM, user_id="ann")
    wf.schedule_reminder_task(answer, seconds, named("remind"), "ann")
    wf.schedule_reminder_task(answer, 3600, named("remind"), "nobody")
    verdict.assign(answer.with_json_path("$.verdict"))


def released(wf: WorkflowThread) -> None:
    verdict = wf.declare_str("verdict")
    answer = wf.assign_user_task(FORM, user_id="ann", user_group=GROUP)
    wf.release_to_group_on_deadline(answer, 1)
    verdict.assign(answer.with_json_path("$.verdict"))


def handed_on(wf: WorkflowThread) -> None:
    boss = wf.declare_str("boss").required()
    verdict = wf.declare_str("verdict")
    answer = wf.assign_user_task(FORM, user_id="carl")
    wf.reassign_user_task_on_deadline(answer, 1, user_id=boss)
    verdict.assign(answer.with_json_path("$.verdict"))


def cancelled(wf: WorkflowThread) -> None:
    verdict = wf.declare_str("verdict", default_value="none")
    answer = wf.assign_user_task(FORM, user_id="ann").with_on_cancellation_exception("too-slow")
    wf.cancel_user_task_run_after(answer, 1)

    def slow(handler: WorkflowThread) -> None:
        verdict.assign("too slow")

    wf.handle_exception(answer, slow, "too-slow")


def the_task(one):
    tasks = list(user_tasks(one).values())
    equal("number of tasks", len(tasks), 1)
    return tasks[0]


def holder(one):
    task = the_task(one)
    return UserTaskRunStatus.Name(task.status), task.user_id, task.user_group


client.PutUserTaskDef(PutUserTaskDefRequest(name=FORM, fields=[
    UserTaskField(name="verdict", display_name="Verdict", type=VariableType.STR, required=True)]))
work(remind=remind)
bodies = (reminded, released, handed_on, cancelled)
flows = {body.__name__: register(body.__name__.replace("_", "-"), body) for body in bodies}
reminding, releasing, cancelling = (run(flows[name]) for name in ("reminded", "released", "cancelled"))
handing, quick = (run(flows["handed_on"], boss="the boss") for _ in range(2))

# Who is quick hears nothing of a deadline: it passes with the others'.
until("its task", lambda: user_tasks(quick))
complete(the_task(quick), "carl", verdict="quick")
ended(quick)

until("the reminder", lambda: REMINDED, [("ann", reminding.id)])
until("its end", lambda: [task.attempts[-1].output.str for task in task_runs(reminding)], ["ann was reminded"])
equal("its source", task_runs(reminding)[0].source.WhichOneof("task_run_source"), "user_task_trigger")
equal("who still holds it", holder(reminding), ("ASSIGNED", "ann", ""))
complete(the_task(reminding), "ann", verdict="good")
ended(reminding)
equal("the verdict", variable(reminding, "verdict"), "good")

until("the release", lambda: holder(releasing), ("UNASSIGNED", "", GROUP))
client.AssignUserTaskRun(AssignUserTaskRunRequest(
    user_task_run_id=the_task(releasing).id, user_id="bob", user_group=GROUP))
complete(the_task(releasing), "bob", verdict="bob likes it")
ended(releasing)
equal("the verdict", variable(releasing, "verdict"), "bob likes it")

until("the boss has it", lambda: holder(handing)[:2], ("ASSIGNED", "the boss"))
complete(the_task(handing), "the boss", verdict="no")
ended(handing)
equal("the verdict", variable(handing, "verdict"), "no")

ended(cancelling)
equal("the verdict", variable(cancelling, "verdict"), "too slow")
equal("the cancelled task", holder(cancelling)[0], "CANCELLED")

equal("who did the quick one", holder(quick)[:2], ("DONE", "carl"))
equal("everybody who was reminded", REMINDED, [("ann", reminding.id)])
