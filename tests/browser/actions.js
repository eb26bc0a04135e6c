// Every button, pressed, and what it did.

import test from "node:test";
import assert from "node:assert/strict";
import { until, visitor } from "./harness.js";

/** Opens an order, presses a button and confirms it in the dialog; gives a reason where one is wanted. */
async function press(page, order, action, because) {
  await page.goto(`/orders/app/${order}`);
  await page.click(`#act-${action}`);
  const dialog = page.locator(`#ask-${action}`);
  await dialog.waitFor();
  assert.ok((await dialog.innerText()).includes(`Order ${order} on channel app`));
  if (because) await dialog.locator("#because").fill(because);
  await page.click(`#do-${action}`);
  await page.locator("#flash").waitFor();
  return page.locator("#flash").innerText();
}

export default (world) => {
  test("redeliver sends an order again, and says so", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo);
    const { page } = one;
    await one.logIn();
    const before = await demo.delivered("A1001");
    await page.goto("/orders/app/A1001");
    assert.equal(await page.locator("[id^=act-].first").count(), 0, "nothing of what was accepted is blue");
    assert.match(await press(page, "A1001", "redeliver", "it was lost"), /The order is due now/);
    await until("the shop got it again", async () => (await demo.delivered("A1001")) === before + 1);
    // Live: the page shows it without being reloaded.
    await page.getByText("An operator asked for a redelivery").waitFor();
    await page.locator(".story tbody tr", { hasText: "attempt 2" }).filter({ hasText: "accepted" }).waitFor();
    await page.reload();
    assert.equal(await page.locator("#flash").count(), 0, "what was done is said once");
    await one.leave();
  });

  test("asking WeChat Pay shows its answer and changes nothing", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo);
    const { page } = one;
    await one.logIn();
    const before = await demo.delivered("A1007");
    const said = await press(page, "A1007", "query");
    assert.match(said, /WeChat Pay was asked just now and says: paid[^]*\d{28}[^]*¥0\.01/);
    assert.match(await page.locator(".title .chip").innerText(), /Closed$/);
    assert.equal(await demo.delivered("A1007"), before);
    assert.match(await press(page, "A1003", "query"), /not paid yet/);
    await one.leave();
  });

  test("a parked order is left alone until it is taken out", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo);
    const { page } = one;
    await one.logIn();
    assert.match(await press(page, "A1003", "park"), /The order is parked/);
    assert.match(await page.locator(".title .chip").innerText(), /Parked/);
    assert.match(await page.locator(".reason").innerText(), /Parked by an operator/);
    await demo.pay("A1003", 6600);
    await page.goto("/orders?state=parked");
    await page.getByRole("link", { name: "A1003" }).waitFor();
    assert.equal(await demo.delivered("A1003"), 0);
    assert.match(await press(page, "A1003", "unpark"), /is unparked/);
    await until("the shop got it", async () => (await demo.delivered("A1003")) === 1);
    await page.locator(".title .chip", { hasText: "Delivered" }).waitFor();
    // A button that would do nothing is not there; pressed from an old page, it says so.
    await page.locator("#act-unpark, #act-park").first().waitFor({ state: "detached" });
    await page.goto("/orders/app/A1003/park");
    await page.click("#do-park");
    assert.match(await page.locator("#flash.is-bad").innerText(), /Nothing was changed/);
    await page.goto("/audit");
    const trail = await page.locator("tbody").innerText();
    for (const what of ["redelivered", "asked WeChat Pay", "parked", "unparked"]) assert.ok(trail.includes(what), what);
    await one.leave();
  });

  test("a question can be answered no", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await one.logIn();
    await page.goto("/orders/app/A1001");
    for (const no of [() => page.keyboard.press("Escape"), () => page.locator("#ask-redeliver").getByRole("button", { name: "Cancel" }).click()]) {
      await page.click("#act-redeliver");
      await page.locator("#ask-redeliver").waitFor();
      await no();
      await page.locator("#ask-redeliver").waitFor({ state: "hidden" });
    }
    assert.equal(await page.locator("#flash").count(), 0);
    await one.leave();
  });

  test("without a script everything can be done too", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo, { javaScriptEnabled: false });
    const { page } = one;
    await one.logIn();
    await page.goto("/orders?text=A1011");
    await page.click("tbody .order-link");
    await page.click("#act-redeliver");
    await page.waitForURL("**/orders/app/A1011/redeliver");
    assert.match(await page.locator("main").innerText(), /Order A1011 on channel app[^]*WeChat Pay is asked once more/);
    const before = await demo.delivered("A1011");
    assert.match(await page.locator(".matter").innerText(), /accepted it before/);
    await page.fill("#because", "it was lost");
    await page.click("#do-redeliver");
    await page.waitForURL("**/orders/app/A1011");
    assert.match(await page.locator("#flash").innerText(), /The order is due now/);
    await until("the shop got it again", async () => (await demo.delivered("A1011")) === before + 1);
    await page.getByRole("button", { name: "中文" }).click();
    await page.waitForURL("**/orders/app/A1011");
    assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
    await one.leave();
  });
};
