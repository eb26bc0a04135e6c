// The demo, running, and a browser that looks at its dashboard. Whatever the page does that it must not do is noted: an
// error in the console, a request that fails, a request to anybody else, a breach of the content security policy.

import { chromium } from "playwright-core";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { existsSync } from "node:fs";
import assert from "node:assert/strict";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const PROGRAM = process.env.TOLLGATE ?? here("../../target/debug/tollgate");
const BROWSERS = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

// Far longer than anything takes.
export const LONG = 60_000;

export const merchant = "1900000109";

/** Starts the demo; when this is ready its scenes were played and its parties stay up. */
export async function startDemo() {
  const process = spawn(PROGRAM, ["demo", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((_, reject) => process.once("exit", (code) => reject(new Error(`the demo ended: ${code}`))));
  ended.catch(() => {});
  // It prints one JSON document, and then nothing.
  const said = (async () => {
    let text = "";
    for await (const line of createInterface({ input: process.stdout })) {
      text += line;
      try {
        return JSON.parse(text);
      } catch {
        // Not all of it yet.
      }
    }
  })();
  const { gate, sandbox, shop, dashboard } = await Promise.race([said, ended]);
  const call = async (url, options = {}) => {
    const answer = await fetch(url, options);
    return { status: answer.status, text: await answer.text() };
  };
  return {
    gate,
    sandbox,
    shop,
    url: dashboard.url.replace(/\/$/, ""),
    token: dashboard.token,
    /** Somebody pays an order. */
    pay: (order, fen) =>
      call(`${sandbox}/sandbox/orders/${merchant}/${order}/pay`, { method: "POST", body: JSON.stringify({ total_fee: fen }) }),
    /** The APP calls back. */
    callBack: (order, fen) =>
      call(`${gate}/pay/success`, { method: "POST", body: new URLSearchParams({ OrderID: order, paymentcenter_id: "", TotalFee: fen }) }),
    /** WeChat Pay's hosts are down, or up. */
    async wechatPayIs(up) {
      for (const host of ["api", "api2"]) {
        await call(`${sandbox}/sandbox/hosts/${host}/faults`, { method: "PUT", body: JSON.stringify(up ? [] : [{ kind: "down" }]) });
      }
    },
    /** The order system takes callbacks, or fails each. */
    shopIs: (up) => call(`${shop}/fails`, { method: "PUT", body: JSON.stringify(!up) }),
    /** How often the order system got an order. */
    async delivered(order) {
      const received = JSON.parse((await call(`${shop}/received`)).text);
      return received.filter((one) => one.order === order).length;
    },
    stop: () => process.kill("SIGTERM"),
  };
}

/** Starts Chromium, as quiet as it can be. */
export async function startBrowser() {
  const executablePath = BROWSERS.find((path) => path && existsSync(path));
  assert.ok(executablePath, "there is no chromium: make browser installs it, or set CHROMIUM");
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--no-pings", "--disable-default-apps",
      "--disable-features=OptimizationHints,MediaRouter,Translate", "--font-render-hinting=none",
    ],
  });
}

/** A browser of somebody's own, with what it may not do noted in `faults`. */
export async function visitor(browser, demo, options = {}) {
  const context = await browser.newContext({
    locale: "en-GB",
    timezoneId: "Asia/Shanghai",
    viewport: { width: 1280, height: 900 },
    baseURL: demo.url,
    ...options,
  });
  context.setDefaultTimeout(LONG);
  const faults = [];
  await context.exposeBinding("cspViolated", (_, what) => faults.push(`content security policy: ${what}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.cspViolated(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
  });
  const expected = new Set();
  context.on("console", (message) => {
    const where = message.location().url;
    const isExpected = [...expected].some((url) => where.startsWith(url));
    if (["error", "warning"].includes(message.type()) && !isExpected) faults.push(`console: ${message.text()} (${where})`);
  });
  context.on("weberror", (error) => faults.push(`script: ${error.error()}`));
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== demo.url && url.protocol !== "data:") faults.push(`outside request: ${url}`);
  });
  context.on("requestfailed", (request) => {
    // A page that is left takes its requests with it.
    const failure = request.failure()?.errorText ?? "";
    if (failure !== "net::ERR_ABORTED") faults.push(`failed request: ${request.url()} ${failure}`);
  });
  context.on("response", (response) => {
    const isExpected = [...expected].some((url) => response.url().startsWith(url));
    if (response.status() >= 400 && !isExpected) faults.push(`status ${response.status()}: ${response.url()}`);
  });
  const page = await context.newPage();
  return {
    context,
    page,
    faults,
    /** What answers with an error here is meant to. */
    expectError: (path) => expected.add(demo.url + path),
    /** Logs in. */
    async logIn() {
      await page.goto("/login");
      await page.fill("#token", demo.token);
      await page.click(".login .button");
      await page.waitForURL((url) => url.pathname === "/");
    },
    /** Leaves, and complains of what happened meanwhile. */
    async leave() {
      await context.close();
      assert.deepEqual(faults, []);
    },
  };
}

/** Waits until something holds. */
export async function until(what, holds) {
  const end = Date.now() + LONG;
  for (;;) {
    if (await holds()) return;
    assert.ok(Date.now() < end, `it never came to this: ${what}`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}
