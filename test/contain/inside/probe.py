"""Runs inside the agent: one thing that no well-behaved client does. Arguments: operation, JSON. Prints one line of JSON."""

import base64
import ctypes
import errno
import json
import os
import socket
import ssl
import struct
import sys
import time

PROXY = ("proxy", 8080)


def failure(error: Exception) -> str:
    """An error in a few words."""
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        return errno.errorcode[error.errno]
    return "timeout" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"[:120]


def read_all(stream, seconds: float, limit: int = 65536) -> bytes:
    """What comes until the end, silence or `limit` bytes."""
    data, end = b"", time.monotonic() + seconds
    while len(data) < limit and (left := end - time.monotonic()) > 0:
        stream.settimeout(left)
        try:
            more = stream.recv(65536)
        except OSError:
            break
        if not more:
            break
        data += more
        # One whole answer is enough.
        head, mark, body = data.partition(b"\r\n\r\n")
        if mark:
            lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if lengths and len(body) >= lengths[0]:
                break
    return data


def answer(data: bytes) -> dict:
    """Status of an HTTP answer (0: none) and its beginning."""
    words = data[:64].split(b" ")
    status = int(words[1]) if data.startswith(b"HTTP/") and len(words) > 1 and words[1][:3].isdigit() else 0
    return {"status": status, "text": data[:4096].decode("latin-1")}


def tcp(host: str, port: int, send: str = "", seconds: float = 3) -> dict:
    """Connects and sends; `greeting` is what came back."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as stream:
            stream.settimeout(seconds)
            address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
            stream.connect(address)
            stream.sendall(send.encode("latin-1"))
            return {"connected": True, "greeting": read_all(stream, seconds).decode("latin-1")[:200]}
    except OSError as error:
        return {"connected": False, "error": failure(error)}


def tcp_many(targets: list, send: str = "", seconds: float = 3) -> dict:
    """tcp to each [host, port], at once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(64) as pool:
        results = list(pool.map(lambda target: tcp(target[0], target[1], send, seconds), targets))
    return {"reached": [f"{t[0]}:{t[1]}" for t, r in zip(targets, results) if r["connected"]], "errors": sorted({r.get("error", "") for r in results if not r["connected"]})}


def udp(targets: list, send: str, broadcast: bool = False, seconds: float = 1.5) -> dict:
    """Sends a datagram (latin-1 text) to each [host, port]; `replies`: who answered."""
    replies, errors = [], set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if broadcast:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for host, port in targets:
            try:
                sock.sendto(send.encode("latin-1"), (host, port))
            except OSError as error:
                errors.add(failure(error))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                _, sender = sock.recvfrom(2048)
                replies.append(f"{sender[0]}:{sender[1]}")
            except OSError:
                break
    return {"reached": replies, "errors": sorted(errors)}


def icmp(targets: list, send: str) -> dict:
    """Echo requests by a datagram socket, which needs no capability; `reached`: who answered."""
    reached, errors = [], set()
    for host in targets:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sock:
                sock.settimeout(1)
                sock.sendto(struct.pack("!BBHHH", 8, 0, 0, 1, 1) + send.encode(), (host, 0))
                sock.recv(1024)
                reached.append(host)
        except OSError as error:
            errors.add(failure(error))
    return {"reached": reached, "errors": sorted(errors)}


def dns(name: str, servers: list, over: str = "udp", kind: int = 1) -> dict:
    """Asks each server; `codes`: its answer's RCODE and number of answers, or what failed."""
    query = struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0)
    query += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack("!HH", kind, 1)
    codes = {}
    for server in servers:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if over == "udp" else socket.SOCK_STREAM) as sock:
                sock.settimeout(3)
                sock.connect((server, 53))
                sock.send(query if over == "udp" else struct.pack("!H", len(query)) + query)
                reply = sock.recv(2048)[0 if over == "udp" else 2 :]
                codes[server] = f"rcode {reply[3] & 15}, {struct.unpack('!H', reply[6:8])[0]} answers"
        except OSError as error:
            codes[server] = failure(error)
    return {"codes": codes}


