// An outage, watched on the page from start to recovery: first WeChat Pay is away, then the order system.

import test from "node:test";
import assert from "node:assert/strict";
import { until, visitor } from "./harness.js";

/** The page must not be loaded anew: what is on it after this came live. */
async function stays(page) {
  await page.evaluate(() => (window.isTheSame = true));
  return () => page.evaluate(() => window.isTheSame === true);
}

export default (world) => {
  test("while WeChat Pay is away, orders are held with the reason, and delivered when it is back", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo);
    const { page } = one;
    await one.logIn();
    const isTheSame = await stays(page);
    await demo.wechatPayIs(false);
    for (const order of ["W1", "W2", "W3"]) {
      await demo.pay(order, 6600);
      assert.equal((await demo.callBack(order, 6600)).status, 503);
    }
    const group = page.locator(".group", { hasText: "WeChat Pay cannot be reached" });
    await group.waitFor();
    await group.getByRole("link", { name: "W1" }).waitFor();
    assert.match(await group.innerText(), /Not confirmed[^]*What to do/);
    await demo.wechatPayIs(true);
    for (const order of ["W1", "W2", "W3"]) {
      await until(`${order} was delivered`, async () => (await demo.delivered(order)) > 0);
    }
    await group.waitFor({ state: "detached" });
    assert.ok(await isTheSame());
    await one.leave();
  });

  test("while the order system fails, the page raises the alarm, and takes it back when all is delivered", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo);
    const { page } = one;
    await one.logIn();
    await page.locator("#alarm.is-good").waitFor();
    const isTheSame = await stays(page);
    await demo.shopIs(false);
    for (const order of ["F1", "F2"]) {
      await demo.pay(order, 6600);
      assert.equal((await demo.callBack(order, 6600)).status, 503);
    }
    await page.locator("#alarm.is-bad", { hasText: "2 paid orders were not accepted" }).waitFor();
    const group = page.locator(".group", { hasText: "Order system did not accept it" });
    await group.waitFor();
    assert.equal(await page.locator("#said").innerText(), "2 paid orders were not accepted by the order system");
    assert.ok(await isTheSame());
    // The operator looks at one, repairs the order system, and does not wait for the next try.
    await group.getByRole("link", { name: "F1", exact: true }).click();
    await page.waitForURL("**/orders/app/F1");
    assert.match(await page.locator(".reason").innerText(), /Order system did not accept it/);
    const same = await stays(page);
    await demo.shopIs(true);
    await page.locator(".title .chip", { hasText: "Delivered" }).waitFor({ timeout: 5000 }).catch(async () => {
      await page.click("#act-redeliver");
      await page.click("#do-redeliver");
      await page.locator("#flash").waitFor();
    });
    await page.locator(".title .chip", { hasText: "Delivered" }).waitFor();
    void same;
    await page.goto("/");
    await page.locator("#alarm.is-good").waitFor();
    for (const order of ["F1", "F2"]) assert.ok((await demo.delivered(order)) > 0, order);
    await one.leave();
  });

  test("a gate that is gone is told of, and so is its return", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo);
    const { page } = one;
    await one.logIn();
    await one.context.route((url) => url.origin === demo.url, (route) => route.abort("connectionrefused"));
    await page.locator("#stale").waitFor();
    assert.match(await page.locator("#stale").innerText(), /The gate does not answer/);
    await one.context.unroute((url) => url.origin === demo.url).catch(() => {});
    await one.context.unrouteAll();
    await page.locator("#stale").waitFor({ state: "hidden" });
    // That requests failed meanwhile is as it should be.
    const ofThat = /ERR_CONNECTION_REFUSED|htmx:(sendError|afterRequest)/;
    one.faults.splice(0, one.faults.length, ...one.faults.filter((fault) => !ofThat.test(fault)));
    await one.leave();
  });
};
