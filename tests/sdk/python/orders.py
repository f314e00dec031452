"""A worker process, conditions and loops: an order is priced item by item, and its total says what happens to it."""

from typing import Any

from kit import ended, equal, kinds, register, run, task_runs, variables, work, named
from littlehorse.model import Comparator, TaskStatus
from littlehorse.worker import WorkerContext
from littlehorse.workflow import WorkflowThread

PRICES = {"tea": 3.25, "cake": 4.5, "feast": 480.0}


async def price(items: list[Any], at: int, context: WorkerContext) -> float:
    item = items[at]
    context.log(f"the price of {item}")
    return PRICES[item]


async def ship(total: float, express: bool) -> dict[str, Any]:
    return {"carrier": "falcon" if express else "mule", "insured": total}


async def greet(name: str) -> str:
    return f"thank you, {name} ✓"


def order(wf: WorkflowThread) -> None:
    customer = wf.declare_str("customer").required().searchable()
    items = wf.declare_json_arr("items").required()
    count = wf.declare_int("count").required()
    at = wf.declare_int("at", default_value=0)
    total = wf.declare_double("total", default_value=0.0)
    kind = wf.declare_str("kind")
    carrier = wf.declare_str("carrier")
    shipment = wf.declare_json_obj("shipment")
    words = wf.declare_str("words")

    def next_item(body: WorkflowThread) -> None:
        total.assign(total.add(body.execute(named("price"), items, at)))
        at.assign(at.add(1))

    wf.do_while(wf.condition(at, Comparator.LESS_THAN, count), next_item)

    def nothing(then: WorkflowThread) -> None:
        kind.assign("empty")

    def small(then: WorkflowThread) -> None:
        kind.assign("small")
        shipment.assign(then.execute(named("ship"), total, False))

    def large(then: WorkflowThread) -> None:
        kind.assign("large")
        shipment.assign(then.execute(named("ship"), total, True))

    wf.do_if(count.is_equal_to(0), nothing).do_else_if(total.is_less_than(100.0), small).do_else(large)

    def known(then: WorkflowThread) -> None:
        carrier.assign(shipment.with_json_path("$.carrier"))

    wf.do_if(kind.is_not_equal_to("empty"), known)
    words.assign(wf.execute(named("greet"), customer))


work(price=price, ship=ship, greet=greet)
flow = register("order", order)
names = ("at", "total", "kind", "carrier", "shipment", "words")

empty = run(flow, customer="ann", items=[], count=0)
small = run(flow, customer="bob", items=["tea", "cake", "tea"], count=3)
large = run(flow, customer="cid", items=["cake", "feast"], count=2)
for one in (empty, small, large):
    ended(one)

equal("the empty order", variables(empty, *names), {
    "at": 0, "total": 0.0, "kind": "empty", "carrier": None, "shipment": None, "words": "thank you, ann ✓"})
equal("the small order", variables(small, *names), {
    "at": 3, "total": 11.0, "kind": "small", "carrier": "mule", "shipment": {"carrier": "mule", "insured": 11.0},
    "words": "thank you, bob ✓"})
equal("the large order", variables(large, *names), {
    "at": 2, "total": 484.5, "kind": "large", "carrier": "falcon",
    "shipment": {"carrier": "falcon", "insured": 484.5}, "words": "thank you, cid ✓"})

loop = ["NOP", "TASK", "NOP"]
equal("its nodes", kinds(large), [
    "ENTRYPOINT", *loop, *loop, "NOP", "TASK", "NOP", "NOP", "NOP", "TASK", "EXIT"])
priced = [task for task in task_runs(small) if task.task_def_id.name == named("price")]
equal("how often it was priced", len(priced), 3)
for task in priced:
    equal("its attempts", [attempt.status for attempt in task.attempts], [TaskStatus.TASK_SUCCESS])
    equal("its log", "the price of" in task.attempts[0].log_output.str, True)