def proxy(send: str, seconds: float = 8, then: str = "", host: str = PROXY[0], port: int = PROXY[1]) -> dict:
    """Raw bytes (base64) to the proxy, and what it answers; `then`: more of them after that."""
    try:
        with socket.create_connection((host, port), 3) as stream:
            stream.sendall(base64.b64decode(send))
            first = answer(read_all(stream, seconds))
            if not then:
                return first
            stream.sendall(base64.b64decode(then))
            return {**answer(read_all(stream, seconds)), "first": first}
    except OSError as error:
        return {"status": 0, "text": failure(error)}


def tunnel(connect: str, send: str = "", sni: str | None = None, tls: bool = True, alpn: list | None = None, then: list | None = None, seconds: float = 8, verify: bool = False) -> dict:
    """CONNECT to `connect` (latin-1), TLS inside it, then raw bytes (base64): one answer for each of send and then."""
    try:
        with socket.create_connection(PROXY, 3) as stream:
            target = connect.encode("latin-1")
            stream.sendall(b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n")
            granted = answer(_head(stream, seconds))
            if granted["status"] != 200:
                return {**granted, "stage": "CONNECT"}
            if tls:
                context = ssl.create_default_context()
                if not verify:
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                if alpn:
                    context.set_alpn_protocols(alpn)
                stream.settimeout(seconds)
                stream = context.wrap_socket(stream, server_hostname=sni)
            chosen = stream.selected_alpn_protocol() if tls else None
            answers = []
            for part in [send, *(then or [])]:
                try:
                    stream.sendall(base64.b64decode(part))
                except OSError as error:
                    answers.append({"status": 0, "text": failure(error)})
                    break
                answers.append(answer(read_all(stream, seconds)))
            return {**answers[-1], "answers": answers, "alpn": chosen, "stage": "inside"}
    except OSError as error:
        return {"status": 0, "text": failure(error), "stage": "TLS"}


def _head(stream, seconds: float) -> bytes:
    """A head, byte by byte: nothing of what follows is taken."""
    data = b""
    stream.settimeout(seconds)
    while not data.endswith(b"\r\n\r\n"):
        more = stream.recv(1)
        if not more:
            break
        data += more
    return data


def sockets() -> dict:
    """Kinds of socket that get past IP, or make packets by hand: `made` ones, and why not the others."""
    kinds = {
        "raw IP": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
        "raw ICMP": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
        "packet, cooked": (socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300),
    }
    made, errors = [], {}
    for name, arguments in kinds.items():
        try:
            socket.socket(*arguments).close()
            made.append(name)
        except OSError as error:
            errors[name] = failure(error)
    return {"made": made, "errors": errors}


def vsock(port: int, send: str) -> dict:
    """The hypervisor's and the host's own sockets, where the host is a virtual machine."""
    reached, errors = [], set()
    for cid in (0, 1, 2):
        try:
            with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as sock:
                sock.settimeout(1)
                sock.connect((cid, port))
                sock.send(send.encode())
                reached.append(f"cid {cid}")
        except (OSError, AttributeError) as error:
            errors.add(failure(error))
    return {"reached": reached, "errors": sorted(errors)}


def network_change(gateway: str) -> dict:
    """A default route and a further address, by ioctl: what worked."""
    import fcntl

    def sockaddr(address: str) -> bytes:
        return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))

    done, errors = [], {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        # struct rtentry of linux/route.h on 64-bit: pad, dst, gateway, genmask, flags (UP|GATEWAY), …
        entry = struct.pack("=Q16s16s16sH6x", 0, sockaddr("0.0.0.0"), sockaddr(gateway), sockaddr("0.0.0.0"), 3) + bytes(72)
        for name, number, data in (("default route", 0x890B, entry), ("address", 0x8916, struct.pack("=16s16s8x", b"eth0", sockaddr("198.51.100.7")))):
            try:
                fcntl.ioctl(sock, number, bytearray(data))
                done.append(name)
            except OSError as error:
                errors[name] = failure(error)
    return {"done": done, "errors": errors}


LIBC = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments) -> str:
    """"done", or the error's name. Whatever was made is this process's own."""
    ctypes.set_errno(0)
    return "done" if function(*arguments) >= 0 else errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))


