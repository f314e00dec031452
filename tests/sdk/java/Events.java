import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.littlehorse.sdk.common.proto.*;
import io.littlehorse.sdk.wfsdk.*;
import io.littlehorse.sdk.worker.*;
import java.util.List;

/** External events: awaited, correlated, too late; an interrupt; an event of the workflow's own; threads for a list. */
public class Events extends Kit {
    static final String PAID = named("paid"), SIGNED = named("signed"), NEVER = named("never");
    static final String FASTER = named("faster"), DONE = named("done");

    static class Maths {
        @LHTaskMethod("square-${tag}")
        public long square(long number) {
            return number * number;
        }
    }

    static void contract(WorkflowThread wf) {
        WfRunVariable document = wf.declareStr("document").required();
        WfRunVariable numbers = wf.declareJsonArr("numbers").required();
        WfRunVariable amount = wf.declareInt("amount");
        WfRunVariable by = wf.declareStr("by");
        WfRunVariable speed = wf.declareInt("speed").withDefault(1);
        WfRunVariable late = wf.declareBool("late").withDefault(false);
        WfRunVariable total = wf.declareInt("total").withDefault(0);

        wf.registerInterruptHandler(FASTER, handler -> {
            WfRunVariable by2 = handler.declareInt("INPUT");
            speed.assign(speed.add(handler.execute(named("square"), by2)));
        }).withEventType(Long.class);

        amount.assign(wf.waitForEvent(PAID).registeredAs(Long.class));
        by.assign(wf.waitForEvent(SIGNED).withCorrelationId(document).registeredAs(String.class)
                .withCorrelatedEventConfig(
                        CorrelatedEventConfig.newBuilder().setDeleteAfterFirstCorrelation(false).build()));
        wf.throwEvent(DONE, wf.format("{0} paid {1}", by, amount)).registeredAs(String.class);
        ExternalEventNodeOutput never = wf.waitForEvent(NEVER).timeout(1).registeredAs(null);
        wf.handleError(never, LHErrorType.TIMEOUT, handler -> late.assign(true));
        wf.waitForThreads(wf.spawnThreadForEach(numbers, "each", thread -> {
            WfRunVariable number = thread.declareInt("INPUT");
            total.assign(total.add(thread.execute(named("square"), number)));
        }));
    }

    public static void main(String[] arguments) {
        run(Events::program);
    }

    static void program() throws Exception {
        work(new Maths(), "square");
        String flow = register("contract", Events::contract);
        WfRunId one = start(flow, "document", named("deed"), "numbers", List.of(1, 2, 3));

        until("the wait", List.of("ENTRYPOINT", "EXTERNAL_EVENT"), () -> kinds(one));
        post(FASTER, one, 4);
        until("the interrupt", List.of(17L), () -> variables(one, "speed"));
        try {
            post(PAID, one, "much");
            throw new AssertionError("a text for a number was not refused");
        } catch (StatusRuntimeException error) {
            equal("a text for a number", Status.Code.INVALID_ARGUMENT, error.getStatus().getCode());
        }
        post(PAID, one, 120);
        client.putCorrelatedEvent(PutCorrelatedEventRequest.newBuilder().setKey(named("deed"))
                .setExternalEventDefId(event(SIGNED)).setContent(value("ann")).build());
        WorkflowEvent thrown = client.awaitWorkflowEvent(AwaitWorkflowEventRequest.newBuilder().setWfRunId(one)
                .addEventDefIds(WorkflowEventDefId.newBuilder().setName(DONE)).build());
        equal("the thrown event", "ann paid 120", thrown.getContent().getStr());
        ended(one, LHStatus.COMPLETED);
        equal("its variables", List.of(120L, "ann", 17L, true, 14L),
                variables(one, "amount", "by", "speed", "late", "total"));
        equal("its threads", 6, client.getWfRun(one).getThreadRunsCount());
    }

    static void post(String name, WfRunId run, Object content) {
        client.putExternalEvent(PutExternalEventRequest.newBuilder().setWfRunId(run)
                .setExternalEventDefId(event(name)).setContent(value(content)).build());
    }

    static ExternalEventDefId event(String name) {
        return ExternalEventDefId.newBuilder().setName(name).build();
    }
}
