"""Values of every kind through a worker and back; arithmetic, casts and lists; tasks named at run time; searches."""

import time
from typing import Any

from kit import client, ended, equal, named, register, run, until, variable, variables, work
from littlehorse import to_variable_value
from littlehorse.model import (
    Comparator, SearchVariableRequest, SearchWfRunRequest, VariableMatch, VariableType, WaitForThreadsStrategy)
from littlehorse.workflow import SpawnedThreads, WorkflowThread


async def echo_all(
        text: str, number: int, real: float, yes: bool, data: bytes, record: dict[str, Any], items: list[Any]) -> list[Any]:
    equal("bytes in a worker", data, b"\x00\xffdata")
    return [text, number, real, yes, record, items]


async def echo_bytes(data: bytes) -> bytes:
    return data[::-1]


async def give_up(reason: str) -> str:
    return f"gave up: {reason}"


def every_kind(wf: WorkflowThread) -> None:
    given = [wf.declare_str("text"), wf.declare_int("number"), wf.declare_double("real"), wf.declare_bool("yes"),
             wf.declare_bytes("data"), wf.declare_json_obj("record"), wf.declare_json_arr("items")]
    back = wf.declare_json_arr("back")
    data_back = wf.declare_bytes("data-back")
    back.assign(wf.execute(named("echo-all"), *given))
    data_back.assign(wf.execute(named("echo-bytes"), given[4]))


def arithmetic(wf: WorkflowThread) -> None:
    number = wf.declare_int("number").required()
    text = wf.declare_str("text")
    real = wf.declare_double("real")
    large = wf.declare_bool("large")
    items = wf.declare_json_arr("items", default_value=[1, "two", 3])
    record = wf.declare_json_obj("record", default_value={"a": 1, "b": {"c": [5, 6]}})
    part = wf.declare_int("part")
    text.assign(number.cast_to_str())
    real.assign(number.multiply(3).subtract(1).cast_to_double().divide(4.0))
    large.assign(number.is_greater_than(100))
    items.assign(items.remove_if_present("two"))
    items.assign(items.extend([{"four": 4}]))
    items.assign(items.remove_index(0))
    part.assign(record.with_json_path("$.b.c[1]"))
    record.with_json_path("$.b.d").assign(number)
    record.assign(record.remove_key("a"))


def named_later(wf: WorkflowThread) -> None:
    name = wf.declare_str("task-name").required().searchable()
    reason = wf.declare_json_obj("reason").searchable_on("$.why", VariableType.STR)
    first = wf.declare_str("first")
    second = wf.declare_str("second")
    moment = wf.declare_int("moment").required()
    ready = wf.declare_bool("ready", default_value=False)

    def later(child: WorkflowThread) -> None:
        child.sleep_until(moment)
        ready.assign(True)

    def never(child: WorkflowThread) -> None:
        child.wait_for_condition(child.condition(first, Comparator.EQUALS, "never"))

    first.assign(wf.execute(name, reason.with_json_path("$.why")))
    second.assign(wf.execute(wf.format("{0}", name), "again"))
    waits = SpawnedThreads.from_list(wf.spawn_thread(later, "later"), wf.spawn_thread(never, "never"))
    wf.wait_for_condition(ready.is_equal_to(True))
    wf.wait_for_threads(waits, WaitForThreadsStrategy.WAIT_FOR_ANY)


work(**{"echo-all": echo_all, "echo-bytes": echo_bytes, "give-up": give_up})

text, record = "line\nbreak \"quoted\" ✓ 日本語", {"deep": [{"list": [1, 2.5, None, True]}], "": "empty key"}
one = run(register("every-kind", every_kind), text=text, number=-2**53, real=0.1, yes=True, data=b"\x00\xffdata",
          record=record, items=["a", 1, None])
ended(one)
equal("what came back", variable(one, "back"), [text, -2**53, 0.1, True, record, ["a", 1, None]])
equal("bytes that came back", variable(one, "data-back"), b"atad\xff\x00")

two = run(register("arithmetic", arithmetic), number=7)
ended(two)
equal("results", variables(two, "text", "real", "large", "items", "record", "part"), {
    "text": "7", "real": 5.0, "large": False, "items": [3, {"four": 4}], "record": {"b": {"c": [5, 6], "d": 7}},
    "part": 6})

later = int(time.time() * 1000) + 1000
flow = register("named-later", named_later)
three = run(flow, moment=later, reason={"why": "rain"}, **{"task-name": named("give-up")})
ended(three)
equal("not before its time", time.time() * 1000 >= later, True)
equal("tasks by name", variables(three, "first", "second"), {"first": "gave up: rain", "second": "gave up: again"})


def found(name, value):
    return [result.id for result in client.SearchWfRun(SearchWfRunRequest(wf_spec_name=flow, variable_filters=[
        VariableMatch(var_name=name, value=to_variable_value(value))])).results]


until("the run by its variable", lambda: found("task-name", named("give-up")), [three.id])
equal("no run of another value", found("task-name", "nothing"), [])
until("its variable", lambda: [result.wf_run_id for result in client.SearchVariable(SearchVariableRequest(
    wf_spec_name=flow, var_name="task-name", value=to_variable_value(named("give-up")))).results], [three])
