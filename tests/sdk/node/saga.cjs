// A saga with the generated API alone: three bookings, and handlers that undo what was booked, the last one first.

"use strict";

const {
  assign, client, declare, ended, equal, literal, main, named, node, output, register, run, to, variable, variables,
  work,
} = require("./kit.cjs");

const STEPS = ["flight", "hotel", "car"];
const done = [];

const task = (name, ...variables) => ({ taskDefId: { name: named(name) }, variables, timeoutSeconds: 20, retries: 0 });
const nodes = {
  start: node("entrypoint", {}, to(STEPS[0])),
  end: node("exit", {}),
};
const trip = { entrypoint: { variableDefs: [declare("name", "STR", { required: true }), ...STEPS.map((step) =>
  declare(`${step}-number`, "STR"))], nodes } };
STEPS.forEach((step, at) => {
  nodes[step] = {
    ...node("task", task("book", literal(step), variable("name")),
      to(STEPS[at + 1] ?? "end", assign(`${step}-number`, output(step)))),
    failureHandlers: [{ handlerSpecName: `undo-${step}`, specificFailure: "sold-out" }],
  };
  const booked = STEPS.slice(0, at).reverse();
  trip[`undo-${step}`] = { nodes: {
    start: node("entrypoint", {}, to(booked[0] ?? "refuse")),
    ...Object.fromEntries(booked.map((one, at) => [one,
      node("task", task("cancel", literal(one), variable("name")), to(booked[at + 1] ?? "refuse"))])),
    refuse: node("exit", { failureDef: { failureName: "trip-refused", message: "everything was undone" } }),
  } };
});

function book(what, trip) {
  if (trip.includes(what)) {
    throw Object.assign(new Error(`no ${what} left`), { exception: "sold-out" });
  }
  done.push(`${trip}: book ${what}`);
  return `${what}-7`;
}

main(async () => {
  await work("book", { what: "STR", trip: "STR" }, "STR", book);
  await work("cancel", { what: "STR", trip: "STR" }, "BOOL", (what, trip) => done.push(`${trip}: cancel ${what}`) > 0);
  const flow = await register("trip", trip);

  const fine = await run(flow, { name: "fine" });
  await ended(fine);
  equal("what is booked", await variables(fine, ...STEPS.map((step) => `${step}-number`)), {
    "flight-number": "flight-7", "hotel-number": "hotel-7", "car-number": "car-7" });

  for (const [missing, undone] of [["flight", []], ["hotel", ["flight"]], ["car", ["hotel", "flight"]]]) {
    const refused = await run(flow, { name: `no ${missing}` });
    await ended(refused, "EXCEPTION");
    equal(`undone without ${missing}`, done.filter((line) => line.startsWith(`no ${missing}: cancel`)),
      undone.map((what) => `no ${missing}: cancel ${what}`));
    equal("its threads", (await client.getWfRun(refused)).threadRuns.map((thread) => thread.status), [
      "EXCEPTION", "EXCEPTION"]);
  }
});
