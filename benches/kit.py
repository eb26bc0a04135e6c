"""What `instructions`, `latency` and `growth` share: a stand-in for WeChat Pay (API v2 and v3) and for the order system, callbacks, a gate
to start, and what the system says of its process."""
import asyncio, base64, glob, hashlib, json, multiprocessing, os, re, shutil, signal, subprocess, sys, tempfile, time, urllib.request

HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
KEY, APPID, MCH, V3_MCH = "0123456789abcdef0123456789abcdef", "wx0000000000000001", "1900000001", "1900000003"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000000032024010100000000000001"
TOKEN = "bench-token-0123456789abcdef0123456789"
STARTS = 300  # seconds that a gate may take to start: under valgrind, with a large journal
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Server(asyncio.Protocol):
    """HTTP/1.1 with kept connections; `answer` makes head lines and a body of a request's head and body."""

    def __init__(self, answer, delay):
        self.answer, self.delay, self.held = answer, delay, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end]
            found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self.held) < whole:
                return
            body, self.held = self.held[end + 4:whole], self.held[whole:]
            lines, answer = self.answer(head.decode(), body.decode())
            message = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (lines, len(answer), answer)
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.transport.write, message)
            else:
                self.transport.write(message)


def order_system(_head, _body):
    return b"Content-Type: text/plain\r\n", b"success"


def signed(fields):
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value) + "&key=" + KEY
    return hashlib.md5(text.encode()).hexdigest().upper()


