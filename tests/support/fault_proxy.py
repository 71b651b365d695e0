"""A proxy before the API server that breaks what a test says, one call at a time; a process of its own.

    proxy = FaultProxy(stack)                       # kubeconfig `faulty` of the stack's folder leads through it
    fault = proxy.arm("m01", "504-applied", method="PATCH", path="/services/inopnc-prod$", spec="selector")
    ...                                             # the first call that matches meets the fault
    proxy.met(fault)                                # how many calls did: 0 or 1
    proxy.writes("m01")                             # what went through: as kubesim's own request log, of one namespace

Calls are matched by namespace, method, path with its query, and the keys of the body's `spec`.  Towards the server it
speaks plain HTTP/1.1, towards the cluster TLS.  The control port takes one JSON array a line, [name, arguments], and
answers with one JSON value a line.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading

REASONS = {409: "Conflict", 410: "Expired", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError",
           503: "ServiceUnavailable", 504: "Timeout"}
SLOW_S = 1.5


class Ended(Exception):
    """Nothing more is to be done with this connection; hard: by a reset."""

    def __init__(self, hard=False):
        super().__init__()
        self.hard = hard


# ---- the process ----

class Proxy:
    def __init__(self, host, port):
        self.upstream, self.context = (host, port), ssl._create_unverified_context()
        self.armed, self.number = {}, 0
        self.serving = set()  # asyncio itself holds these tasks weakly
        self.log = {}      # namespace: writes that the cluster answered
        self.watches = {}  # (namespace, plural): writers of the clients that watch

    # ---- control ----
    def arm(self, namespace, fault, method, path, spec=None):
        self.number += 1
        self.armed[self.number] = {"namespace": namespace, "fault": fault, "method": method, "path": re.compile(path),
                                   "spec": spec, "met": 0}
        return self.number

    def met(self, number):
        return self.armed[number]["met"]

    def disarm(self, number):
        return self.armed.pop(number)["met"]

    def writes(self, namespace, since):
        return [w for w in self.log.get(namespace, ()) if w["n"] > since]

    def cut_watch(self, namespace, plural):
        """Whoever watches has to watch again; how many that were."""
        writers = list(self.watches.get((namespace, plural), ()))
        for writer in writers:
            writer.transport.abort()
        return len(writers)

    async def control(self, reader, writer):
        while line := await reader.readline():
            name, arguments = json.loads(line)
            answer = getattr(self, name)(*arguments)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    # ---- requests ----
    async def serve(self, reader, writer):
        server = None
        self.serving.add(asyncio.current_task())
        try:
            while head := await self.head(reader):
                first, headers = head
                method, target, _ = first.split(" ", 2)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                fault = self.fault_of(method, target, body)
                if server is None or server[1].is_closing():
                    server = await asyncio.open_connection(*self.upstream, ssl=self.context, limit=1 << 24)
                try:
                    await self.request(fault, (method, target, headers, body), server, reader, writer)
                except asyncio.IncompleteReadError:
                    if fault:
                        raise
                    server[1].close()  # kept too long: the cluster closed it
                    server = await asyncio.open_connection(*self.upstream, ssl=self.context, limit=1 << 24)
                    await self.request(None, (method, target, headers, body), server, reader, writer)
        except Ended as end:
            if end.hard:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.serving.discard(asyncio.current_task())
            for end in (writer, server and server[1]):
                if end:
                    with contextlib.suppress(Exception):
                        end.close()

    async def head(self, reader):
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return lines[0], {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}

    def fault_of(self, method, target, body):
        namespace = self.namespace(target)
        for fault in self.armed.values():
            if (not fault["met"] and fault["namespace"] == namespace and fault["method"] == method
                    and (fault["path"].search(target.partition("?")[0]) or fault["path"].search(target)) and (fault["spec"] is None or fault["spec"] == self.spec(body))):
                fault["met"] = 1
                return fault["fault"]
        return None

    @staticmethod
    def namespace(target):
        found = re.search(r"/namespaces/([^/?]+)", target)
        return found[1] if found else ""

    @staticmethod
    def spec(body):
        try:
            return ",".join(sorted(json.loads(body).get("spec") or {}))
        except ValueError:
            return None

    async def request(self, fault, request, server, reader, writer):
        method, target, headers, body = request
        watch = "watch=1" in target
        if fault and fault[:3].isdigit() and not fault.endswith(("applied", "in-200")):
            self.refuse(writer, int(fault[:3]))
            return await writer.drain()
        if fault == "reset-before":
            raise Ended(hard=True)
        if fault == "timeout":
            await reader.read()  # until the client gives up
            raise Ended()
        lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items() if k != "connection")]
        server[1].write("\r\n".join([*lines, *(["connection: close"] if watch else []), "", ""]).encode("latin-1") + body)
        if watch:
            return await self.stream(fault, target, server, reader, writer)
        status, head, answer = await self.answer(server[0])
        self.note(method, target, body, status)
        if fault == "504-applied":
            self.refuse(writer, 504)
        elif fault == "reset-after":
            raise Ended(hard=True)
        elif fault == "garbled":
            cut = len(answer) // 2
            writer.write(head + answer[:cut] + b"\x00}{" * ((len(answer) - cut) // 3 + 1))
            writer.write(b"")
            await writer.drain()
            raise Ended()
        elif fault == "slow":
            writer.write(head)
            for i in range(0, len(answer), max(1, len(answer) // 6)):
                await asyncio.sleep(SLOW_S / 6)
                writer.write(answer[i:i + max(1, len(answer) // 6)])
        else:
            writer.write(head + answer)
        await writer.drain()

    @staticmethod
    def refuse(writer, code):
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
                           "reason": REASONS[code], "message": "injected by the fault proxy"}).encode()
        more = "Retry-After: 1\r\n" if code == 429 else ""
        writer.write(f"HTTP/1.1 {code} x\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def answer(self, reader):
        """(status, head, body) of an answer, its body without chunks."""
        head = await reader.readuntil(b"\r\n\r\n")
        text = head.decode("latin-1")
        status = int(text.split(" ", 2)[1])
        length = re.search(r"\r\ncontent-length: *(\d+)", text, re.I)
        if length:
            return status, head, await reader.readexactly(int(length[1]))
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        text = re.sub(r"\r\ntransfer-encoding:[^\r]*", "", text, flags=re.I)
        return status, text[:-2].encode("latin-1") + f"Content-Length: {len(body)}\r\n\r\n".encode(), body

    def note(self, method, target, body, status):
        if method in ("PATCH", "PUT", "POST") and body:
            path, _, query = target.partition("?")
            log = self.log.setdefault(self.namespace(target), [])
            log.append({"n": len(log) + 1, "verb": method, "path": path, "query": query, "code": status, "body": json.loads(body)})

    async def stream(self, fault, target, server, reader, writer):
        """A watch, until either side ends it."""
        who = (self.namespace(target), target.partition("?")[0].rpartition("/")[2])
        self.watches.setdefault(who, set()).add(writer)
        event = None
        if fault == "410-in-200":
            event = json.dumps({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
                                                            "reason": "Expired", "message": "too old resource version"}})
        elif fault == "garbled":
            event = '{"type": "MODIFIED", "object": {"kind": "Pod", \x01'
        try:
            head = await server[0].readuntil(b"\r\n\r\n")
            if fault == "504-applied":
                self.refuse(writer, 504)
                await writer.drain()
                raise Ended()
            writer.write(head)
            if event:
                assert b"chunked" in head.lower(), head
                writer.write(f"{len(event) + 1:x}\r\n{event}\n\r\n0\r\n\r\n".encode())
                await writer.drain()
                raise Ended()
            if fault == "reset-after":
                await writer.drain()
                raise Ended(hard=True)
            await self.relay(fault, server[0], reader, writer)
            raise Ended()
        finally:
            self.watches[who].discard(writer)

    async def relay(self, fault, upstream, reader, writer):
        async def down():
            while bytes_ := await upstream.read(65536):
                if fault == "half-closed":
                    continue
                for i in range(0, len(bytes_), 200 if fault == "slow" else len(bytes_)):
                    writer.write(bytes_[i:i + 200] if fault == "slow" else bytes_)
                    await asyncio.sleep(0.02 if fault == "slow" else 0)
                await writer.drain()
        tasks = [asyncio.ensure_future(down()), asyncio.ensure_future(reader.read(1))]  # a client that watches says nothing
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        for task in done:
            with contextlib.suppress(ConnectionError):
                task.result()


async def main(host, port):
    proxy = Proxy(host, int(port))
    serving = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 24)
    controlled = await asyncio.start_server(proxy.control, "127.0.0.1", 0)
    print(serving.sockets[0].getsockname()[1], controlled.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # whoever began us has ended, or wants us to


# ---- what tests use ----

class FaultProxy:
    """Begins the process, and writes the kubeconfig beside the stack's own."""

    def __init__(self, stack):
        config = pathlib.Path(stack.env["KUBECONFIG"])
        text = config.read_text()
        host, port = re.search(r"server: *['\"]?https://([\d.]+):(\d+)", text).groups()
        self.process = subprocess.Popen([sys.executable, __file__, host, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        serving, controlled = self.process.stdout.readline().split()
        text = re.sub(r"server: *.*", f"server: http://127.0.0.1:{serving}", text)
        (config.parent / "faulty").write_text(re.sub(r" *certificate-authority(-data)?:.*\n", "", text))
        self.connection = socket.create_connection(("127.0.0.1", int(controlled)))
        self.lines = self.connection.makefile("rw")
        self.lock = threading.Lock()

    def tell(self, name, *arguments):
        with self.lock:
            self.lines.write(json.dumps([name, arguments]) + "\n")
            self.lines.flush()
            return json.loads(self.lines.readline())

    def arm(self, namespace, fault, method, path, spec=None):
        return self.tell("arm", namespace, fault, method, path, spec)

    def met(self, fault):
        return self.tell("met", fault)

    def disarm(self, fault):
        return self.tell("disarm", fault)

    def writes(self, namespace, since=0):
        return self.tell("writes", namespace, since)

    def cut_watch(self, namespace, plural):
        return self.tell("cut_watch", namespace, plural)

    def close(self):
        self.connection.close()
        self.process.stdin.close()
        self.process.wait(10)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
