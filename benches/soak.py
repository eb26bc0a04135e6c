#!/usr/bin/env python3
"""A gate between fakes under a mixed load, and its memory every ten seconds: does it level off?

    benches/soak.py BIN OUT SECONDS RATE CAPACITY [none]

BIN is the program, OUT where the lines go (OUT.d gets its config, journal and log), RATE requests a second, CAPACITY
cache.capacity; `none` runs it without a journal. Of the requests 40 % are of new paid orders, 30 % repetitions, 15 % of new unpaid orders,
15 % refused. BASE (21000) is the first of four ports on loopback; QUIET seconds without load follow.
"""
import asyncio, hashlib, os, random, re, sys, subprocess, time, uuid, json, urllib.request
BIN, OUT, SECONDS, RATE, CAP = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
JOURNAL = sys.argv[6] if len(sys.argv) > 6 else "journal"
KEY = "0123456789abcdef0123456789abcdef"; APPID="wx0000000000000001"; MCH="1900000001"
BASE = int(os.environ.get("BASE", "21000"))
WX, UP, GATE, ADM = BASE, BASE+1, BASE+2, BASE+3
TAG = re.compile(rb"<(\w+)>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))</\1>")
def sign(f):
    s = "&".join(f"{k}={v}" for k, v in sorted(f.items()) if v != "" and k != "sign") + "&key=" + KEY
    return hashlib.md5(s.encode()).hexdigest().upper()
def answer(body):
    q = {m[0].decode(): (m[1] or m[2]).decode() for m in TAG.findall(body)}
    no = q.get("out_trade_no", "")
    f = {"return_code":"SUCCESS","return_msg":"OK","appid":APPID,"mch_id":MCH,"nonce_str":uuid.uuid4().hex,"result_code":"SUCCESS","out_trade_no":no}
    if no.startswith("P"):
        n = int(hashlib.md5(no.encode()).hexdigest(), 16) % 10**18
        f.update(trade_state="SUCCESS", transaction_id="4200000001%018d" % n, total_fee="6600", cash_fee="6600", fee_type="CNY", openid="o"+"x"*27, trade_type="APP", bank_type="CMC", time_end="20261123120000", is_subscribe="N", trade_state_desc="ok")
    else:
        f.update(trade_state="NOTPAY", trade_state_desc="not paid")
    f["sign"] = sign(f)
    return ("<xml>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in f.items()) + "</xml>").encode()
async def serve(reader, writer, make):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            m = re.search(rb"(?i)content-length: *(\d+)", head)
            body = await reader.readexactly(int(m[1])) if m else b""
            out = make(body)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % len(out) + out)
    except Exception: pass
    finally: writer.close()
sent = {}
async def client(queue):
    r = w = None
    while True:
        raw = await queue.get()
        try:
            if w is None: r, w = await asyncio.open_connection("127.0.0.1", GATE)
            w.write(raw)
            head = await r.readuntil(b"\r\n\r\n")
            m = re.search(rb"(?i)content-length: *(\d+)", head)
            if m: await r.readexactly(int(m[1]))
            code = head[9:12].decode(); sent[code] = sent.get(code, 0) + 1
            if b"connection: close" in head.lower(): w.close(); w = None
        except Exception as e:
            sent[type(e).__name__] = sent.get(type(e).__name__, 0) + 1
            if w: w.close()
            w = None
