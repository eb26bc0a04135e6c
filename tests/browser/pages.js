// What each page tells, after the demo's scenes.

import test from "node:test";
import assert from "node:assert/strict";
import { visitor } from "./harness.js";

const number = async (locator) => Number((await locator.innerText()).replace(/\D/g, ""));

export default (world) => {
  test("the overview's numbers add up and lead to what they count", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await one.logIn();
    const figure = (id) => number(page.locator(`#figure-${id}`));
    const parts = ["delivered", "undelivered", "asking", "parked", "closed"];
    let sum = 0;
    for (const part of parts) sum += await figure(part);
    assert.equal(sum, await figure("received"));
    const closed = await figure("closed");
    assert.ok(closed >= 2, "two scenes end closed");
    await page.click("#to-closed");
    await page.waitForURL("**/orders?state=closed&time=24h");
    assert.equal(await page.locator("tbody tr").count(), closed);
    await page.goBack();
    await page.click("#to-refused");
    await page.waitForURL("**/refused");
    await page.goto("/?span=24h");
    assert.equal(await page.locator("#span-24h").getAttribute("aria-current"), "true");
    for (const what of ["WeChat Pay", "Order system", "Query budget", "Cache", "Journal", "Configuration", "Last sweep"]) {
      await page.locator(".facts dt", { hasText: what }).first().waitFor();
    }
    await one.leave();
  });

  test("the ledger gives the transaction id of a payment, to be copied", async () => {
    const one = await visitor(world.browser, world.demo, { permissions: ["clipboard-read", "clipboard-write"] });
    const { page } = one;
    await one.logIn();
    await page.goto("/ledger");
    await page.fill("#text", "A1001");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ledger?text=A1001");
    const row = page.locator("tbody tr");
    assert.equal(await row.count(), 1);
    const id = await row.locator("#payment-1").innerText();
    assert.match(id, /^\d{28}$/);
    assert.match(await row.innerText(), /¥66\.00[^]*6600 fen/);
    await row.getByRole("button", { name: `Copy ${id}` }).click();
    await row.locator(".copy", { hasText: "Copied" }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), id);
    assert.match(await page.locator("#said").innerText(), /Copied/);
    // It is found by its own number too, and leads to the order.
    await page.goto(`/ledger?text=${id}`);
    await page.getByRole("link", { name: "A1001" }).first().click();
    await page.waitForURL("**/orders/app/A1001");
    await page.goto("/ledger?text=NOBODY");
    await page.getByText("No confirmed payment has this number").waitFor();
    await one.leave();
  });

  test("a sweep's numbers lead to the rows behind them", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await one.logIn();
    await page.goto("/sweeps");
    // The demo compares the same bill twice: the first time an order is missing.
    await page.locator("tbody tr").last().getByRole("link").click();
    await page.waitForURL("**/sweeps/1");
    assert.match(await page.locator("h1").innerText(), /^Bill of \d{4}-\d\d-\d\d$/);
    await page.click("#to-found");
    await page.waitForURL("**/sweeps/1?kind=found");
    const row = page.locator("tbody tr");
    assert.match(await row.innerText(), /A1014[^]*¥66\.00[^]*Delivered/);
    await row.getByRole("link", { name: "A1014" }).click();
    await page.getByText("The order was found without a callback").waitFor();
    await one.leave();
  });

  test("sources, refused callbacks and the audit trail tell how it is", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await one.logIn();
    await page.goto("/sources");
    assert.match(await page.locator("tbody tr").innerText(), /shop[^]*Fine/);
    await page.goto("/refused");
    await page.getByText("Notification badly signed").first().waitFor();
    await page.fill("#text", "J2004");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/refused?text=J2004");
    assert.equal(await page.locator("tbody tr").count(), 1);
    await page.goto("/audit");
    const trail = await page.locator("tbody").innerText();
    assert.match(trail, /was refused at login/);
    assert.match(trail, /logged out/);
    await one.leave();
  });

  test("what is not there is said in words", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await one.logIn();
    for (const path of ["/orders/app/NOBODY", "/sweeps/99999", "/orders/app/A1001/delete"]) {
      one.expectError(path);
      const answer = await page.goto(path);
      assert.equal(answer.status(), 404, path);
      assert.equal(await page.locator("h1").innerText(), "There is no such page");
    }
    one.expectError("/orders?");
    const answer = await page.goto("/orders?text=%3Cscript%3E");
    assert.equal(answer.status(), 400);
    assert.match(await page.locator("[role=alert]:visible").innerText(), /cannot be read: <script>/);
    await one.leave();
  });
};
