#!/usr/bin/env python3
"""A flood of made-up order numbers, and what becomes of honest callbacks amid it.

    benches/flood.py target/release/tollgate RATE [--copied] [--known 0] [--seconds 45] [--after 60]

Starts the gate with a new journal and default limits between a WeChat Pay and an order system of its own, all on 127.0.0.1; sends
RATE made-up callbacks a second, and 60 honest ones: 40 paid, 10 paid ten seconds later, and 10 that WeChat Pay does not know until
they are paid ten seconds later. With --known so many honest orders are
confirmed before, as with a gate that has been there for a while. With --copied the made-up numbers look like the honest ones. Prints how long each honest order took
from when it was paid and called back to its delivery, and who was asked about.
"""

import argparse, asyncio, hashlib, json, os, random, re, subprocess, sys, tempfile, time

APPID, MCH, KEY = "wxd930ea5d5a258f4f", "1900000109", "Aa11Bb22Cc33Dd44Ee55Ff66Gg77Hh88"
HONEST, LATER = 60, 10.0
SENDERS = 100


def signed(fields):
    text = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if v) + f"&key={KEY}"
    fields["sign"] = hashlib.md5(text.encode()).hexdigest().upper()
    return ("<xml>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in fields.items()) + "</xml>").encode()


class World:
    def __init__(self):
        self.orders, self.called, self.delivered = {}, {}, {}
        self.asked = {"honest": 0, "made up": 0}
        self.sent, self.statuses = 0, {}

    def answer(self, body):
        number = re.search(rb"<out_trade_no>(?:<!\[CDATA\[)?([^<\]]+)", body).group(1).decode()
        fields = {"return_code": "SUCCESS", "appid": APPID, "mch_id": MCH, "nonce_str": "n"}
        order = self.orders.get(number)
        self.asked["honest" if order else "made up"] += 1
        now = time.monotonic()
        if not order or (order["hidden"] and now < order["paid_at"]):
            return signed({**fields, "result_code": "FAIL", "err_code": "ORDERNOTEXIST"})
        fields |= {"result_code": "SUCCESS", "out_trade_no": number}
        if now < order["paid_at"]:
            return signed({**fields, "trade_state": "NOTPAY"})
        paid = {"trade_state": "SUCCESS", "transaction_id": "42" + number.zfill(26)[-26:], "total_fee": "100"}
        return signed({**fields, **paid, "time_end": "20261130120000"})

    def book(self, body):
        number = re.search(rb"OrderID=([0-9A-Za-z]+)", body).group(1).decode()
        self.delivered.setdefault(number, time.monotonic())
        return b"ok"


async def serve(answer):
    async def connection(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = re.search(rb"content-length: *(\d+)", head)
                body = answer(await reader.readexactly(int(length.group(1)) if length else 0))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=512)
    return server.sockets[0].getsockname()[1]


async def callback(wire, port, number):
    """Sends one on a connection that is kept; the connection, and the status."""
    if wire is None:
        wire = await asyncio.open_connection("127.0.0.1", port)
    reader, writer = wire
    body = f"OrderID={number}".encode()
    head = b"POST /pay HTTP/1.1\r\nHost: shop\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
    try:
        writer.write(head % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head.lower())
        await reader.readexactly(int(length.group(1)) if length else 0)
        if b"connection: close" in head.lower():
            writer.close()
            wire = None
        return wire, int(head.split(b" ", 2)[1])
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        return None, 0


async def flood(world, port, rate, seconds, number):
    end, began = time.monotonic() + seconds, time.monotonic()

    async def sender(which):
        wire, turn = None, which
        while True:
            at = began + turn / rate
            if max(at, time.monotonic()) >= end:
                return
            await asyncio.sleep(max(0, at - time.monotonic()))
            wire, status = await callback(wire, port, number())
            world.sent += 1
            world.statuses[status] = world.statuses.get(status, 0) + 1
            turn += SENDERS

    await asyncio.gather(*(sender(which) for which in range(SENDERS)))


async def honest(world, port, seconds):
    await asyncio.sleep(2)
    for index in range(HONEST):
        number = f"20261130{random.randrange(10**10):010}"
        kind = ["paid", "paid", "paid", "paid", "later", "hidden"][index % 6]
        now = time.monotonic()
        world.orders[number] = {"kind": kind, "hidden": kind == "hidden", "paid_at": now + (LATER if kind != "paid" else 0)}
        world.called[number] = now
        asyncio.create_task(callback(None, port, number))
        await asyncio.sleep((seconds - 4) / HONEST)


async def run(args):
    world = World()
    wechat, shop = await serve(world.answer), await serve(world.book)
    folder = tempfile.mkdtemp(prefix="flood-")
    config = {
        "listen": "127.0.0.1:0", "upstream": f"http://127.0.0.1:{shop}",
        "routes": [{"name": "app", "path": "/pay", "methods": ["POST"], "carrier": "form", "order": "OrderID", "channel": "app", "reply": "http"}],
        "channels": {"app": {"provider": "wechat-v2", "appid": APPID, "mch_id": MCH, "key": KEY}},
        "wechat": {"hosts": [f"http://127.0.0.1:{wechat}"]},
        "journal": {"path": os.path.join(folder, "journal.db")},
        "log": {"format": "json", "level": "warn,tollgate::app=info,tollgate=info,tollgate::callback=error"},
    }
    path, log = os.path.join(folder, "config.yaml"), os.path.join(folder, "log")
    with open(path, "w") as file:
        json.dump(config, file)
    with open(log, "w") as out:
        gate = subprocess.Popen([os.path.abspath(args.gate), "run", "--config", path], stdout=out, stderr=out)
    try:
        for _ in range(200):
            found = re.search(r"http://127\.0\.0\.1:(\d+)", "".join(l for l in open(log) if "listening" in l))
            if found:
                break
            await asyncio.sleep(0.05)
        port = int(found.group(1))
        alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
        other = lambda: "".join(random.choices(alphabet, k=20))
        number = (lambda: f"20261130{random.randrange(10**10):010}") if args.copied else other
        for _ in range(args.known):
            before = f"20261130{random.randrange(10**10):010}"
            world.orders[before] = {"kind": "known", "hidden": False, "paid_at": 0.0}
            await callback(None, port, before)
        await asyncio.gather(flood(world, port, args.rate, args.seconds, number), honest(world, port, args.seconds))
        until = time.monotonic() + args.after
        while time.monotonic() < until and len(world.delivered) < HONEST + args.known:
            await asyncio.sleep(0.2)
    finally:
        gate.terminate()
        gate.wait(10)
    tell(world, args)


def tell(world, args):
    def delay(number):
        order = world.orders[number]
        return world.delivered[number] - max(order["paid_at"], world.called[number])

    print(f"{args.gate}: {args.rate}/s{' copied' if args.copied else ''}, {world.sent / args.seconds:.0f}/s sent, "
          f"statuses {world.statuses}; asked: {world.asked}")
    for kind in ("paid", "later", "hidden"):
        numbers = [number for number, order in world.orders.items() if order["kind"] == kind]
        delays = sorted(delay(number) for number in numbers if number in world.delivered)
        at = lambda share: f"{delays[min(len(delays) - 1, int(share * len(delays)))]:.2f}" if delays else "-"
        print(f"  {kind:7} {len(numbers)}: p50 {at(0.5)} s, p99 {at(0.99)} s, undelivered {len(numbers) - len(delays)}")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("gate")
    parser.add_argument("rate", type=int)
    parser.add_argument("--copied", action="store_true")
    parser.add_argument("--known", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--after", type=float, default=60)
    asyncio.run(run(parser.parse_args()))
