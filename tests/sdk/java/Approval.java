import io.littlehorse.sdk.common.proto.*;
import io.littlehorse.sdk.usertask.UserTaskSchema;
import io.littlehorse.sdk.usertask.annotations.UserTaskField;
import io.littlehorse.sdk.wfsdk.*;
import io.littlehorse.sdk.worker.*;
import java.util.*;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;

/** Three groups are asked at once, each in a thread; one task has a reminder, one a deadline; one refusal ends it. */
public class Approval extends Kit {
    static final String FORM = named("approve");
    static final List<String> GROUPS = List.of(named("finance"), named("legal"), named("security"));
    static final Queue<String> reminded = new ConcurrentLinkedQueue<>();

    static class Form {
        @UserTaskField(displayName = "Do you agree?", required = true)
        public boolean agreed;

        @UserTaskField(displayName = "Why?", required = false)
        public String why;
    }

    static class Reminders {
        @LHTaskMethod("remind-${tag}")
        public String remind(String group, WorkerContext context) {
            reminded.add(group + " of " + context.getWfRunId().getId());
            return group + " was reminded";
        }
    }

    static void approval(WorkflowThread wf) {
        WfRunVariable item = wf.declareStr("item").required();
        WfRunVariable approved = wf.declareBool("approved").withDefault(true);
        WfRunVariable refusedBy = wf.declareStr("refused-by").withDefault("nobody");
        WfRunVariable voices = wf.declareInt("voices").withDefault(0);
        SpawnedThread[] asked = new SpawnedThread[GROUPS.size()];
        for (int number = 0; number < asked.length; number++) {
            int mine = number;
            asked[number] = wf.spawnThread(thread -> ask(thread, mine, item, voices), "ask-" + number, Map.of());
        }
        wf.waitForThreads(SpawnedThreads.of(asked)).handleExceptionOnChild("refused", handler -> {
            WfRunVariable group = handler.declareStr("INPUT");
            refusedBy.assign(group);
            approved.assign(false);
            handler.fail("not-approved", "somebody refused");
        });
    }

    static void ask(WorkflowThread thread, int number, WfRunVariable item, WfRunVariable voices) {
        String group = GROUPS.get(number);
        UserTaskOutput answer = thread.assignUserTask(FORM, number == 1 ? "ann" : null, group)
                .withNotes(thread.format("may we have {0}?", item));
        if (number == 0) thread.scheduleReminderTask(answer, 1, named("remind"), group);
        if (number == 1) thread.releaseToGroupOnDeadline(answer, 1);
        WfRunVariable agreed = thread.declareBool("agreed-" + number);
        agreed.assign(answer.jsonPath("$.agreed"));
        thread.doIf(agreed.isEqualTo(false), then -> then.fail(group, "refused", group + " refused"));
        voices.assign(voices.add(1));
    }

    public static void main(String[] arguments) {
        run(Approval::program);
    }

    static void program() throws Exception {
        client.putUserTaskDef(new UserTaskSchema(new Form(), FORM).compile());
        until("the form", 2, () -> client.getLatestUserTaskDef(
                GetLatestUserTaskDefRequest.newBuilder().setName(FORM).build()).getFieldsCount());
        work(new Reminders(), "remind");
        String flow = register("approval", Approval::approval);

        WfRunId fine = start(flow, "item", "a boat");
        WfRunId bad = start(flow, "item", "a rocket");
        for (String group : GROUPS) {
            // The legal group's tasks are ann's at first, and the group's after the deadline.
            until("open tasks of " + group, Set.of(fine, bad), () -> openTasks(group));
        }
        until("the reminders", 2, reminded::size);
        equal("who was reminded", Set.of(GROUPS.get(0) + " of " + fine.getId(), GROUPS.get(0) + " of " + bad.getId()),
                Set.copyOf(reminded));
        equal("what they read", "may we have a boat?", tasks(fine).get(GROUPS.get(0)).getNotes());

        for (String group : GROUPS) {
            equal("the run", LHStatus.RUNNING, status(fine));
            UserTaskRunId task = tasks(fine).get(group).getId();
            client.assignUserTaskRun(AssignUserTaskRunRequest.newBuilder()
                    .setUserTaskRunId(task).setUserId("bob").setUserGroup(group).build());
            complete(task, "bob", true);
        }
        ended(fine, LHStatus.COMPLETED);
        equal("the outcome", List.of(true, "nobody", 3L), variables(fine, "approved", "refused-by", "voices"));

        complete(tasks(bad).get(GROUPS.get(2)).getId(), "dot", true);
        complete(tasks(bad).get(GROUPS.get(1)).getId(), "cid", false);
        ended(bad, LHStatus.EXCEPTION);
        equal("the outcome", List.of(false, GROUPS.get(1), 1L), variables(bad, "approved", "refused-by", "voices"));
        until("the last task", UserTaskRunStatus.CANCELLED, () -> tasks(bad).get(GROUPS.get(0)).getStatus());
    }

    static Set<WfRunId> openTasks(String group) {
        return client.searchUserTaskRun(SearchUserTaskRunRequest.newBuilder()
                        .setUserGroup(group).setStatus(UserTaskRunStatus.UNASSIGNED).build())
                .getResultsList().stream().map(UserTaskRunId::getWfRunId).collect(Collectors.toSet());
    }

    static Map<String, UserTaskRun> tasks(WfRunId run) {
        return client.listUserTaskRuns(ListUserTaskRunRequest.newBuilder().setWfRunId(run).build())
                .getResultsList().stream().collect(Collectors.toMap(UserTaskRun::getUserGroup, task -> task));
    }

    static void complete(UserTaskRunId task, String user, boolean agreed) {
        client.completeUserTaskRun(CompleteUserTaskRunRequest.newBuilder()
                .setUserTaskRunId(task).setUserId(user).putResults("agreed", value(agreed)).build());
    }
}
