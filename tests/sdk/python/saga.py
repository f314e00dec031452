"""A saga: three bookings, each with its compensation; one that is refused undoes the others, the last one first."""

from kit import client, ended, equal, named, nodes, register, run, task_runs, variable, work
from littlehorse.exceptions import LHTaskException
from littlehorse.model import LHStatus
from littlehorse.workflow import WorkflowThread

BOOKINGS = []


async def book(what: str, trip: str) -> str:
    if what in trip:
        raise LHTaskException("sold-out", f"no {what} left")
    BOOKINGS.append((trip, "book", what))
    return f"{what}-7"


async def cancel(what: str, trip: str) -> None:
    BOOKINGS.append((trip, "cancel", what))


def trip(wf: WorkflowThread) -> None:
    name = wf.declare_str("name").required()
    flight = wf.declare_str("flight")
    hotel = wf.declare_str("hotel")
    car = wf.declare_str("car")
    undone = wf.declare_json_arr("undone", default_value=[])

    def undo(*booked):
        def handler(handler: WorkflowThread) -> None:
            for what in booked:
                handler.execute(named("cancel"), what, name)
                undone.assign(undone.extend([what]))
            handler.fail("trip-refused", "all bookings were undone", name)
        return handler

    booking = wf.execute(named("book"), "flight", name)
    wf.handle_exception(booking, undo(), "sold-out")
    flight.assign(booking)
    booking = wf.execute(named("book"), "hotel", name)
    wf.handle_exception(booking, undo("flight"), "sold-out")
    hotel.assign(booking)
    booking = wf.execute(named("book"), "car", name)
    wf.handle_exception(booking, undo("hotel", "flight"), "sold-out")
    car.assign(booking)


work(book=book, cancel=cancel)
flow = register("trip", trip)

fine = run(flow, name="fine")
ended(fine)
equal("what is booked", [variable(fine, name) for name in ("flight", "hotel", "car")], ["flight-7", "hotel-7", "car-7"])

for missing, undone in (("flight", []), ("hotel", ["flight"]), ("car", ["hotel", "flight"])):
    trip = f"no {missing}"
    refused = run(flow, name=trip)
    ended(refused, "EXCEPTION")
    equal(f"undone without {missing}", variable(refused, "undone"), undone)
    equal(f"cancelled without {missing}",
          [what for name, did, what in BOOKINGS if (name, did) == (trip, "cancel")], undone)
    threads = client.GetWfRun(refused).thread_runs
    equal("its threads", [LHStatus.Name(thread.status) for thread in threads], ["EXCEPTION", "EXCEPTION"])
    booking, undoing = nodes(refused, 0)[-1].failures[0], nodes(refused, 1)[-1].failures[0]
    equal("its failures", (booking.failure_name, undoing.failure_name), ("sold-out", "trip-refused"))
    equal("the content", undoing.content.str, trip)
    equal("bookings and cancellations", len(task_runs(refused)), 2 * len(undone) + 1)
