"""Exception handlers: for an exception and an error of a task, for a child thread that fails, and none at all."""


from kit import client, ended, equal, named, nodes, register, run, task_runs, variable, variables, work
from littlehorse import to_variable_value
from littlehorse.exceptions import LHTaskException
from littlehorse.model import LHErrorType, LHStatus, TaskStatus
from littlehorse.workflow import SpawnedThreads, WorkflowThread


async def charge(amount: int) -> str:
    if amount > 1000:
        raise LHTaskException("card-declined", "the limit is 1000", content=to_variable_value({"limit": 1000}))
    if amount < 0:
        raise ValueError("an amount is not negative")
    return f"receipt for {amount}"


def payment(wf: WorkflowThread) -> None:
    amount = wf.declare_int("amount").required()
    receipt = wf.declare_str("receipt", default_value="none")
    path = wf.declare_str("path", default_value="plain")
    limit = wf.declare_int("limit")

    charged = wf.execute(named("charge"), amount)

    def declined(handler: WorkflowThread) -> None:
        content = handler.declare_json_obj("INPUT")
        path.assign("declined")
        limit.assign(content.with_json_path("$.limit"))

    def broken(handler: WorkflowThread) -> None:
        path.assign("broken")

    wf.handle_exception(charged, declined, "card-declined")
    wf.handle_error(charged, broken, LHErrorType.TASK_ERROR)

    def keep(then: WorkflowThread) -> None:
        receipt.assign(then.execute(named("charge"), amount))

    wf.do_if(path.is_equal_to("plain"), keep)


def parent_of_failures(wf: WorkflowThread) -> None:
    reason = wf.declare_str("reason", default_value="unknown")

    def child(child: WorkflowThread) -> None:
        child.fail("out-of-stock", "no tea left", "tea")

    def handler(handler: WorkflowThread) -> None:
        what = handler.declare_str("INPUT")
        reason.assign(handler.format("out of {0}", what))

    wf.wait_for_threads(SpawnedThreads.from_list(wf.spawn_thread(child, "child"))) \
        .handle_exception_on_child(handler, "out-of-stock")


def careless(wf: WorkflowThread) -> None:
    amount = wf.declare_int("amount").required()
    wf.execute(named("charge"), amount)


def any_failure(wf: WorkflowThread) -> None:
    handled = wf.declare_bool("handled", default_value=False)

    def handler(handler: WorkflowThread) -> None:
        handled.assign(True)

    wf.handle_any_failure(wf.execute(named("charge"), -1), handler)


work(charge=charge)
flow = register("payment", payment)
fine, declined, broken = run(flow, amount=5), run(flow, amount=5000), run(flow, amount=-5)
for one in (fine, declined, broken):
    ended(one)
names = ("path", "receipt", "limit")
equal("what is fine", variables(fine, *names), {"path": "plain", "receipt": "receipt for 5", "limit": None})
equal("what is declined", variables(declined, *names), {"path": "declined", "receipt": "none", "limit": 1000})
equal("what is broken", variables(broken, *names), {"path": "broken", "receipt": "none", "limit": None})

node = nodes(declined, 0)[1]
equal("the failure", (node.failures[0].failure_name, node.failures[0].was_properly_handled), ("card-declined", True))
equal("its handler", node.failure_handler_ids, [1])
equal("the attempt", [attempt.status for attempt in task_runs(declined)[0].attempts], [TaskStatus.TASK_EXCEPTION])
equal("the exception", task_runs(declined)[0].attempts[0].exception.name, "card-declined")

child = run(register("parent-of-failures", parent_of_failures))
ended(child)
equal("the reason", variable(child, "reason"), "out of tea")
equal("threads", [LHStatus.Name(thread.status) for thread in client.GetWfRun(child).thread_runs],
      ["COMPLETED", "EXCEPTION", "COMPLETED"])

flow = register("careless", careless)
refused, wrong = run(flow, amount=2000), run(flow, amount=-1)
ended(refused, "EXCEPTION")
ended(wrong, "ERROR")

some = run(register("any-failure", any_failure))
ended(some)
equal("handled", variable(some, "handled"), True)
