// Coming in, changing the language, and leaving.

import test from "node:test";
import assert from "node:assert/strict";
import { visitor } from "./harness.js";

export default (world) => {
  test("nobody sees a page without the token, and is led back to it after logging in", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await page.goto("/orders?state=accepted");
    assert.equal(new URL(page.url()).pathname, "/login");
    assert.ok(await page.locator("#token").evaluate((field) => field === document.activeElement), "the field has the focus");
    await page.fill("#token", "this-is-not-the-token-at-all");
    await page.keyboard.press("Enter");
    await page.waitForURL(/error=/);
    assert.match(await page.locator("#notice").innerText(), /That is not the token/);
    await page.fill("#token", world.demo.token);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/orders?state=accepted");
    assert.equal(await page.locator("h1").innerText(), "Orders");
    assert.equal(await page.locator("nav a[aria-current=page]").innerText(), "Orders");
    const session = (await one.context.cookies()).find((cookie) => cookie.name.endsWith("tollgate_session"));
    assert.ok(session.httpOnly && session.sameSite === "Strict");
    await one.leave();
  });

  test("whoever logs out is out", async () => {
    const one = await visitor(world.browser, world.demo);
    const { page } = one;
    await one.logIn();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.waitForURL("**/login");
    await page.goto("/orders");
    assert.equal(new URL(page.url()).pathname, "/login");
    await one.leave();
  });

  test("the language is the browser's until it is switched, and then the chosen one", async () => {
    const one = await visitor(world.browser, world.demo, { locale: "zh-CN" });
    const { page } = one;
    await page.goto("/login");
    assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
    await one.logIn();
    assert.equal(await page.locator("nav a[aria-current=page]").innerText(), "概览");
    await page.goto("/orders?state=accepted");
    await page.getByRole("button", { name: "English" }).click();
    await page.waitForURL("**/orders?state=accepted");
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    assert.equal(await page.locator("h1").innerText(), "Orders");
    await page.goto("/");
    assert.equal(await page.locator("nav a[aria-current=page]").innerText(), "Overview");
    await page.getByRole("button", { name: "中文" }).click();
    await page.locator("nav a[aria-current=page]", { hasText: "概览" }).waitFor();
    await one.leave();
  });
};
