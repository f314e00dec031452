import io.littlehorse.sdk.common.LHLibUtil;
import io.littlehorse.sdk.common.config.LHConfig;
import io.littlehorse.sdk.common.proto.*;
import io.littlehorse.sdk.common.proto.LittleHorseGrpc.LittleHorseBlockingStub;
import io.littlehorse.sdk.wfsdk.*;
import io.littlehorse.sdk.worker.LHTaskWorker;
import java.util.*;
import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.Callable;

/**
 * What the programs of this folder share: names of their own, comparisons, waits with an end, workers.
 *
 * <p>A program prints nothing and ends with 0 when everything was as it must be; else it says what it found and wanted
 * and ends with 1. The server: LHC_API_HOST, LHC_API_PORT. tests/sdk/setup compiles this one file; the programs are
 * compiled as they start.
 */
public abstract class Kit {
    public static final String TAG = UUID.randomUUID().toString().substring(0, 8);
    /** What `${tag}` in the annotations of workers and structs means. */
    public static final Map<String, String> PLACEHOLDERS = Map.of("tag", TAG);

    public static final LHConfig config = new LHConfig();
    public static final LittleHorseBlockingStub client = config.getBlockingStub();
    public static final long PATIENCE_MS = 30_000;

    public interface Program {
        void run() throws Exception;
    }

    public static void run(Program program) {
        try {
            program.run();
            System.exit(0);
        } catch (Throwable error) {
            error.printStackTrace();
            System.exit(1);
        }
    }

    /** A name of this run's own, so that a program can run again on a server that is already in use. */
    public static String named(String name) {
        return name + "-" + TAG;
    }

    public static void equal(String what, Object wanted, Object found) {
        if (!wanted.equals(found)) throw new AssertionError(what + ": found " + found + ", wanted " + wanted);
    }

    /** Asks until the answer is as wanted. */
    public static void until(String what, Object wanted, Callable<?> call) throws Exception {
        long end = System.currentTimeMillis() + PATIENCE_MS;
        for (Object found = null; !wanted.equals(found); Thread.sleep(20)) {
            if (System.currentTimeMillis() > end) {
                throw new AssertionError(what + ": still " + found + ", wanted " + wanted);
            }
            found = call.call();
        }
    }

    /** Registers TaskDefs for methods of a worker and works on them until the program ends. */
    public static void work(Object worker, String... names) throws Exception {
        for (String name : names) {
            LHTaskWorker one = new LHTaskWorker(worker, name + "-${tag}", config, PLACEHOLDERS);
            one.registerTaskDef();
            until(name, true, one::doesTaskDefExist);
            one.start();
        }
    }

    /** Registers the workflow of a function, below a parent if there is one, and gives its name back. */
    public static String register(String name, ThreadFunc entrypoint, String... parent) throws Exception {
        Workflow workflow = Workflow.newWorkflow(named(name), entrypoint, PLACEHOLDERS);
        for (String one : parent) workflow.setParent(one);
        workflow.registerWfSpec(client);
        until(name, true, () -> workflow.doesWfSpecExist(client));
        return named(name);
    }

    /** Starts a run with inputs, name after value, and gives its id back. */
    public static WfRunId start(String workflow, Object... inputs) {
        RunWfRequest.Builder request = RunWfRequest.newBuilder().setWfSpecName(workflow);
        for (int at = 0; at < inputs.length; at += 2) {
            request.putVariables((String) inputs[at], value(inputs[at + 1]));
        }
        return client.runWf(request.build()).getId();
    }

    public static VariableValue value(Object of) {
        return of instanceof VariableValue ready ? ready : LHLibUtil.objToVarVal(of);
    }

    public static LHStatus status(WfRunId run) {
        return client.getWfRun(run).getStatus();
    }

    /** Waits until the run is over, and fails if it is over in another status. */
    public static void ended(WfRunId run, LHStatus wanted) throws Exception {
        Set<LHStatus> over = EnumSet.of(LHStatus.COMPLETED, LHStatus.ERROR, LHStatus.EXCEPTION, LHStatus.HALTED);
        until("the end of the run", true, () -> over.contains(status(run)));
        equal("the end of the run " + run.getId(), wanted, status(run));
    }

    public static VariableValue variable(WfRunId run, String name) {
        return client.getVariable(VariableId.newBuilder().setWfRunId(run).setName(name).build()).getValue();
    }

    /** The values of variables of the first thread, as Java values. */
    public static List<Object> variables(WfRunId run, String... names) {
        return Arrays.stream(names).map(name -> plain(variable(run, name))).toList();
    }

    public static Object plain(VariableValue value) {
        return switch (value.getValueCase()) {
            case STR -> value.getStr();
            case INT -> value.getInt();
            case DOUBLE -> value.getDouble();
            case BOOL -> value.getBool();
            case JSON_ARR -> value.getJsonArr();
            case JSON_OBJ -> value.getJsonObj();
            default -> value.toString();
        };
    }

    public static List<String> kinds(WfRunId run) {
        return client.listNodeRuns(ListNodeRunsRequest.newBuilder().setWfRunId(run).build()).getResultsList().stream()
                .filter(node -> node.getId().getThreadRunNumber() == 0)
                .sorted(Comparator.comparing(node -> node.getId().getPosition()))
                .map(node -> node.getNodeTypeCase().name())
                .toList();
    }
}
