// Every test of the dashboard, one after the other, against one demo: `make browser`.

import { after, before } from "node:test";
import { startBrowser, startDemo } from "./harness.js";
import access from "./access.js";
import actions from "./actions.js";
import looks from "./looks.js";
import orders from "./orders.js";
import outage from "./outage.js";
import pages from "./pages.js";

const world = {};

before(async () => {
  [world.demo, world.browser] = await Promise.all([startDemo(), startBrowser()]);
});

after(async () => {
  await world.browser?.close();
  world.demo?.stop();
});

for (const tests of [access, pages, orders, actions, looks, outage]) tests(world);
