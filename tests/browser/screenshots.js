// The pictures in the docs, of the demo as it runs: `make screenshots`.

import { mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startBrowser, startDemo, until, visitor } from "./harness.js";

const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
// Bytes; one that is larger is told of by the exit code.
const LARGEST = 200 * 1024;
const WIDTH = 1200;

mkdirSync(IMAGES, { recursive: true });
const [demo, browser] = await Promise.all([startDemo(), startBrowser()]);

// What a small shop's morning looks like, in a few minutes.
let order = 1;
const name = () => `K${20260000 + order++}`;
const prices = [6600, 1280, 990, 12800, 4550, 2000];
async function trade(paid, unpaid = 0, wrong = 0) {
  for (let at = 0; at < paid; at += 1) {
    const [one, fen] = [name(), prices[at % prices.length]];
    await demo.pay(one, fen);
    await demo.callBack(one, fen);
  }
  for (let at = 0; at < unpaid; at += 1) await demo.callBack(name(), 6600);
  for (let at = 0; at < wrong; at += 1) {
    const one = name();
    await demo.pay(one, 100);
    await demo.callBack(one, 9900);
  }
}

const visitors = [];
async function look(options) {
  const one = await visitor(browser, demo, { viewport: { width: WIDTH, height: 900 }, ...options });
  visitors.push(one);
  await one.logIn();
  return one.page;
}

async function take(page, file, options = {}) {
  const path = `${IMAGES}${file}.png`;
  await page.screenshot({ path, animations: "disabled", ...options });
  const { size } = statSync(path);
  console.log(`${file}.png: ${Math.round(size / 1024)} KiB`);
  if (size > LARGEST) process.exitCode = 1;
}

try {
  const minutes = Number(process.env.MINUTES ?? 4);
  for (let minute = 0; minute < minutes; minute += 1) {
    const began = Date.now();
    await trade(9 + ((minute * 5) % 7), minute % 2, minute % 3 === 1 ? 2 : 0);
    await new Promise((wake) => setTimeout(wake, Math.max(0, 60_000 - (Date.now() - began))));
  }
  await trade(8, 1);

  const height = 900;
  // Without the last lines, which would make it too large.
  const whole = { fullPage: true, clip: { x: 0, y: 0, width: WIDTH, height: 1340 } };
  const english = await look();
  const chinese = await look({ locale: "zh-CN" });
  const dark = await look({ colorScheme: "dark" });
  const phone = await look({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });

  await english.goto("/");
  await take(english, "overview", whole);
  await dark.goto("/");
  await take(dark, "overview-dark", whole);
  await chinese.goto("/");
  await take(chinese, "overview-zh", whole);
  await english.goto("/orders/app/A1012");
  await take(english, "story", { fullPage: true });
  await english.goto("/orders/app/A1007");
  await take(english, "story-contradicted", { fullPage: true });
  await english.goto("/orders");
  await take(english, "orders", { clip: { x: 0, y: 0, width: WIDTH, height } });
  await phone.goto("/orders");
  await take(phone, "orders-phone");
  await english.goto("/ledger?text=A1001");
  await take(english, "ledger", { clip: { x: 0, y: 0, width: WIDTH, height: 420 } });

  // An outage of the order system, from its start to the end.
  await english.goto("/");
  await demo.shopIs(false);
  await trade(7);
  await english.locator("#alarm.is-bad", { hasText: "7 paid orders" }).waitFor();
  await english.locator(".group", { hasText: "Order system did not accept it" }).waitFor();
  await take(english, "outage-held", { clip: { x: 0, y: 0, width: WIDTH, height } });
  const held = await english.locator(".group a.id").first().innerText();
  await english.goto(`/orders/app/${held}`);
  await english.click("#act-redeliver");
  await english.locator("#ask-redeliver").waitFor();
  await take(english, "redeliver", { clip: { x: 0, y: 0, width: WIDTH, height } });
  await english.keyboard.press("Escape");
  await demo.shopIs(true);
  await english.goto("/");
  await until("all is delivered", async () => (await english.locator("#alarm.is-good").count()) === 1);
  await take(english, "outage-recovered", { clip: { x: 0, y: 0, width: WIDTH, height } });
  for (const one of visitors) await one.leave();
} finally {
  await browser.close();
  demo.stop();
}
