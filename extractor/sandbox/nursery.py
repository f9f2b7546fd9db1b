"""The process that bears the children: it imports the reader once, then forks a ready child in a millisecond.

Started as ``python -m extractor.sandbox.nursery FD MODULE:FUNCTION LIMIT=NUMBER...``. It has one thread and no event
loop, so forking is safe. Over the control socket it is sent orders: to make a child at the other end of the attached
socket, or to kill one.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable

from extractor.models import PageFacts
from extractor.sandbox.frames import ORDER, Order, pack, receive

ReadPage = Callable[..., PageFacts]

_PR_SET_PDEATHSIG = 1
_REAP_SECONDS = 1.0


def main() -> None:
    """Serve the control socket until the other side closes it, then take the children along."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _die_with_parent(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is for the parent to handle
    read_page = _reader(sys.argv[2])  # imported and warmed up once, before the first fork
    limits = {key: int(value) for key, value in (word.split("=") for word in sys.argv[3:])}
    gc.freeze()  # keeps the shared pages shared
    children: set[int] = set()
    control.settimeout(_REAP_SECONDS)
    while True:
        _reap(children)
        try:
            message, descriptors, _, _ = socket.recv_fds(control, ORDER.size, 1)
        except TimeoutError:
            continue
        if len(message) < ORDER.size:
            break
        order, pid = ORDER.unpack(message)
        if order == Order.FORK:
            children.add(_fork(control, descriptors[0], read_page, limits))
        elif pid in children:
            # Only what was born here and is not reaped yet: a number may belong to somebody else by now.
            os.kill(pid, signal.SIGKILL)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _reap(children: set[int]) -> None:
    for pid in list(children):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                children.discard(pid)


def _reader(name: str) -> ReadPage:
    module_name, _, function = name.partition(":")
    module = importlib.import_module(module_name)
    if warm_up := getattr(module, "warm_up", None):
        warm_up()
    found: ReadPage = getattr(module, function)
    return found


def _fork(control: socket.socket, descriptor: int, read_page: ReadPage, limits: dict[str, int]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return pid
    status = 1
    try:
        control.close()
        _die_with_parent(parent)
        _serve(socket.socket(fileno=descriptor), read_page, limits)
        status = 0
    finally:
        os._exit(status)
    raise AssertionError


def _serve(connection: socket.socket, read_page: ReadPage, limits: dict[str, int]) -> None:
    """Read pages until the pool closes the connection."""
    connection.setblocking(True)
    _cap(limits)
    connection.sendall(pack({"pid": os.getpid()}))
    while True:
        try:
            request, body = receive(connection)
        except (EOFError, ConnectionError):
            return
        _allow_cpu(limits["cpu_seconds"])
        facts = read_page(body, url=request["url"], status=request["status"], headers=request["headers"])
        text = facts.model_dump_json(exclude_defaults=True).encode("utf-8", "replace")
        connection.sendall(pack({"ok": True}, text))


def _cap(limits: dict[str, int]) -> None:
    size = limits["memory_bytes"] + _address_space()
    with contextlib.nullcontext() if sys.platform == "linux" else contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has no business writing files


def _address_space() -> int:
    """What the process has mapped already, so that the limit counts the page alone."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 512 * 1024 * 1024


def _allow_cpu(seconds: int) -> None:
    """From now on this many seconds of CPU, then SIGXCPU ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, hard))


def _die_with_parent(parent: int) -> None:
    """Be killed when the parent is, however it ends; where the kernel cannot, the closed socket ends an idle child."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the request took effect
            os._exit(1)


if __name__ == "__main__":
    main()