class WeChatPay:
    """Answers order queries: what begins with U is not paid, all else is paid with 100 fen."""

    def __init__(self):
        self.asked, self.private, self.bill = 0, None, b""

    def answer(self, head, body):
        self.asked += 1
        if head.startswith("GET"):
            return self.v3(head)
        return (b"Encoding: gzip\r\n", self.bill) if head.startswith("POST /pay/downloadbill") else self.v2(body)

    def v2(self, body):
        asked = {name: cdata or plain for name, cdata, plain in re.findall(r"<(\w+)>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))</\1>", body)}
        sign, number = asked.pop("sign"), asked["out_trade_no"]
        assert sign == signed(asked), body
        fields = dict(return_code="SUCCESS", return_msg="OK", appid=asked["appid"], mch_id=asked["mch_id"],
                      nonce_str="5K8264ILTKCH16CQ2502SI8ZNMTM67VS", result_code="SUCCESS", out_trade_no=number)
        if number.startswith("U"):
            fields.update(trade_state="NOTPAY", trade_state_desc="not paid")
        else:
            fields.update(trade_state="SUCCESS", trade_state_desc="paid", transaction_id=payment(number),
                          openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", is_subscribe="Y", trade_type="JSAPI", bank_type="CMC", total_fee="100",
                          fee_type="CNY", cash_fee="100", attach="", time_end="20260101120000")
        fields["sign"] = signed(fields)
        return b"Content-Type: text/xml\r\n", ("<xml>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>\n" for k, v in fields.items()) + "</xml>").encode()

    def v3(self, head):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding
        number = re.match(r"GET /v3/pay/transactions/out-trade-no/(\w+)\?", head)[1]
        body = json.dumps(dict(
            appid=APPID, mchid=V3_MCH, out_trade_no=number, transaction_id=payment(number), trade_type="JSAPI",
            trade_state="SUCCESS", trade_state_desc="paid", bank_type="CMC", attach="", success_time="2026-01-01T12:00:00+08:00",
            payer=dict(openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"), amount=dict(total=100, payer_total=100, currency="CNY", payer_currency="CNY")))
        at, nonce = str(int(time.time())), "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"
        signature = self.private.sign(f"{at}\n{nonce}\n{body}\n".encode(), padding.PKCS1v15(), hashes.SHA256())
        lines = (f"Content-Type: application/json\r\nRequest-ID: 08F7ADB8B00610B00218\r\nWechatpay-Nonce: {nonce}\r\nWechatpay-Timestamp: {at}\r\n"
                 f"Wechatpay-Serial: {PUBLIC_KEY_ID}\r\nWechatpay-Signature: {base64.b64encode(signature).decode()}\r\n"
                 "Wechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048\r\n")
        return lines.encode(), body.encode()


def payment(number):
    return "4200000001" + number[-18:].encode().hex()[-18:].translate(str.maketrans("abcdef", "012345")).rjust(18, "0")


def post(path, kind, body):
    return (f"POST {path} HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\nContent-Type: {kind}\r\n"
            f"X-Verified-Transaction-Id: spoofed\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def form(number, channel="wx"):
    """372 bytes, 16 fields."""
    return post("/pay/notify", "application/x-www-form-urlencoded",
                f"AppID=wx0000000000000001&MerchantID=1900000001&OrderID={number}&ChannelID={channel}&Amount=100&Currency=CNY"
                "&NotifyTime=20260101120000&NonceStr=5K8264ILTKCH16CQ2502SI8ZNMTM67VS&OpenID=oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
                "&BankType=CMC&TradeType=JSAPI&Attach=shop%20one&Sign=00000000000000000000000000000000"
                "&ReturnURL=https%3A%2F%2Fshop.test%2Fpay%2Fdone%3Fid%3D1&Version=2.0&SignType=MD5")


def xml(number):
    """16 fields."""
    fields = dict(appid=APPID, attach="shop", bank_type="CMC", cash_fee="100", fee_type="CNY", is_subscribe="Y", mch_id=MCH,
                  nonce_str="5K8264ILTKCH16CQ2502SI8ZNMTM67VS", openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", out_trade_no=number,
                  result_code="SUCCESS", return_code="SUCCESS", sign="0" * 32, time_end="20260101120000", trade_type="JSAPI")
    return post("/pay/xml", "text/xml", "<xml>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in fields.items()) + "<total_fee>100</total_fee></xml>")


async def closed_loop(port, requests, wanted=200, connections=24, timeout=600):
    """Sends each request on one of the connections as soon as the one before it is answered."""
    queue = iter(requests)

    async def connection():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in queue:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"(?i)content-length: *(\d+)", head)[1]))
            status = int(head[9:12])
            assert status == wanted, f"{status} instead of {wanted}: {head.decode()}"
        writer.close()

    await asyncio.wait_for(asyncio.gather(*(connection() for _ in range(connections))), timeout)


async def listen(answer, delay=0):
    """The port of a server of this loop."""
    server = await asyncio.get_running_loop().create_server(lambda: Server(answer, delay), "127.0.0.1", 0, backlog=1024)
    return server.sockets[0].getsockname()[1]


def stand_ins(core, bill=b"", delay=0):
    """Starts both in a process of their own, on that core; the process and the ports of the order system and of WeChat Pay."""
    ours, theirs = multiprocessing.Pipe()

    def run():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.sched_setaffinity(0, {core})
        wechat = WeChatPay()
        wechat.bill = bill

        async def serve():
            theirs.send((await listen(order_system, delay), await listen(wechat.answer, delay)))
            await asyncio.Event().wait()

        asyncio.run(serve())

    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    return process, *ours.recv()


def cores():
    """One for the gate and one for the load, the same if there is one only."""
    all_of_them = sorted(os.sched_getaffinity(0))
    return all_of_them[0], all_of_them[-1]


def free_port():
    import socket
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def channels(many=1):
    """So many accounts of API v2: `wx`, and others."""
    of = lambda mch: dict(provider="wechat-v2", appid=APPID, mch_id=mch, key=KEY)
    return {"wx": of(MCH)} | {f"c{number}": of(str(1910000000 + number)) for number in range(1, many)}


def config(folder, upstream, wechat, accounts, journal=True):
    """Nothing of it runs out of time, and all senders are here."""
    return {
        "listen": "127.0.0.1:0", "upstream": f"http://127.0.0.1:{upstream}", "channels": accounts,
        "routes": [
            dict(name="form", path="/pay/notify", methods=["POST"], carrier="form", order="OrderID", channel=[{"from": "ChannelID"}], reply="http"),
            dict(name="xml", path="/pay/xml", methods=["POST"], carrier="xml", order="out_trade_no", channel="wx", reply="wechat-v2"),
        ],
        "wechat": {"hosts": [f"http://127.0.0.1:{wechat}"], "queries_per_second": 1000000, "hedge_after": "30s"},
        "deadline": "60s", "confirm_deadline": "40s", "cache": {"paid": "10h", "pending": "10h"},
        "limits": {"rate_per_address": 0, "connections": 20000}, "forwarding": {"keep_alive": "60s", "connect": "10s"},
        "follow_up": {"ask_again": ["10h"], "redeliver": ["10h"]},
        "journal": {"path": os.path.join(folder, "journal", "tollgate.db")} if journal else "none",
        "log": {"format": "json", "level": "warn"},
    }


class Database:
    """A PostgreSQL with default settings in a folder of its own (of TMPDIR), for programs on this machine."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4])) or [shutil.which("initdb")]
        if not found[-1]:
            raise SystemExit("there is no PostgreSQL here: apt-get install postgresql")
        self.programs = os.path.dirname(os.path.realpath(found[-1]))
        self.folder, self.port = tempfile.mkdtemp(prefix="tollgate-bench-pg-"), free_port()
        os.chmod(self.folder, 0o755)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.data = os.path.join(self.folder, "data")
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "gate", "-E", "UTF8", "--locale=C")
        self.begin()

    def run(self, program, *arguments):
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        return subprocess.run([*user, os.path.join(self.programs, program), *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def begin(self, *settings):
        options = " ".join(f"-c {setting}" for setting in (f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", *settings))
        self.run("pg_ctl", "-D", self.data, "-l", os.path.join(self.folder, "log"), "-w", "-o", options, "start")

    def end(self):
        self.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def make(self, name):
        """A new database; its URL."""
        self.sql("postgres", f"CREATE DATABASE {name}")
        return f"postgres://gate@127.0.0.1:{self.port}/{name}?sslmode=disable"

    def sql(self, name, query):
        told = subprocess.run([os.path.join(self.programs, "psql"), "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", str(self.port), "-U", "gate", "-d", name, "-c", query],
                              check=True, capture_output=True, text=True)
        return told.stdout.strip()

    def told(self):
        with open(os.path.join(self.folder, "log")) as file:
            return file.read()

    def remove(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Gate:
    """A gate in a folder of its own (of TMPDIR), with its journal in a folder below it; on one core, so with one runtime thread."""

    def __init__(self, program, core, upstream, wechat, journal=True, accounts=None, change=lambda config: None, folder=None, under=(), admin=False):
        self.folder = folder or tempfile.mkdtemp(prefix="tollgate-bench-")
        os.makedirs(os.path.join(self.folder, "journal"), exist_ok=True)
        self.admin = free_port() if admin else None
        content = config(self.folder, upstream, wechat, accounts or channels(), journal)
        if admin:
            content["admin"] = dict(listen=f"127.0.0.1:{self.admin}", token=TOKEN)
        change(content)
        self.config, self.log = os.path.join(self.folder, "config.yaml"), os.path.join(self.folder, "log")
        with open(self.config, "w") as file:
            json.dump(content, file)
        self.began = time.monotonic()
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([*under, os.path.realpath(program), "run", "--config", self.config], stdout=log, stderr=log,
                                            preexec_fn=lambda: os.sched_setaffinity(0, {core}))

    def told(self):
        with open(self.log) as file:
            return file.read()

    def port(self):
        """Waits until it listens."""
        while time.monotonic() - self.began < STARTS and self.process.poll() is None:
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", self.told()):
                self.started = time.monotonic() - self.began
                return int(found[1])
            time.sleep(0.002)
        self.stop()
        raise SystemExit("the gate did not start:\n" + self.told())

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def memory(self):
        """Anonymous memory, bytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"RssAnon:\s+(\d+)", file.read())[1]) * 1024

    def written(self):
        """Bytes that it made the system write to disks so far; nothing where TMPDIR is in memory."""
        with open(f"/proc/{self.process.pid}/io") as file:
            return int(re.search(r"\nwrite_bytes: (\d+)", file.read())[1])

    def get(self, path):
        """A page of the admin listener, and the seconds that it took."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        began = time.monotonic()
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
        return text, time.monotonic() - began

    def metric(self, name):
        found = re.search(rf"(?m)^{name} ([\d.e+-]+)$", self.get("/metrics")[0])
        return float(found[1]) if found else 0.0

    def stop(self, keep=False, gently=False):
        self.process.send_signal(signal.SIGTERM if gently else signal.SIGKILL)
        self.process.wait()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def say(text):
    print(text, file=sys.stderr, flush=True)
