"""Threads: two that write to their parent, one for each element of a list, and the first of two."""

from kit import client, ended, equal, kinds, named, register, run, variable, variables, work
from littlehorse.model import LHStatus, WaitForThreadsStrategy
from littlehorse.workflow import SpawnedThreads, WorkflowThread


async def square(number: int) -> int:
    return number * number


def fan_out(wf: WorkflowThread) -> None:
    left = wf.declare_int("left")
    right = wf.declare_int("right")
    numbers = wf.declare_json_arr("numbers").required()
    total = wf.declare_int("total", default_value=0)

    def on_the_left(child: WorkflowThread) -> None:
        three = child.declare_int("three").required()
        left.assign(child.execute(named("square"), three))

    def on_the_right(child: WorkflowThread) -> None:
        four = child.declare_int("four").required()

        def deeper(grandchild: WorkflowThread) -> None:
            right.assign(grandchild.execute(named("square"), four))

        child.wait_for_threads(SpawnedThreads.from_list(child.spawn_thread(deeper, "deeper")))

    def each(child: WorkflowThread) -> None:
        item = child.declare_json_obj("INPUT")
        weight = child.declare_int("weight").required()
        result = child.declare_int("result")
        result.assign(child.execute(named("square"), item.with_json_path("$.value")))
        total.assign(total.add(result.multiply(weight)))

    wf.wait_for_threads(SpawnedThreads.from_list(
        wf.spawn_thread(on_the_left, "left-side", {"three": 3}),
        wf.spawn_thread(on_the_right, "right-side", {"four": 4})))
    wf.wait_for_threads(wf.spawn_thread_for_each(numbers, each, "each", {"weight": 10}))


def race(wf: WorkflowThread) -> None:
    winner = wf.declare_str("winner")

    def quick(child: WorkflowThread) -> None:
        child.execute(named("square"), 1)
        winner.assign("quick")

    def patient(child: WorkflowThread) -> None:
        child.sleep(3600)
        winner.assign("patient")

    wf.wait_for_threads(
        SpawnedThreads.from_list(wf.spawn_thread(quick, "quick"), wf.spawn_thread(patient, "patient")),
        WaitForThreadsStrategy.WAIT_FOR_FIRST)


work(square=square)
flow = register("fan-out", fan_out)
one = run(flow, numbers=[{"value": value} for value in (1, 2, 3, 5)])
ended(one)
equal("its variables", variables(one, "left", "right", "total"), {"left": 9, "right": 16, "total": 390})
equal("nodes of the parent", kinds(one),
      ["ENTRYPOINT", "START_THREAD", "START_THREAD", "WAIT_FOR_THREADS", "START_MULTIPLE_THREADS", "WAIT_FOR_THREADS",
       "EXIT"])
threads = client.GetWfRun(one).thread_runs
equal("its threads", [thread.thread_spec_name for thread in threads],
      ["entrypoint", "left-side", "right-side", "deeper", "each", "each", "each", "each"])
equal("their ends", {thread.status for thread in threads}, {LHStatus.COMPLETED})
equal("what each got", [variable(one, "result", thread) for thread in range(4, 8)], [1, 4, 9, 25])

none = run(flow, numbers=[])
ended(none)
equal("threads for no elements", len(client.GetWfRun(none).thread_runs), 4)

first = run(register("race", race))
ended(first)
equal("who won", variable(first, "winner"), "quick")
equal("how the threads ended", [LHStatus.Name(thread.status) for thread in client.GetWfRun(first).thread_runs],
      ["COMPLETED", "COMPLETED", "HALTED"])
