// The list of orders, and the story of one.

import test from "node:test";
import assert from "node:assert/strict";
import { until, visitor } from "./harness.js";

const listed = (page) => page.locator("tbody .order-link").allInnerTexts();

export default (world) => {
  test("the list is filtered by form, and the filter stands in the address", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await one.logIn();
    await page.goto("/orders");
    const all = await listed(page);
    assert.ok(all.includes("A1001") && all.includes("B1006"));
    await page.selectOption("#state", "closed");
    await page.selectOption("#channel", "2/c1");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.waitForURL((url) => url.searchParams.get("state") === "closed" && url.searchParams.get("channel") === "2/c1");
    const isFiltered = (orders) => orders.includes("B1006") && orders.every((order) => order.startsWith("B10"));
    assert.ok(isFiltered(await listed(page)));
    assert.equal(await page.inputValue("#state"), "closed");
    await page.reload();
    assert.ok(isFiltered(await listed(page)));
    await page.getByRole("link", { name: "Clear" }).click();
    await page.waitForURL("**/orders");
    await page.selectOption("#reason", "amount-differs");
    await page.fill("#text", "A10");
    await page.keyboard.press("Enter");
    await page.waitForURL(/reason=amount-differs/);
    assert.deepEqual(await listed(page), ["A1007"]);
    await page.goto("/orders?origin=sweep&time=1h");
    assert.deepEqual(await listed(page), ["A1014"]);
    await page.goto("/orders?text=NOBODY");
    await page.getByText("No order matches.").waitFor();
    await one.leave();
  });

  test("a long list has pages that stay where they are", async () => {
    const { demo } = world;
    for (let order = 0; order < 60; order += 1) {
      await demo.pay(`K${order}`, 100);
      // On a quick machine that is more than the merchant's budget of queries.
      await until(`K${order} was taken`, async () => (await demo.callBack(`K${order}`, 100)).status === 200);
    }
    const one = await visitor(world.browser, demo);
    const { page } = one;
    await one.logIn();
    await page.goto("/orders?text=K");
    const first = await listed(page);
    assert.equal(first.length, 50);
    assert.equal(first[0], "K59");
    await page.click("#older");
    await page.waitForURL(/cursor=/);
    const second = await listed(page);
    assert.deepEqual(second, Array.from({ length: 10 }, (_, at) => `K${9 - at}`));
    await page.click("#newest");
    await page.waitForURL("**/orders?text=K");
    assert.deepEqual(await listed(page), first);
    await one.leave();
  });

  test("an order's story stands beside each other: price, claim, answer, what was sent", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await one.logIn();
    await page.goto("/orders?text=A1008");
    await page.getByRole("link", { name: "A1008" }).click();
    await page.waitForURL("**/orders/app/A1008");
    const column = (id) => page.locator(`#facing-${id}`).innerText();
    assert.match(await column("claimed"), /What the callback claims[^]*A1008[^]*not said[^]*¥66\.00/);
    const id = (await column("paid")).match(/\d{28}/)[0];
    assert.match(await column("paid"), /SUCCESS/);
    assert.ok((await column("sent")).includes(id));
    const story = await page.locator(".story tbody").innerText();
    assert.match(story, /The callback came[^]*WeChat Pay confirmed the payment[^]*attempt 1[^]*status 200, accepted/);
    assert.match(await column("expected"), /No source says what it costs/);
    // What was paid is not kept, so there is nothing to differ from.
    await page.goto("/orders/app/A1007");
    assert.match(await column("claimed"), /¥66\.00/);
    assert.ok(!(await column("claimed")).includes("≠"));
    assert.match(await page.locator(".reason").innerText(), /Another amount than was paid[^]*What to do/);
    // A channel's name may have a slash in it.
    await page.goto("/orders?text=B1006");
    await page.getByRole("link", { name: "B1006" }).click();
    await page.waitForURL("**/orders/2%2Fc1/B1006");
    assert.match(await page.locator(".reason").innerText(), /The payment of another order/);
    await one.leave();
  });
};
