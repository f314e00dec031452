import io.littlehorse.sdk.common.LHLibUtil;
import io.littlehorse.sdk.common.proto.*;
import io.littlehorse.sdk.wfsdk.*;
import io.littlehorse.sdk.worker.*;
import java.util.List;
import java.util.Map;

/** Typed arrays and maps, structs that a workflow builds, and checkpoints, which a second attempt does not repeat. */
public class Collections extends Kit {
    static int steps = 0;

    @LHStructDef("point-${tag}")
    public static class Point {
        private long x;
        private long y;

        public long getX() { return x; }
        public void setX(long x) { this.x = x; }
        public long getY() { return y; }
        public void setY(long y) { this.y = y; }
    }

    static class Surveyor {
        @LHTaskMethod("measure-${tag}")
        public long measure(Point point, WorkerContext context) {
            long x = context.executeAndCheckpoint(checkpoint -> point.getX() + 0 * ++steps, Long.class);
            if (context.getAttemptNumber() == 0) throw new IllegalStateException("it began to rain");
            return context.executeAndCheckpoint(checkpoint -> x * point.getY() + 0 * ++steps, Long.class);
        }

        @LHTaskMethod("sum-${tag}")
        public long sum(@LHType(isLHArray = true) Long[] numbers) {
            long sum = 0;
            for (long number : numbers) sum += number;
            return sum;
        }
    }

    static void survey(WorkflowThread wf) {
        WfRunVariable numbers = wf.declareArray("numbers", Long.class).required();
        WfRunVariable ages = wf.declareMap("ages", String.class, Long.class).required();
        WfRunVariable point = wf.declareStruct("point", Point.class);
        WfRunVariable area = wf.declareInt("area");
        WfRunVariable sum = wf.declareInt("sum");
        WfRunVariable second = wf.declareInt("second");
        WfRunVariable eva = wf.declareInt("eva");
        WfRunVariable known = wf.declareBool("known").withDefault(false);

        numbers.assign(numbers.extend(40));
        numbers.assign(numbers.removeIfPresent(2));
        second.assign(numbers.get(1));
        eva.assign(ages.get("eva"));
        ages.assign(ages.removeKey("ann"));
        wf.doIf(ages.doesContain("eva"), then -> known.assign(true));
        point.assign(wf.buildStruct(named("point")).put("x", second).put("y", eva.add(1)));
        area.assign(wf.execute(named("measure"), point).withRetries(1));
        sum.assign(wf.execute(named("sum"), numbers));
    }

    public static void main(String[] arguments) {
        run(Collections::program);
    }

    static void program() throws Exception {
        Surveyor surveyor = new Surveyor();
        new LHTaskWorker(surveyor, "measure-${tag}", config, PLACEHOLDERS)
                .registerStructDef(Point.class, StructDefCompatibilityType.NO_SCHEMA_UPDATES);
        until("the struct", 1, () -> client.searchStructDef(
                SearchStructDefRequest.newBuilder().setPrefix(named("point")).build()).getResultsCount());
        work(surveyor, "measure", "sum");
        WfRunId one = start(register("survey", Collections::survey),
                "numbers", LHLibUtil.objToVarValAsNativeArray(
                        new Long[] {1L, 2L, 3L}, Long[].class, config.getTypeAdapterRegistry()),
                "ages", LHLibUtil.objToVarValAsNativeMap(Map.of("ann", 30L, "eva", 6L), config.getTypeAdapterRegistry()));
        ended(one, LHStatus.COMPLETED);
        equal("its variables", List.of(21L, 44L, 3L, 6L, true), variables(one, "area", "sum", "second", "eva", "known"));
        equal("the array", List.of(1L, 3L, 40L),
                variable(one, "numbers").getArray().getItemsList().stream().map(VariableValue::getInt).toList());
        equal("the map", 1, variable(one, "ages").getMap().getEntriesCount());
        equal("steps that were done", 2, steps);
    }
}
