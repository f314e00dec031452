import io.littlehorse.sdk.common.exception.LHTaskException;
import io.littlehorse.sdk.common.proto.*;
import io.littlehorse.sdk.wfsdk.*;
import io.littlehorse.sdk.worker.*;
import java.util.*;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Workers, a loop, conditions, retries and exception handlers; and a saga, which undoes what it booked. */
public class Orders extends Kit {
    static final Queue<String> done = new ConcurrentLinkedQueue<>();

    static class Shop {
        @LHTaskMethod("price-${tag}")
        public double price(String item, WorkerContext context) {
            context.log("the price of " + item);
            return Map.of("tea", 3.25, "cake", 4.5, "feast", 480.0).get(item);
        }

        @LHTaskMethod("charge-${tag}")
        public String charge(double total, WorkerContext context) {
            if (total > 100) throw new LHTaskException("card-declined", "the limit is 100");
            if (context.getAttemptNumber() == 0) throw new IllegalStateException("the bank does not answer");
            return "charged " + total;
        }

        @LHTaskMethod("book-${tag}")
        public String book(String what, String trip) {
            if (trip.contains(what)) throw new LHTaskException("sold-out", "no " + what + " left");
            done.add(trip + ": book " + what);
            return what + "-7";
        }

        @LHTaskMethod("cancel-${tag}")
        public void cancel(String what, String trip) {
            done.add(trip + ": cancel " + what);
        }
    }

    static void order(WorkflowThread wf) {
        WfRunVariable items = wf.declareJsonArr("items").required();
        WfRunVariable at = wf.declareInt("at").withDefault(0);
        WfRunVariable total = wf.declareDouble("total").withDefault(0.0);
        WfRunVariable kind = wf.declareStr("kind");
        WfRunVariable receipt = wf.declareStr("receipt").withDefault("none");
        WfRunVariable declined = wf.declareBool("declined").withDefault(false);
        wf.doWhile(items.size().isGreaterThan(0), body -> {
            total.assign(total.add(body.execute(named("price"), items.jsonPath("$[0]"))));
            items.assign(items.removeIndex(0));
            at.assign(at.add(1));
        });
        wf.doIf(at.isEqualTo(0), empty -> kind.assign("empty"))
                .doElseIf(total.isLessThan(100.0), small -> kind.assign("small"))
                .doElse(large -> kind.assign("large"));
        wf.doIf(total.isGreaterThan(0.0), pay -> {
            TaskNodeOutput charged = pay.execute(named("charge"), total).withRetries(2);
            pay.handleException(charged, "card-declined", handler -> declined.assign(true));
            pay.doIf(declined.isEqualTo(false), then ->
                    receipt.assign(then.execute(named("charge"), total).withRetries(1)));
        });
    }

    static void trip(WorkflowThread wf) {
        WfRunVariable name = wf.declareStr("name").required();
        List<String> booked = new ArrayList<>();
        for (String what : List.of("flight", "hotel", "car")) {
            List<String> undo = new ArrayList<>(booked);
            Collections.reverse(undo);
            WfRunVariable number = wf.declareStr(what);
            TaskNodeOutput booking = wf.execute(named("book"), what, name);
            wf.handleException(booking, "sold-out", handler -> {
                undo.forEach(one -> handler.execute(named("cancel"), one, name));
                handler.fail("trip-refused", "everything was undone");
            });
            number.assign(booking);
            booked.add(what);
        }
    }

    public static void main(String[] arguments) {
        run(Orders::program);
    }

    static void program() throws Exception {
        work(new Shop(), "price", "charge", "book", "cancel");
        String[] names = {"at", "total", "kind", "receipt", "declined"};
        String order = register("order", Orders::order);
        WfRunId empty = start(order, "items", List.of());
        WfRunId small = start(order, "items", List.of("tea", "cake", "tea"));
        WfRunId large = start(order, "items", List.of("feast", "cake"));
        for (WfRunId one : List.of(empty, small, large)) ended(one, LHStatus.COMPLETED);
        equal("the empty order", List.of(0L, 0.0, "empty", "none", false), variables(empty, names));
        equal("the small order", List.of(3L, 11.0, "small", "charged 11.0", false), variables(small, names));
        equal("the large order", List.of(2L, 484.5, "large", "none", true), variables(large, names));
        TaskRun charged = client.listTaskRuns(ListTaskRunsRequest.newBuilder().setWfRunId(small).build())
                .getResultsList().stream()
                .filter(task -> task.getTaskDefId().getName().equals(named("charge"))).findFirst().orElseThrow();
        equal("its attempts", List.of(TaskStatus.TASK_FAILED, TaskStatus.TASK_SUCCESS),
                charged.getAttemptsList().stream().map(TaskAttempt::getStatus).toList());

        String trip = register("trip", Orders::trip);
        WfRunId fine = start(trip, "name", "fine");
        WfRunId refused = start(trip, "name", "no car");
        ended(fine, LHStatus.COMPLETED);
        ended(refused, LHStatus.EXCEPTION);
        equal("what is booked", List.of("flight-7", "hotel-7", "car-7"),
                variables(fine, "flight", "hotel", "car"));
        equal("what was done and undone",
                List.of("no car: book flight", "no car: book hotel", "no car: cancel hotel", "no car: cancel flight"),
                done.stream().filter(line -> line.startsWith("no car")).toList());
    }
}
