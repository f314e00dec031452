// A worker, a loop, a condition and an exception handler, with the generated API alone.

"use strict";

const {
  assign, client, declare, ended, equal, literal, main, named, node, output, register, run, to, variable, variables,
  when, work,
} = require("./kit.cjs");

const PRICES = { tea: 3.25, cake: 4.5, feast: 480.5 };

function price(items, at) {
  return PRICES[items.list[at]];
}

function charge(total) {
  if (total > 100) {
    throw Object.assign(new Error("the limit is 100"), { exception: "card-declined" });
  }
  return `charged ${total}`;
}

const task = (name, ...variables) => ({ taskDefId: { name: named(name) }, variables, timeoutSeconds: 20, retries: 0 });
const more = () => when(variable("at"), "LESS_THAN", variable("count"));
const enough = () => when(variable("at"), "GREATER_THAN_EQ", variable("count"));
const declined = (wanted) => when(variable("declined"), "EQUALS", literal(wanted));
const priced = [assign("total", output("price"), "ADD"), assign("at", literal(1), "ADD")];

const order = {
  entrypoint: {
    variableDefs: [
      declare("items", "JSON_OBJ", { required: true }), declare("count", "INT", { required: true }),
      declare("at", "INT", { default: 0 }), declare("total", "DOUBLE", { default: 0 }),
      declare("receipt", "STR", { default: "none" }), declare("declined", "BOOL", { default: false }),
    ],
    nodes: {
      start: node("entrypoint", {}, to("again")),
      again: node("nop", {}, { ...to("price"), condition: more() }, { ...to("charge"), condition: enough() }),
      price: node("task", task("price", variable("items"), variable("at")), to("again", ...priced)),
      charge: {
        ...node("task", task("charge", variable("total")), to("choose")),
        failureHandlers: [{ handlerSpecName: "handler", specificFailure: "card-declined" }],
      },
      // A node whose failure was handled has no output: the receipt is taken where there is one.
      choose: node("nop", {}, { ...to("end"), condition: declined(true) },
        { ...to("end", assign("receipt", output("charge"))), condition: declined(false) }),
      end: node("exit", {}),
    },
  },
  handler: {
    nodes: {
      start: node("entrypoint", {}, to("end", assign("declined", literal(true)))),
      end: node("exit", {}),
    },
  },
};
main(async () => {
  await work("price", { items: "JSON_OBJ", at: "INT" }, "DOUBLE", price);
  await work("charge", { total: "DOUBLE" }, "STR", charge);
  const flow = await register("order", order);

  const small = await run(flow, { items: { list: ["tea", "cake", "tea"] }, count: 3 });
  const large = await run(flow, { items: { list: ["cake", "feast"] }, count: 2 });
  await ended(small);
  await ended(large);
  equal("the small order", await variables(small, "at", "total", "receipt", "declined"), {
    at: 3, total: 11, receipt: "charged 11", declined: false });
  equal("the large order", await variables(large, "at", "total", "receipt", "declined"), {
    at: 2, total: 485, receipt: "none", declined: true });
  const { results } = await client.listTaskRuns({ wfRunId: large });
  equal("its attempts", results.map((task) => task.attempts.map((attempt) => attempt.status)), [
    ["TASK_SUCCESS"], ["TASK_SUCCESS"], ["TASK_EXCEPTION"]]);
});
