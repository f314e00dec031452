"""A child workflow: one that a run starts and waits for, and one that reads and writes what its parent shares."""

import grpc
from kit import client, ended, equal, kinds, named, nodes, refused, register, run, status, until, variable, work
from littlehorse import to_variable_value
from littlehorse.model import ExternalEventDefId, PutExternalEventRequest, SearchWfRunRequest, LHStatus
from littlehorse.workflow import WorkflowThread

GO = named("go")


async def double(number: int) -> int:
    return 2 * number


def child(wf: WorkflowThread) -> None:
    number = wf.declare_int("number").required()
    result = wf.declare_int("result")
    result.assign(wf.execute(named("double"), number))
    wf.complete(result)


def parent(wf: WorkflowThread) -> None:
    number = wf.declare_int("number").required()
    total = wf.declare_int("total", default_value=0)
    first = wf.run_wf(named("child"), {"number": number})
    second = wf.run_wf(named("child"), {"number": number.add(1)})
    total.assign(total.add(wf.wait_for_child_wf(first)))
    total.assign(total.add(wf.wait_for_child_wf(second)))


def failing(wf: WorkflowThread) -> None:
    wf.fail("no-luck", "it was not to be")


def hopeful(wf: WorkflowThread) -> None:
    lucky = wf.declare_bool("lucky", default_value=True)

    def unlucky(handler: WorkflowThread) -> None:
        lucky.assign(False)

    wf.handle_any_failure(wf.wait_for_child_wf(wf.run_wf(named("failing"))), unlucky)


def account(wf: WorkflowThread) -> None:
    wf.declare_int("balance", default_value=100).as_public()
    wf.wait_for_event(GO, auto_register=True)


def withdrawal(wf: WorkflowThread) -> None:
    balance = wf.declare_int("balance").as_inherited()
    amount = wf.declare_int("amount").required()
    balance.assign(balance.subtract(amount))


work(double=double)
register("child", child)
one = run(register("parent", parent), number=20)
ended(one)
equal("the total", variable(one, "total"), 82)
equal("its nodes", kinds(one),
      ["ENTRYPOINT", "RUN_CHILD_WF", "RUN_CHILD_WF", "WAIT_FOR_CHILD_WF", "WAIT_FOR_CHILD_WF", "EXIT"])
children = client.SearchWfRun(SearchWfRunRequest(parent_wf_run_id=one)).results
equal("children", [child.parent_wf_run_id for child in children], [one, one])
equal("their results", sorted(variable(child, "result") for child in children), [40, 42])

register("failing", failing)
two = run(register("hopeful", hopeful))
ended(two)
equal("luck", variable(two, "lucky"), False)
unlucky = nodes(two, 0)[1].run_child_wf.child_wf_run_id
equal("the child that failed", LHStatus.Name(client.GetWfRun(unlucky).status), "EXCEPTION")

mother = run(register("account", account))
spend = register("withdrawal", withdrawal, parent_wf=named("account"))
for amount in (30, 25):
    ended(run(spend, parent=mother, amount=amount))
refused("a child without a parent", grpc.StatusCode.INVALID_ARGUMENT, lambda: run(spend, amount=1))
equal("what is left", variable(mother, "balance"), 45)
equal("the parent", status(mother), "RUNNING")
until("its children", lambda: len(client.SearchWfRun(SearchWfRunRequest(parent_wf_run_id=mother)).results), 2)
client.PutExternalEvent(PutExternalEventRequest(
    external_event_def_id=ExternalEventDefId(name=GO), wf_run_id=mother, content=to_variable_value(None)))
ended(mother)
