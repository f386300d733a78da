"""The process that makes reports: `python -m watchkeeper_monitor.evidence.child`.

It imports evidently once, which takes seconds and 300 MB, and then makes one report for each
job on stdin. With --no-network it ends as soon as anything in it opens a network socket or
starts another process that could, which is how a test knows that nothing does.
"""

from __future__ import annotations

import os
import socket
import sys
import warnings

from watchkeeper_monitor.evidence import jobs

NO_NETWORK = "--no-network"
_LEAVING = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.getaddrinfo",
        "subprocess.Popen",
        "os.exec",
        "os.fork",
        "os.posix_spawn",
        "os.system",
    }
)


def _forbid_network() -> None:
    """End the process at the first attempt, whoever makes it, wherever the error is caught.

    A pair of UNIX sockets, with which an event loop wakes itself up, leads nowhere.
    """

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        opens = event == "socket.__new__" and arguments[1] != socket.AF_UNIX
        if opens or event in _LEAVING:
            os._exit(70)

    sys.addaudithook(hook)


def main() -> None:
    """Answer jobs until stdin ends."""
    if NO_NETWORK in sys.argv:
        _forbid_network()
    # While it is imported, urllib3 opens a socket to see whether there is IPv6. Not here.
    socket.has_ipv6 = False
    # Libraries print and warn; none of it may end up between our messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    try:
        from watchkeeper_monitor.evidence import maker  # noqa: PLC0415 - seconds, and optional
    except ImportError as error:
        reason = f"{error}; the extra is missing: pip install 'watchkeeper[evidence]'"
        jobs.write(answers, jobs.Failed(reason, final=True))
        return
    jobs.write(answers, jobs.Started())
    while isinstance(job := jobs.read(sys.stdin.buffer), jobs.Job):
        jobs.write(answers, maker.make(job))


if __name__ == "__main__":
    main()
