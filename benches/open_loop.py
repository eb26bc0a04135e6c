"""Requests at a rate that does not wait for answers: what a sender sees, who does not slow down because the gate does."""
import collections, gc, re, select, socket, time

LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
SLOWEST = 30  # seconds that the last answers may take


class Load:
    """What came of one run; times in seconds, from the moment at which a request was due, so that waiting for a connection counts."""

    def __init__(self, times, late, seconds, statuses):
        self.times, self.late, self.seconds, self.statuses = sorted(times), sorted(late), seconds, statuses

    def at(self, share):
        return share_of(self.times, share)

    def lateness(self):
        """How late the client itself was, p99: what is beyond it is not the client's."""
        return share_of(self.late, 0.99)


def share_of(times, share):
    return times[min(len(times) - 1, int(share * len(times)))] if times else float("nan")


def connected(port):
    wire = socket.create_connection(("127.0.0.1", port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.setblocking(False)
    return wire


def run(port, request, rate, seconds, connections=64):
    """Sends `request(n)` at `rate` a second; one thread, kept connections."""
    idle, busy = [connected(port) for _ in range(connections)], {}
    times, late, statuses, waiting = [], [], collections.Counter(), collections.deque()
    many, due_number = int(rate * seconds), 0
    requests = [request(number) for number in range(many)]
    gc.disable()
    began = time.perf_counter()
    try:
        while len(times) < many:
            now = time.perf_counter()
            if now - began > seconds + SLOWEST:
                raise SystemExit(f"{many - len(times)} of {many} answers did not come in {SLOWEST} s")
            while due_number < many and began + due_number / rate <= now:
                waiting.append((requests[due_number], began + due_number / rate))
                late.append(now - began - due_number / rate)
                due_number += 1
            while waiting and idle:
                content, due = waiting.popleft()
                wire = idle.pop(0)  # by turns: the gate closes one that is not used at all
                wire.send(content)
                busy[wire] = (due, b"")
            pause = max(0.0, began + due_number / rate - time.perf_counter()) if due_number < many else 1.0
            for wire in select.select(list(busy), [], [], pause)[0]:
                due, held = busy[wire]
                data = wire.recv(65536)
                if not data:
                    raise SystemExit(f"the gate closed a connection under a request; answers so far: {dict(statuses)}")
                held += data
                end = held.find(b"\r\n\r\n")
                if end < 0 or len(held) < end + 4 + int(LENGTH.search(held[:end])[1]):
                    busy[wire] = (due, held)
                    continue
                times.append(time.perf_counter() - due)
                statuses[int(held[9:12])] += 1
                del busy[wire]
                if b"\r\nconnection: close" in held[:end].lower():
                    wire.close()
                    wire = connected(port)
                idle.append(wire)
    finally:
        gc.enable()
        for wire in [*idle, *busy]:
            wire.close()
    return Load(times, late, time.perf_counter() - began, statuses)
