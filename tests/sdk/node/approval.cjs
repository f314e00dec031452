// Three groups are asked at once; one task has a reminder, one a deadline; then an external event and an interrupt.

"use strict";

const {
  GRPC, assign, client, declare, ended, equal, literal, main, named, node, output, refused, register, run, to, until,
  userTasks, value, variable, variables, work,
} = require("./kit.cjs");

const FORM = named("approve");
const GROUPS = ["finance", "legal", "security"].map(named);
const [FINANCE, LEGAL, SECURITY] = GROUPS;
const SIGNED = named("signed");
const LOUDER = named("louder");
const reminded = [];

const after = (hook, seconds, action) => ({ hook, delaySeconds: literal(seconds), ...action });
const reminder = after("ON_ARRIVAL", 1, { task: { mutations: [], task: {
  taskDefId: { name: named("remind") }, variables: [literal(FINANCE)], timeoutSeconds: 20, retries: 0 } } });
const release = after("ON_TASK_ASSIGNED", 1, { reassign: { userGroup: literal(LEGAL) } });

const ask = (group, number, more = {}) => ({
  variableDefs: [declare(`agreed-${number}`, "BOOL")],
  nodes: {
    start: node("entrypoint", {}, to("ask")),
    ask: node("userTask", { userTaskDefName: FORM, userGroup: literal(group), actions: [], ...more },
      to("end", assign(`agreed-${number}`, output("ask", "$.agreed")), assign("agreed", literal(1), "ADD"))),
    end: node("exit", {}),
  },
});
const child = (number) => ({ threadRunNumber: variable(`thread-${number}`) });
const spawn = (number, next) => node("startThread", { threadSpecName: `ask-${number}`, variables: {} },
  to(next, assign(`thread-${number}`, output(`spawn-${number}`))));

const approval = {
  entrypoint: {
    variableDefs: [
      declare("agreed", "INT", { default: 0 }), declare("by", "STR"), declare("volume", "INT", { default: 1 }),
      ...[0, 1, 2].map((number) => declare(`thread-${number}`, "INT")),
    ],
    interruptDefs: [{ externalEventDefId: { name: LOUDER }, handlerSpecName: "louder" }],
    nodes: {
      start: node("entrypoint", {}, to("spawn-0")),
      "spawn-0": spawn(0, "spawn-1"),
      "spawn-1": spawn(1, "spawn-2"),
      "spawn-2": spawn(2, "wait"),
      wait: node("waitForThreads", { threads: { threads: [0, 1, 2].map(child) }, perThreadFailureHandlers: [],
        strategy: "WAIT_FOR_ALL" }, to("signature")),
      signature: node("externalEvent", { externalEventDefId: { name: SIGNED } }, 
        to("end", assign("by", output("signature")))),
      end: node("exit", {}),
    },
  },
  "ask-0": ask(FINANCE, 0, { actions: [reminder] }),
  "ask-1": ask(LEGAL, 1, { userId: literal("ann"), actions: [release] }),
  "ask-2": ask(SECURITY, 2),
  louder: {
    variableDefs: [declare("INPUT", "INT")],
    nodes: {
      start: node("entrypoint", {}, to("end", assign("volume", variable("INPUT"), "ADD"))),
      end: node("exit", {}),
    },
  },
};

const post = (name, wfRunId, content) => client.putExternalEvent({
  externalEventDefId: { name }, wfRunId, content: value(content) });

main(async () => {
  await client.putUserTaskDef({ name: FORM, fields: [
    { name: "agreed", type: "BOOL", displayName: "Do you agree?", required: true }] });
  for (const [name, type] of [[SIGNED, "STR"], [LOUDER, "INT"]]) {
    await client.putExternalEventDef({ name, contentType: { returnType: { type } } });
    await until(name, () => client.getExternalEventDef({ name }));
  }
  await work("remind", { who: "STR" }, "STR", (who) => reminded.push(who) && "reminded");
  const flow = await register("approval", approval);
  const one = await run(flow);

  const open = async (group) => (await client.searchUserTaskRun({ userGroup: group, status: "UNASSIGNED" })).results;
  for (const group of GROUPS) {
    await until(`the task of ${group}`, async () => (await open(group)).length, 1);
  }
  await until("the reminder", () => reminded, [FINANCE]);
  const tasks = await userTasks(one);
  const taskOf = (group) => tasks[group].id;
  equal("the one that was released", (await client.getUserTaskRun(taskOf(LEGAL))).status, "UNASSIGNED");

  const agree = (group, userId) => client.completeUserTaskRun({
    userTaskRunId: taskOf(group), userId, results: { agreed: value(true) } });
  await client.assignUserTaskRun({
    userTaskRunId: taskOf(FINANCE), userId: "bob", userGroup: FINANCE, overrideClaim: false });
  await refused("a second claim", GRPC.FAILED_PRECONDITION, () => client.assignUserTaskRun({
    userTaskRunId: taskOf(FINANCE), userId: "cid", userGroup: FINANCE, overrideClaim: false }));
  await agree(FINANCE, "bob");
  await agree(LEGAL, "cid");
  equal("one is missing", (await client.getWfRun(one)).status, "RUNNING");
  await agree(SECURITY, "dot");

  const at = async () => (await client.listNodeRuns({ wfRunId: one })).results.filter(
    (node) => node.id.threadRunNumber === 0).map((node) => node.nodeName);
  await until("the wait for the signature", async () => (await at()).includes("signature"));
  await post(LOUDER, one, 41);
  await until("the interrupt", () => variables(one, "volume"), { volume: 42 });
  await post(SIGNED, one, "the queen");
  await ended(one);
  equal("its variables", await variables(one, "agreed", "by", "volume"), { agreed: 3, by: "the queen", volume: 42 });
  equal("who did it", Object.values(await userTasks(one)).map((task) => [task.status, task.userId]).sort(), [
    ["DONE", "bob"], ["DONE", "cid"], ["DONE", "dot"]]);
});
