"""External events: awaited, early, correlated, too late; and an event that the workflow throws itself."""

import grpc
from kit import client, config, ended, equal, kinds, named, refused, register, run, status, until, variables
from littlehorse import create_external_event_def, to_variable_value
from littlehorse.model import (
    AwaitWorkflowEventRequest, CorrelatedEventConfig, ExternalEventDefId, ExternalEventId, LHErrorType,
    PutCorrelatedEventRequest, PutExternalEventRequest, WorkflowEventDefId)
from littlehorse.workflow import WorkflowThread

PAID, SIGNED, NEVER, DONE = named("paid"), named("signed"), named("never"), named("done")


def order(wf: WorkflowThread) -> None:
    document = wf.declare_str("document").required()
    amount = wf.declare_int("amount")
    who = wf.declare_str("who")
    late = wf.declare_bool("late", default_value=False)

    amount.assign(wf.wait_for_event(PAID, return_type=int))
    signature = wf.wait_for_event(SIGNED, correlation_id=document)
    who.assign(signature.with_json_path("$.by"))
    wf.throw_event(DONE, wf.format("{0} paid {1}", who, amount), return_type=str)

    def too_late(handler: WorkflowThread) -> None:
        late.assign(True)

    wf.handle_error(wf.wait_for_event(NEVER, timeout=1, auto_register=True), too_late, LHErrorType.TIMEOUT)


def post(name, run, content, guid=None):
    return client.PutExternalEvent(PutExternalEventRequest(
        external_event_def_id=ExternalEventDefId(name=name), wf_run_id=run, guid=guid,
        content=to_variable_value(content))).id


def correlate(key, content):
    client.PutCorrelatedEvent(PutCorrelatedEventRequest(
        key=key, external_event_def_id=ExternalEventDefId(name=SIGNED), content=to_variable_value(content)))


create_external_event_def(
    SIGNED, config, correlated_event_config=CorrelatedEventConfig(delete_after_first_correlation=False))
until("the event", lambda: client.GetExternalEventDef(ExternalEventDefId(name=SIGNED)))
flow = register("order", order)

awaited = run(flow, document=named("contract"))
equal("the run waits", status(awaited), "RUNNING")
equal("where", kinds(awaited), ["ENTRYPOINT", "EXTERNAL_EVENT"])
event = post(PAID, awaited, 120)
until("the event is claimed", lambda: client.GetExternalEvent(event).claimed)
refused("money of another type", grpc.StatusCode.INVALID_ARGUMENT, lambda: post(PAID, awaited, "much"))
correlate(named("contract"), {"by": "ann"})
thrown = until("the thrown event", lambda: client.AwaitWorkflowEvent(AwaitWorkflowEventRequest(
    wf_run_id=awaited, event_def_ids=[WorkflowEventDefId(name=DONE)])))
equal("what it says", thrown.content.str, "ann paid 120")
ended(awaited)
equal("what came", variables(awaited, "amount", "who", "late"), {"amount": 120, "who": "ann", "late": True})

# The signature is there before the run that waits for it; the payment is put twice under one id and taken once.
correlate(named("deed"), {"by": "bob"})
early = run(flow, document=named("deed"))
one = post(PAID, early, 7, guid="the-only-one")
equal("the same event", client.GetExternalEvent(one).content.int, 7)
equal("its id", one, ExternalEventId(
    wf_run_id=early, external_event_def_id=ExternalEventDefId(name=PAID), guid="the-only-one"))
ended(early)
equal("what was there", variables(early, "amount", "who"), {"amount": 7, "who": "bob"})