def post(body, path="/pay"):
    return (f"POST {path} HTTP/1.1\r\nHost: s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()
paid = []
def one():
    k = random.random()
    pad = "&Attach=" + "a" * random.randint(0, 400)
    if k < 0.4 or not paid:
        no = "P" + uuid.uuid4().hex[:24]; paid.append(no)
        if len(paid) > 5000: del paid[:2500]
        return post(f"OrderID={no}&TotalFee=6600{pad}")
    if k < 0.7: return post(f"OrderID={random.choice(paid)}&TotalFee=6600{pad}")
    if k < 0.85: return post(f"OrderID=U{uuid.uuid4().hex[:24]}&TotalFee=6600{pad}")
    if k < 0.9: return post(f"OrderID={uuid.uuid4().hex[:10]}%20&x=1")
    if k < 0.95: return post(f"OrderID=P1&orderid={uuid.uuid4().hex}")
    return post("a=1", "/" + uuid.uuid4().hex)
async def main():
    d = os.path.abspath(OUT + ".d"); os.makedirs(d, exist_ok=True)
    cfg = {"listen": f"127.0.0.1:{GATE}", "upstream": f"http://127.0.0.1:{UP}", "admin": {"listen": f"127.0.0.1:{ADM}", "token": "bench-token-0123456789abcdef0123456789"},
      "routes": [{"name":"a","path":"/pay","methods":["POST"],"carrier":"form","order":"OrderID","amount":"TotalFee","channel":"wx","reply":"http"}],
      "channels": {"wx": {"provider":"wechat-v2","appid":APPID,"mch_id":MCH,"key":KEY}},
      "wechat": {"hosts":[f"http://127.0.0.1:{WX}"],"queries_per_second":100000}, "cache": {"capacity": CAP},
      "journal": "none" if JOURNAL == "none" else {"path": d + "/journal.db"}, "log": {"format":"json","level":"warn"}}
    open(d + "/config.yaml", "w").write(json.dumps(cfg))
    a = await asyncio.start_server(lambda r, w: serve(r, w, answer), "127.0.0.1", WX)
    b = await asyncio.start_server(lambda r, w: serve(r, w, lambda _: b"success"), "127.0.0.1", UP)
    gate = subprocess.Popen([BIN, "run", "--config", d + "/config.yaml"], stdout=open(d + "/log", "w"), stderr=subprocess.STDOUT)
    await asyncio.sleep(2)
    queue = asyncio.Queue(); tasks = [asyncio.create_task(client(queue)) for _ in range(32)]
    out = open(OUT, "w"); start = time.time(); n = 0; last = -10
    def note():
        s = open(f"/proc/{gate.pid}/status").read()
        g = lambda k: int(re.search(k + r":\s+(\d+)", s)[1]) / 1024
        fds = [os.readlink(f'/proc/{gate.pid}/fd/{f}') for f in os.listdir(f'/proc/{gate.pid}/fd')]; rd = sum(f.endswith('journal.db') for f in fds)
        cpu = sum(map(int, open(f"/proc/{gate.pid}/stat").read().split()[13:15])) / 100
        jb = sum(os.path.getsize(d + "/" + f) for f in os.listdir(d) if f.startswith("journal")) / 1048576
        th = int(re.search(r'Threads:\s+(\d+)', s)[1])
        line = f"{time.time()-start:6.0f} s  sent {sum(sent.values()):8d}  rss {g('VmRSS'):7.1f}  anon {g('RssAnon'):7.1f}  file {g('RssFile'):6.1f}  hwm {g('VmHWM'):7.1f} MiB  threads {th}  cpu {cpu:6.1f}  journal {jb:6.1f} MiB  connections to it {rd}  queue {queue.qsize()} {sent}"
        print(line, file=out, flush=True)
    while time.time() - start < SECONDS and gate.poll() is None:
        t = time.time() - start
        if t - last >= 10: last = t; note()
        # catching up is bounded: a slow gate gets what it can take
        while n < t * RATE and queue.qsize() < 200: queue.put_nowait(one()); n += 1
        if queue.qsize() >= 200: n = int(t * RATE)
        await asyncio.sleep(0.01)
    for _ in range(int(os.environ.get("QUIET", "0")) // 10 + 1):
        note(); await asyncio.sleep(10 if os.environ.get("QUIET") else 0)
    if os.environ.get("HOLD"): await asyncio.sleep(int(os.environ["HOLD"]))
    gate.terminate(); gate.wait()
asyncio.run(main())
