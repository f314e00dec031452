"""Retries: at once, after growing delays, in vain; a worker that hangs; checkpoints, which are not done again."""

import asyncio

from kit import ended, equal, named, register, run, task_runs, variable, work
from littlehorse.model import ExponentialBackoffRetryPolicy, TaskStatus
from littlehorse.worker import WorkerContext
from littlehorse.workflow import WorkflowThread

STEPS = []


async def flaky(good_attempt: int, context: WorkerContext) -> int:
    if context.attempt_number < good_attempt:
        raise OSError("the network is away")
    return context.attempt_number


async def hang(context: WorkerContext) -> str:
    if context.attempt_number == 0:
        await asyncio.sleep(3600)
    return "second"


async def in_steps(context: WorkerContext) -> str:
    def step(name):
        def body(checkpoint):
            STEPS.append(name)
            return name
        return body

    one = await context.execute_and_checkpoint(step("one"))
    if context.attempt_number == 0:
        raise OSError("the power went")
    return one + await context.execute_and_checkpoint(step("two"))


def at_once(wf: WorkflowThread) -> None:
    good = wf.declare_int("good").required()
    attempt = wf.declare_int("attempt")
    attempt.assign(wf.execute(named("flaky"), good, retries=2))


def backoff(wf: WorkflowThread) -> None:
    attempt = wf.declare_int("attempt")
    attempt.assign(wf.execute(named("flaky"), 2, retries=2, exponential_backoff=ExponentialBackoffRetryPolicy(
        base_interval_ms=100, max_delay_ms=1000, multiplier=2.0)))


def hanging(wf: WorkflowThread) -> None:
    answer = wf.declare_str("answer")
    answer.assign(wf.execute(named("hang"), retries=1, timeout_seconds=1))


def stepwise(wf: WorkflowThread) -> None:
    answer = wf.declare_str("answer")
    answer.assign(wf.execute(named("in-steps"), retries=1))


def attempts(one):
    return [TaskStatus.Name(attempt.status) for attempt in task_runs(one)[0].attempts]


work(flaky=flaky, hang=hang, **{"in-steps": in_steps})
flow = register("at-once", at_once)
third, vain = run(flow, good=2), run(flow, good=9)
slow, hung, steps = (run(register(body.__name__, body)) for body in (backoff, hanging, stepwise))

ended(third)
equal("the attempt that worked", variable(third, "attempt"), 2)
equal("its attempts", attempts(third), ["TASK_FAILED", "TASK_FAILED", "TASK_SUCCESS"])
equal("the error", "the network is away" in task_runs(third)[0].attempts[0].error.message, True)
ended(vain, "ERROR")
equal("attempts in vain", attempts(vain), ["TASK_FAILED"] * 3)

ended(slow)
equal("the attempt that worked", variable(slow, "attempt"), 2)
times = [attempt.schedule_time.ToMilliseconds() for attempt in task_runs(slow)[0].attempts]
equal("a growing delay", (times[1] - times[0] >= 100, times[2] - times[1] >= 200), (True, True))

ended(hung)
equal("the answer", variable(hung, "answer"), "second")
equal("attempts", attempts(hung), ["TASK_TIMEOUT", "TASK_SUCCESS"])

ended(steps)
equal("the answer", variable(steps, "answer"), "onetwo")
equal("the steps that were done", STEPS, ["one", "two"])
equal("checkpoints", task_runs(steps)[0].total_checkpoints, 2)