def kernel() -> dict:
    """System calls that a container must not be given, each in a child of its own."""
    os.makedirs("/tmp/contain", exist_ok=True)
    numbers = {
        "x86_64": {"bpf": 321, "perf_event_open": 298, "keyctl": 250, "open_by_handle_at": 304},
        "aarch64": {"bpf": 280, "perf_event_open": 241, "keyctl": 219, "open_by_handle_at": 265},
    }[os.uname().machine]
    calls = {
        "unshare(NEWUSER)": lambda: _call(LIBC.unshare, 0x10000000),
        "unshare(NEWNS)": lambda: _call(LIBC.unshare, 0x00020000),
        "unshare(NEWNET)": lambda: _call(LIBC.unshare, 0x40000000),
        "setns(self)": lambda: _call(LIBC.setns, os.open("/proc/self/ns/net", os.O_RDONLY), 0),
        "mount tmpfs": lambda: _call(LIBC.mount, b"none", b"/tmp/contain", b"tmpfs", 0, None),
        "mount cgroup": lambda: _call(LIBC.mount, b"cgroup", b"/tmp/contain", b"cgroup", 0, b"memory"),
        "mount proc": lambda: _call(LIBC.mount, b"proc", b"/tmp/contain", b"proc", 0, None),
        "mknod": lambda: _call(LIBC.mknod, b"/tmp/contain/sda", 0o60666, os.makedev(8, 0)),
        "chroot": lambda: _call(LIBC.chroot, b"/tmp/contain"),
        "setuid(0)": lambda: _call(LIBC.setuid, 0),
        "sethostname": lambda: _call(LIBC.sethostname, b"contain", 7),
        # Arguments that do nothing where the call is allowed.
        "bpf": lambda: _call(LIBC.syscall, numbers["bpf"], 0, ctypes.byref(ctypes.create_string_buffer(struct.pack("=IIII", 2, 4, 4, 1) + bytes(112))), 128),
        "perf_event_open": lambda: _call(LIBC.syscall, numbers["perf_event_open"], ctypes.byref(ctypes.create_string_buffer(struct.pack("=IIQ", 1, 112, 0) + bytes(96))), -1, 0, -1, 0),
        "keyctl(session)": lambda: _call(LIBC.syscall, numbers["keyctl"], 1, None),
        "open_by_handle_at": lambda: _call(LIBC.syscall, numbers["open_by_handle_at"], os.open("/", os.O_RDONLY), ctypes.byref(ctypes.create_string_buffer(struct.pack("=Ii", 8, 1) + struct.pack("=Q", 2))), 0),
    }
    results = {}
    for name, call in calls.items():
        reader, writer = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                os.write(writer, call().encode())
            except Exception as error:
                os.write(writer, failure(error).encode())
            os._exit(0)
        os.close(writer)
        results[name] = os.read(reader, 200).decode() or "killed"
        os.close(reader)
        os.waitpid(pid, 0)
    return {"done": [name for name, result in results.items() if result == "done"], "results": results}


def writable(paths: list) -> dict:
    """Which of these can be opened for writing. Nothing is written."""
    opened, errors = [], {}
    for path in paths:
        try:
            os.close(os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)))
            opened.append(path)
        except OSError as error:
            errors[path] = failure(error)
    return {"opened": opened, "errors": errors}


def hold(count: int, send: str, seconds: float, host: str = PROXY[0], port: int = PROXY[1]) -> dict:
    """Opens many connections to the proxy, sends on each (base64) and holds them."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    open_, failed, text = [], 0, base64.b64decode(send)
    for _ in range(count):
        try:
            stream = socket.create_connection((host, port), 3)
            stream.sendall(text)
            open_.append(stream)
        except OSError:
            failed += 1
    time.sleep(seconds)
    return {"opened": len(open_), "failed": failed}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))))
