"""Structs: defined by classes, given to a worker and taken back from it, read field by field, and defined anew."""

from typing import Annotated

import grpc
from kit import client, config, ended, equal, named, refused, register, run, until, variable, work
from littlehorse import create_struct_def
from littlehorse.lh_struct import LHStructField, lh_struct_def
from littlehorse.model import StructDefCompatibilityType, StructDefId
from littlehorse.workflow import WorkflowThread


@lh_struct_def(name=named("address"))
class Address:
    street: str
    house_number: int
    city: str = "Utrecht"


@lh_struct_def(name=named("person"), description="somebody who gets parcels")
class Person:
    name: str
    home: Address
    pin: Annotated[str, LHStructField(masked=True)]
    parcels: int = 0


@lh_struct_def(name=named("address"))
class LongerAddress:
    street: str
    house_number: int
    city: str = "Utrecht"
    floor: int = 0


@lh_struct_def(name=named("address"))
class OtherAddress:
    street: str
    house_number: str


async def deliver(to: Person) -> Person:
    return Person(name=to.name.upper(), home=to.home, pin=to.pin, parcels=to.parcels + 1)


async def label(street: str, number: int) -> str:
    return f"{street} {number}"


def parcel(wf: WorkflowThread) -> None:
    person = wf.declare_struct("person", Person).required()
    home = wf.declare_struct("home", Address)
    city = wf.declare_str("city")
    line = wf.declare_str("line")
    many = wf.declare_bool("many", default_value=False)

    person.assign(wf.execute(named("deliver"), person))
    home.assign(person.get("home"))
    city.assign(person.get("home").get("city"))
    line.assign(wf.execute(named("label"), home.get("street"), person.get("home").get("houseNumber")))

    def more_than_two(then: WorkflowThread) -> None:
        many.assign(True)

    wf.do_if(person.get("parcels").is_greater_than(2), more_than_two)


for struct, name in ((Address, "address"), (Person, "person")):
    create_struct_def(struct, config)
    until(name, lambda: client.GetStructDef(StructDefId(name=named(name), version=0)))
work(deliver=deliver, label=label)
flow = register("parcel", parcel)

eva = Person(name="Eva", home=Address(street="Canal", house_number=7), pin="1234", parcels=2)
one = run(flow, person=eva)
ended(one)
found = variable(one, "person")
equal("the person", (found["name"], found["parcels"]), ("EVA", 3))
equal("her home", variable(one, "home"), {"street": "Canal", "houseNumber": 7, "city": "Utrecht"})
equal("parts", [variable(one, name) for name in ("city", "line", "many")], ["Utrecht", "Canal 7", True])

ann = Person(name="Ann", home=Address(street="Hill", house_number=1, city="Bath"), pin="9876")
two = run(flow, person=ann)
ended(two)
equal("parts", [variable(two, name) for name in ("city", "line", "many")], ["Bath", "Hill 1", False])

refused("an address for a person", grpc.StatusCode.INVALID_ARGUMENT, lambda: run(
    flow, person=Address(street="Canal", house_number=7)))
refused("a text for a person", grpc.StatusCode.INVALID_ARGUMENT, lambda: run(flow, person="Eva"))

# The same again changes nothing; a new field with a default is a compatible change, a field of another type is not.
create_struct_def(Address, config)
refused("a change without leave", grpc.StatusCode.INVALID_ARGUMENT, lambda: create_struct_def(LongerAddress, config))
create_struct_def(LongerAddress, config, StructDefCompatibilityType.FULLY_COMPATIBLE_SCHEMA_UPDATES)
longer = until("the second version", lambda: client.GetStructDef(StructDefId(name=named("address"), version=1)))
equal("its fields", sorted(longer.struct_def.fields), ["city", "floor", "houseNumber", "street"])
refused("a change of a type", grpc.StatusCode.INVALID_ARGUMENT, lambda: create_struct_def(
    OtherAddress, config, StructDefCompatibilityType.FULLY_COMPATIBLE_SCHEMA_UPDATES))
