"""An interrupt: a running thread is halted, its handler changes what the thread knows, and the thread goes on."""

from kit import client, ended, equal, kinds, named, register, run, until, variable, variables, work
from littlehorse import to_variable_value
from littlehorse.model import ExternalEventDefId, LHStatus, PutExternalEventRequest
from littlehorse.workflow import SpawnedThreads, WorkflowThread

CHANGE, RECEIVED = named("address-changed"), named("received")


async def look_up(street: str) -> str:
    return f"{street}, 2nd floor"


def delivery(wf: WorkflowThread) -> None:
    address = wf.declare_str("address", default_value="Old Street 1")
    changes = wf.declare_int("changes", default_value=0)
    by = wf.declare_str("by")

    def moved(handler: WorkflowThread) -> None:
        street = handler.declare_str("INPUT")
        address.assign(handler.execute(named("look-up"), street))
        changes.assign(changes.add(1))

    wf.add_interrupt_handler(CHANGE, moved).with_event_type(str)

    def hand_over(child: WorkflowThread) -> None:
        by.assign(child.wait_for_event(RECEIVED, return_type=str))

    wf.wait_for_threads(SpawnedThreads.from_list(wf.spawn_thread(hand_over, "hand-over")))


def post(name, run, text):
    client.PutExternalEvent(PutExternalEventRequest(
        external_event_def_id=ExternalEventDefId(name=name), wf_run_id=run, content=to_variable_value(text)))


work(**{"look-up": look_up})
flow = register("delivery", delivery)

one = run(flow)
until("the wait", lambda: kinds(one, 1), ["ENTRYPOINT", "EXTERNAL_EVENT"])
post(CHANGE, one, "New Street 2")
until("the first change", lambda: variable(one, "changes"), 1)
post(CHANGE, one, "Newer Street 3")
until("the second change", lambda: variable(one, "changes"), 2)
equal("the address", variable(one, "address"), "Newer Street 3, 2nd floor")
until("everything goes on", lambda: [thread.status for thread in client.GetWfRun(one).thread_runs[:2]],
      [LHStatus.RUNNING, LHStatus.RUNNING])
post(RECEIVED, one, "bob")
ended(one)
equal("its variables", variables(one, "address", "changes", "by"),
      {"address": "Newer Street 3, 2nd floor", "changes": 2, "by": "bob"})
threads = client.GetWfRun(one).thread_runs
equal("its threads", [thread.thread_spec_name for thread in threads],
      ["entrypoint", "hand-over", f"interrupt-{CHANGE}", f"interrupt-{CHANGE}"])
equal("how they ended", {LHStatus.Name(thread.status) for thread in threads}, {"COMPLETED"})
equal("what the handler did", kinds(one, 2), ["ENTRYPOINT", "TASK", "EXIT"])
