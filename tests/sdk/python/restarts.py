"""Work that goes on while the server is killed with -9 and comes back: runs with tasks, a timer, user tasks and events.

A line `kill -9` on the output asks for it (tests/sdk/programs.rs); by hand, somebody may do it, or nobody. Everything
the server said yes to must be there afterwards, and everything that waits must go on. The worker of the Python client
looks for a server that went away once a minute only: it is started again, as a supervisor would (kit.start_workers).
"""

import collections
import threading
import time

import grpc
from google.protobuf.empty_pb2 import Empty
from kit import (
    client, ended, equal, named, nodes, register, run_id, start_workers, task_runs, until, user_tasks, variables, work)
from littlehorse import to_variable_value
from littlehorse.model import (
    AssignUserTaskRunRequest, CompleteUserTaskRunRequest, ExternalEventDefId, LHStatus, PutExternalEventRequest,
    PutUserTaskDefRequest, RunWfRequest, TaskStatus, UserTaskField, UserTaskRunStatus, VariableType)
from littlehorse.worker import WorkerContext
from littlehorse.workflow import WorkflowThread

FORM, GROUP, GO = named("check"), named("checkers"), named("go")
NUMBERS = range(1, 9)
# Each attempt that a worker was given: run, TaskRun, number.
LEDGER = []


def note(context):
    LEDGER.append((context.wf_run_id.id, context.task_run_id.task_guid, context.attempt_number))


async def double(number: int, context: WorkerContext) -> int:
    note(context)
    return 2 * number


async def remind(context: WorkerContext) -> str:
    note(context)
    return "reminded"


def shift(wf: WorkflowThread) -> None:
    number = wf.declare_int("number").required()
    first = wf.declare_int("first")
    checked = wf.declare_str("checked")
    extra = wf.declare_int("extra")
    total = wf.declare_int("total")

    # An attempt that was given to a worker at the moment of a kill may never arrive: the next follows soon.
    first.assign(wf.execute(named("double"), number, timeout_seconds=2, retries=20))
    wf.sleep(1)
    answer = wf.assign_user_task(FORM, user_group=GROUP)
    wf.schedule_reminder_task(answer, 1, named("remind"))
    checked.assign(answer.with_json_path("$.by"))
    extra.assign(wf.wait_for_event(GO, return_type=int))
    total.assign(wf.execute(named("double"), first.add(extra), timeout_seconds=2, retries=20))


def tick(wf: WorkflowThread) -> None:
    number = wf.declare_int("number").required()
    squared = wf.declare_int("squared")
    squared.assign(number.multiply(number))


def steadily(call, already=None):
    """Asks again while the server is away; `already` is how a second yes looks when the first one got lost."""
    while True:
        try:
            return call()
        except grpc.RpcError as error:
            if already and error.code() == already:
                return None
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
        time.sleep(0.01)


def start(workflow, name, number):
    request = RunWfRequest(wf_spec_name=workflow, id=name, variables={"number": to_variable_value(number)})
    steadily(lambda: client.RunWf(request), grpc.StatusCode.ALREADY_EXISTS)
    return run_id(name)


def kill():
    """Asks for a kill -9, waits until the server was away and is back, and starts workers again."""
    print("kill -9", flush=True)
    end = time.monotonic() + 5
    try:
        while time.monotonic() < end:
            client.GetServerVersion(Empty())
    except grpc.RpcError as error:
        equal("what a dead server answers", error.code(), grpc.StatusCode.UNAVAILABLE)
    steadily(lambda: client.GetServerVersion(Empty()))
    start_workers(double=double, remind=remind)


def complete(task):
    steadily(lambda: client.CompleteUserTaskRun(CompleteUserTaskRunRequest(
        user_task_run_id=task.id, user_id="ann", results={"by": to_variable_value("ann")})),
        grpc.StatusCode.FAILED_PRECONDITION)


def go(run, number):
    steadily(lambda: client.PutExternalEvent(PutExternalEventRequest(
        external_event_def_id=ExternalEventDefId(name=GO), wf_run_id=run, guid="the-only-one",
        content=to_variable_value(number))), grpc.StatusCode.ALREADY_EXISTS)


client.PutUserTaskDef(PutUserTaskDefRequest(name=FORM, fields=[
    UserTaskField(name="by", display_name="Who checked it?", type=VariableType.STR, required=True)]))
work(double=double, remind=remind)
shifts, ticks, pressing = register("shift", shift), register("tick", tick), True
started = []


def press():
    """Short runs all the time, one after the other; what the server said yes to must be there at the end."""
    while pressing:
        number = len(started)
        started.append(start(ticks, f"{named('tick')}-{number}", number))


presser = threading.Thread(target=press, daemon=True)
presser.start()

# While runs start and workers work.
runs = {}
for number in NUMBERS:
    if number in (3, 6):
        kill()
    runs[number] = start(shifts, f"{named('shift')}-{number}", number)

# While they sleep, and while the first reminders come.
until("a sleep", lambda: [node for node in nodes(runs[8]) if node.WhichOneof("node_type") == "sleep"])
kill()
tasks = {number: until("a user task", lambda: user_tasks(run).get(GROUP)) for number, run in runs.items()}
kill()

# While people work: claimed before, completed after.
for number, task in tasks.items():
    steadily(lambda: client.AssignUserTaskRun(AssignUserTaskRunRequest(
        user_task_run_id=task.id, user_id="ann", user_group=GROUP, override_claim=True)))
    if number == 4:
        kill()
for number, run in runs.items():
    until("the reminder", lambda: [task for task in task_runs(run) if task.source.HasField("user_task_trigger")])
    complete(tasks[number])
    if number == 5:
        kill()

# While events come.
for number, run in runs.items():
    go(run, 100 * number)
    if number == 2:
        kill()

for number, run in runs.items():
    ended(run)
    equal("its variables", variables(run, "number", "first", "checked", "extra", "total"), {
        "number": number, "first": 2 * number, "checked": "ann", "extra": 100 * number, "total": 204 * number})
    equal("the user task", user_tasks(run)[GROUP].status, UserTaskRunStatus.DONE)
    sources = collections.Counter(task.source.WhichOneof("task_run_source") for task in task_runs(run))
    equal("its TaskRuns", sources, {"task_node": 2, "user_task_trigger": 1})
    for task in task_runs(run):
        given = [attempt for one, guid, attempt in LEDGER if (one, guid) == (run.id, task.id.task_guid)]
        ends = [TaskStatus.Name(attempt.status) for attempt in task.attempts]
        if task.source.HasField("task_node"):
            equal("the last attempt", ends[-1], "TASK_SUCCESS")
            equal("those before", set(ends[:-1]) | {"TASK_TIMEOUT"}, {"TASK_TIMEOUT"})
            equal("the attempt that worked was given to a worker", len(ends) - 1 in given, True)
        equal("attempts that were given twice", len(given) - len(set(given)), 0)

pressing = False
presser.join()
equal("runs went on all the time", len(started) > 20, True)
for number, run in enumerate(started):
    equal("a short run", client.GetWfRun(run).status, LHStatus.COMPLETED)
    equal("its variable", variables(run, "squared"), {"squared": number * number})
