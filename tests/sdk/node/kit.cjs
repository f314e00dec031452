// What the programs of this folder share: names of their own, comparisons, waits with an end, a worker, short builders.
//
// The npm client is the generated API and nothing more: workflows are messages, a worker is its three calls.

"use strict";

const { randomBytes } = require("node:crypto");
const { isDeepStrictEqual } = require("node:util");
const { LHConfig } = require("littlehorse-client");

const TAG = randomBytes(4).toString("hex");
const PATIENCE = 30_000;
const GRPC = { NOT_FOUND: 5, FAILED_PRECONDITION: 9, UNAVAILABLE: 14 };

const client = LHConfig.from({
  apiHost: process.env.LHC_API_HOST,
  apiPort: process.env.LHC_API_PORT,
  protocol: "PLAINTEXT",
}).getClient();

// A name of this run's own, so that a program can run again on a server that is already in use.
const named = (name) => `${name}-${TAG}`;

function equal(what, found, wanted) {
  if (!isDeepStrictEqual(found, wanted)) {
    throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
  }
}

// Asks until the answer is as wanted (a predicate, or the answer itself) and gives it back.
async function until(what, call, wanted = Boolean) {
  const holds = typeof wanted === "function" ? wanted : (answer) => isDeepStrictEqual(answer, wanted);
  const end = Date.now() + PATIENCE;
  let last;
  while (Date.now() < end) {
    try {
      last = await call();
      if (holds(last)) return last;
    } catch (error) {
      if (error.code !== GRPC.NOT_FOUND && error.code !== GRPC.UNAVAILABLE) throw error;
      last = error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${what}: still ${JSON.stringify(last)} after ${PATIENCE} ms`);
}

async function refused(what, code, call) {
  try {
    await call();
  } catch (error) {
    return equal(what, error.code, code);
  }
  throw new Error(`${what}: was not refused`);
}

// Registers a TaskDef and works on it until the program ends. What the function throws fails the attempt; an error
// with an `exception` name is an exception of the business.
async function work(name, inputs, output, task) {
  const inputVars = Object.entries(inputs).map(([name, type]) => ({ name, typeDef: { type } }));
  await client.putTaskDef({ name: named(name), inputVars, returnType: { returnType: { type: output } } });
  const taskDefId = { name: named(name) };
  const clientId = named("worker");
  await until(name, () => client.getTaskDef(taskDefId));
  await client.registerTaskWorker({ taskDefId, taskWorkerId: clientId });

  let ask;
  async function* requests() {
    for (;;) {
      yield { taskDefId, clientId };
      await new Promise((resolve) => (ask = resolve));
    }
  }
  (async () => {
    for await (const { result } of client.pollTask(requests())) {
      if (result) {
        const { taskRunId, attemptNumber } = result;
        const report = { taskRunId, attemptNumber, time: new Date().toISOString() };
        try {
          const output = await task(...result.variables.map(({ value }) => plain(value)), result);
          await client.reportTask({ ...report, status: "TASK_SUCCESS", output: value(output) });
        } catch (error) {
          const { message } = error;
          await client.reportTask(error.exception
            ? { ...report, status: "TASK_EXCEPTION", exception: { name: error.exception, message } }
            : { ...report, status: "TASK_FAILED", error: { type: "TASK_ERROR", message } });
        }
      }
      ask();
    }
  })().catch(fail);
}

// Values, both ways.
function value(of, type) {
  switch (typeof of) {
    case "string": return { str: of };
    case "boolean": return { bool: of };
    case "number": return Number.isInteger(of) && type !== "DOUBLE" ? { int: of } : { double: of };
    default: return of === null || of === undefined ? {} : { jsonObj: JSON.stringify(of) };
  }
}

function plain(of) {
  const found = Object.entries(of).find(([, part]) => part !== undefined);
  if (!found) return null;
  return found[0].startsWith("json") ? JSON.parse(found[1]) : found[1];
}

// Builders: what a node or an edge of a WfSpec needs.
const literal = (of) => ({ literalValue: value(of) });
const variable = (name, jsonPath) => ({ variableName: name, jsonPath });
const output = (nodeName, jsonPath) => ({ nodeOutput: { nodeName }, jsonPath });
const declare = (name, type, more = {}) => ({
  varDef: { name, typeDef: { type }, ...("default" in more ? { defaultValue: value(more.default, type) } : {}) },
  accessLevel: "PRIVATE_VAR",
  required: more.required ?? false,
});
const assign = (lhsName, rhsAssignment, operation = "ASSIGN") => ({ lhsName, operation, rhsAssignment });
const when = (left, comparator, right) => ({ left, comparator, right });
const to = (sinkNodeName, ...variableMutations) => ({ sinkNodeName, variableMutations });
const node = (kind, of, ...outgoingEdges) => ({ [kind]: of, outgoingEdges });

async function register(name, threadSpecs) {
  await client.putWfSpec({ name: named(name), threadSpecs, entrypointThreadName: "entrypoint" });
  await until(name, () => client.getLatestWfSpec({ name: named(name) }));
  return named(name);
}

async function run(wfSpecName, inputs = {}) {
  const variables = Object.fromEntries(Object.entries(inputs).map(([name, of]) => [name, value(of)]));
  return (await client.runWf({ wfSpecName, variables })).id;
}

async function ended(run, wanted = "COMPLETED") {
  const over = ["COMPLETED", "ERROR", "EXCEPTION", "HALTED"];
  equal("the end of the run", await until("the end", async () => (await client.getWfRun(run)).status,
    (status) => over.includes(status)), wanted);
}

async function variables(wfRunId, ...names) {
  const values = names.map((name) => client.getVariable({ wfRunId, threadRunNumber: 0, name }));
  return Object.fromEntries((await Promise.all(values)).map((found, at) => [names[at], plain(found.value)]));
}

// The UserTaskRuns of a run, by the group or else the user they are for.
async function userTasks(wfRunId) {
  const { results } = await client.listUserTaskRuns({ wfRunId });
  return Object.fromEntries(results.map((task) => [task.userGroup || task.userId, task]));
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

const main = (program) => program().then(() => process.exit(0), fail);

module.exports = {
  GRPC, assign, client, declare, ended, equal, literal, main, named, node, output, refused, register, run, to, until,
  userTasks, value, variable, variables, when, work,
};
