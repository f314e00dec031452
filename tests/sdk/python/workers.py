"""Worker processes: two of them share a TaskDef, and one dies with a task in its hands; the other one does it."""

import asyncio
import os
import subprocess
import sys

import littlehorse
from kit import TAG, client, config, ended, equal, named, register, run, task_runs, until, variable
from littlehorse.model import TaskDefId, TaskStatus
from littlehorse.worker import LHTaskWorker, WorkerContext
from littlehorse.workflow import WorkflowThread


async def stamp(text: str, context: WorkerContext) -> str:
    if text == "heavy" and context.attempt_number == 0:
        await asyncio.sleep(3600)
    return f"{text} by {config.task_worker_id}"


def letter(wf: WorkflowThread) -> None:
    text = wf.declare_str("text").required()
    stamped = wf.declare_str("stamped")
    stamped.assign(wf.execute(named("stamp"), text, timeout_seconds=2, retries=3))


def worker_process(name):
    settings = {"SDK_PROGRAM_TAG": TAG, "LHW_TASK_WORKER_ID": name}
    return subprocess.Popen([sys.executable, "-B", __file__, "worker"], env=os.environ | settings)


def main():
    LHTaskWorker(stamp, named("stamp"), config).register_task_def()
    until("the task", lambda: client.GetTaskDef(TaskDefId(name=named("stamp"))))
    flow = register("letter", letter)
    processes = {name: worker_process(name) for name in ("one", "two")}
    try:
        # Both get work: letters are written until each of them has done one.
        seen = set()

        def both():
            light = run(flow, text="light")
            ended(light)
            seen.add(variable(light, "stamped").removeprefix("light by "))
            return seen
        until("both work", both, {"one", "two"})

        heavy = run(flow, text="heavy")
        holder = until("who has it", lambda: [
            attempt.task_worker_id for task in task_runs(heavy) for attempt in task.attempts
            if attempt.status == TaskStatus.TASK_RUNNING])[0]
        processes[holder].kill()
        ended(heavy)
        other = ({"one", "two"} - {holder}).pop()
        equal("who did it", variable(heavy, "stamped"), f"heavy by {other}")
        attempts = task_runs(heavy)[0].attempts
        ends = [(attempt.task_worker_id, TaskStatus.Name(attempt.status)) for attempt in attempts]
        equal("its first attempt", ends[0], (holder, "TASK_TIMEOUT"))
        equal("its last attempt", ends[-1], (other, "TASK_SUCCESS"))
    finally:
        for process in processes.values():
            process.kill()


if sys.argv[1:] == ["worker"]:
    asyncio.run(littlehorse.start(LHTaskWorker(stamp, named("stamp"), config)))
else:
    main()
