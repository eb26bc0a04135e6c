// For everybody: with a keyboard, on a phone, in the dark, with a screen reader.

import test from "node:test";
import assert from "node:assert/strict";
import axe from "axe-core";
import { visitor } from "./harness.js";

const PAGES = [
  "/", "/?span=24h", "/orders", "/orders?state=parked&text=NOBODY", "/orders/app/A1012", "/orders/app/A1007",
  "/orders/app/A1001/redeliver", "/ledger?text=A1001", "/sweeps", "/sweeps/1", "/sources", "/refused", "/audit",
];

/** What axe-core finds that keeps somebody from using the page. */
async function serious(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"], preload: false }));
  return violations
    .filter((violation) => ["serious", "critical"].includes(violation.impact))
    .map(({ id, nodes }) => `${page.url()}: ${id}: ${nodes.map((node) => node.html + " " + (node.any[0]?.message ?? "")).join("; ")}`);
}

export default (world) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const locale of ["en-GB", "zh-CN"]) {
      test(`nothing serious keeps anybody from reading the pages (${colorScheme}, ${locale})`, async () => {
        const one = await visitor(world.browser, world.demo, { colorScheme, locale });
        const { page } = one;
        await page.goto("/login?error=wrong-token");
        const found = await serious(page);
        await one.logIn();
        for (const path of PAGES) {
          await page.goto(path);
          found.push(...(await serious(page)));
        }
        await page.goto("/orders/app/A1001");
        await page.click("#act-redeliver");
        await page.locator("#ask-redeliver").waitFor();
        found.push(...(await serious(page)));
        assert.deepEqual(found, []);
        await one.leave();
      });
    }
  }

  test("on a phone nothing is wider than the screen", async () => {
    const one = await visitor(world.browser, world.demo, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    const { page } = one;
    const fits = async () => {
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      assert.ok(content <= 360 && screen === 360, `${page.url()} is ${content} wide on ${screen}`);
    };
    await page.goto("/login");
    await fits();
    await one.logIn();
    for (const path of PAGES) {
      await page.goto(path);
      await fits();
    }
    await one.leave();
  });

  test("in the dark the page is dark", async () => {
    const one = await visitor(world.browser, world.demo, { colorScheme: "dark" });
    await one.logIn();
    const ground = await one.page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    assert.ok(Math.max(...ground) < 60, `${ground}`);
    await one.leave();
  });

  test("with a keyboard alone one logs in, finds an order, asks WeChat Pay and goes on", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo);
    const { page } = one;
    const { keyboard } = page;
    const focused = () => page.evaluate(() => {
      const { id, textContent } = document.activeElement;
      return id || textContent.trim();
    });
    /** Goes on with Tab until something has the focus, which must be visible then. */
    const tabTo = async (what) => {
      for (let steps = 0; steps < 60; steps += 1) {
        await keyboard.press("Tab");
        if ((await focused()) !== what) continue;
        const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(ring, "none", `${what} shows that it has the focus`);
        return;
      }
      assert.fail(`Tab never comes to ${what}`);
    };
    await page.goto("/login?next=/orders");
    await keyboard.type(demo.token);
    await keyboard.press("Enter");
    // A pattern would fit the login page's own address too.
    await page.waitForURL((url) => url.pathname === "/orders");
    await page.locator("h1").waitFor();
    // The first stop leads past the navigation.
    await keyboard.press("Tab");
    assert.equal(await focused(), "Skip to the content");
    await keyboard.press("Enter");
    assert.equal(await focused(), "main");
    await tabTo("text");
    await keyboard.type("A1012");
    await keyboard.press("Enter");
    await page.waitForURL(/text=A1012/);
    await tabTo(await page.locator("tbody .order-link").getAttribute("id"));
    await keyboard.press("Enter");
    await page.waitForURL("**/orders/app/A1012");
    await page.locator("h1").waitFor();
    await tabTo("act-query");
    await keyboard.press("Enter");
    await page.locator("#ask-query").waitFor();
    const inside = () => page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null);
    for (let steps = 0; steps < 6; steps += 1) {
      await keyboard.press("Tab");
      assert.ok(await inside(), "the dialog keeps the focus");
    }
    await keyboard.press("Escape");
    assert.equal(await focused(), "act-query", "and gives it back");
    await keyboard.press("Enter");
    await tabTo("do-query");
    await keyboard.press("Enter");
    await page.locator("#flash").waitFor();
    await one.leave();
  });

  test("a live page leaves the focus and an opened table where they are", async () => {
    const { demo } = world;
    const one = await visitor(world.browser, demo);
    const { page } = one;
    await one.logIn();
    await page.locator("#figure-received").waitFor();
    const before = await page.locator("#figure-received").innerText();
    await page.focus("#to-closed");
    await demo.pay("L1", 100);
    await demo.callBack("L1", 100);
    await page.locator("#figure-received", { hasText: before }).waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.id), "to-closed");
    if (await page.locator("#time-line-table").count()) {
      await page.locator("#time-line-table summary").click();
      const now = await page.locator("#figure-received").innerText();
      await demo.pay("L2", 100);
      await demo.callBack("L2", 100);
      await page.locator("#figure-received", { hasText: now }).waitFor({ state: "detached" });
      assert.ok(await page.locator("#time-line-table").evaluate((details) => details.open));
    }
    await one.leave();
  });
};
