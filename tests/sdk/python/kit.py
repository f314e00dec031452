"""What the programs of this folder share: names of their own, comparisons, waits with an end, workers.

A program prints nothing and ends with 0 when everything was as it must be; else it says what it found and wanted and
ends with 1. The server: LHC_API_HOST, LHC_API_PORT.
"""

import asyncio
import logging
import os
import threading
import time
import uuid

import grpc
from littlehorse import create_task_def, create_workflow_spec
from littlehorse.config import LHConfig
from littlehorse.model import (
    CompleteUserTaskRunRequest, GetLatestWfSpecRequest, LHStatus, ListNodeRunsRequest, ListTaskRunsRequest,
    ListUserTaskRunRequest, RunWfRequest, TaskDefId, VariableId, WfRunId)
from littlehorse.utils import extract_value, to_variable_value
from littlehorse.worker import LHTaskWorker
from littlehorse.workflow import Workflow

# A task that is made to fail is no news on the screen.
logging.disable(logging.CRITICAL)

# A process that a program starts takes its names.
TAG = os.environ.get("SDK_PROGRAM_TAG") or uuid.uuid4().hex[:8]
PATIENCE = 30
config = LHConfig()
client = config.stub()


def named(name):
    """A name of this run's own, so that a program can run again on a server that is already in use."""
    return f"{name}-{TAG}"


def equal(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: found {found!r}, wanted {wanted!r}")


def refused(what, code, call):
    try:
        call()
    except grpc.RpcError as error:
        equal(what, error.code(), code)
        return
    raise SystemExit(f"{what}: was not refused")


def until(what, call, wanted=bool):
    """Asks until the answer is as wanted (a predicate, or the answer itself) and gives it back.

    A LittleHorse cluster may show what was put, and what it leads to, some milliseconds later.
    """
    holds = wanted if callable(wanted) else lambda answer: answer == wanted
    last, end = "nothing", time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            last = call()
            if holds(last):
                return last
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE):
                raise
            last = error.code()
        time.sleep(0.02)
    hint = "" if callable(wanted) else f", wanted {wanted!r}"
    raise SystemExit(f"{what}: still {last!r} after {PATIENCE} s{hint}")


def work(**tasks):
    """Registers a TaskDef for each coroutine function, by its name, and works on it until the program ends."""
    for name, function in tasks.items():
        create_task_def(function, named(name), config)
        until(name, lambda: client.GetTaskDef(TaskDefId(name=named(name))))
    start_workers(**tasks)


def start_workers(**tasks):
    """A worker for each of the tasks, in the background, and somebody who looks after them.

    A worker that cannot register waits a minute before it tries again, and right after a restart of the server the
    connection it was given may still be the refused one of a moment ago. It says that it is not healthy: then all of
    them are started again, as a supervisor that asks for their health would do.
    """
    async def all_of_them():
        # A config keeps its channels, and these belong to the event loop that first used them.
        own = LHConfig()
        workers = [LHTaskWorker(function, named(name), own) for name, function in tasks.items()]
        going = asyncio.gather(*(worker.start() for worker in workers))
        while not going.done() and all(worker.health().healthy for worker in workers):
            await asyncio.sleep(0.05)
        if going.done():
            going.result()

    def background():
        while True:
            try:
                asyncio.run(all_of_them())
            except grpc.RpcError:
                pass
            time.sleep(0.02)

    threading.Thread(target=background, daemon=True).start()


def register(name, entrypoint, **more):
    """Registers the workflow of a function and gives its name back."""
    create_workflow_spec(Workflow(named(name), entrypoint, **more), config)
    until(name, lambda: client.GetLatestWfSpec(GetLatestWfSpecRequest(name=named(name))))
    return named(name)


def run(workflow, parent=None, **inputs):
    """Starts a run and gives its id back."""
    values = {name: to_variable_value(value) for name, value in inputs.items()}
    return client.RunWf(RunWfRequest(wf_spec_name=workflow, variables=values, parent_wf_run_id=parent)).id


def status(run):
    return LHStatus.Name(client.GetWfRun(run).status)


def ended(run, wanted="COMPLETED"):
    """Waits until the run is over, and fails if it is over in another status."""
    over = ("COMPLETED", "ERROR", "EXCEPTION", "HALTED")
    try:
        found = until("the end of the run", lambda: status(run), lambda now: now in over)
    except SystemExit as late:
        raise SystemExit(f"{late}\n{client.GetWfRun(run)}\n{nodes(run)}\n{task_runs(run)}") from late
    if found != wanted:
        threads = client.GetWfRun(run).thread_runs
        raise SystemExit(f"the run ended {found}, wanted {wanted}: {[thread.error_message for thread in threads]}")


def variable(run, name, thread=0):
    """The value of a variable as a Python value."""
    return extract_value(client.GetVariable(VariableId(wf_run_id=run, thread_run_number=thread, name=name)).value)


def variables(run, *names, thread=0):
    return {name: variable(run, name, thread) for name in names}


def nodes(run, thread=None):
    """The NodeRuns of a run in their order."""
    every = client.ListNodeRuns(ListNodeRunsRequest(wf_run_id=run)).results
    mine = [node for node in every if thread is None or node.id.thread_run_number == thread]
    return sorted(mine, key=lambda node: (node.id.thread_run_number, node.id.position))


def kinds(run, thread=0):
    """What its NodeRuns are, in their order: 'TASK', 'NOP', 'EXIT' and so on."""
    return [node.node_name.split("-")[-1] for node in nodes(run, thread)]


def task_runs(run):
    return client.ListTaskRuns(ListTaskRunsRequest(wf_run_id=run)).results


def user_tasks(run):
    """The UserTaskRuns of a run, by the group or else the user they are for."""
    found = client.ListUserTaskRuns(ListUserTaskRunRequest(wf_run_id=run)).results
    return {task.user_group or task.user_id: task for task in found}


def complete(task, user, **results):
    values = {name: to_variable_value(value) for name, value in results.items()}
    client.CompleteUserTaskRun(CompleteUserTaskRunRequest(user_task_run_id=task.id, user_id=user, results=values))


def run_id(text):
    return WfRunId(id=text)
