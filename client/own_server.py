"""A server for one command: started on a free port of this machine, ended with the command."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from client.connection import KEY_VARIABLE
from client.errors import ClientError, one_line

POLL_SECONDS = 0.1
END_SECONDS = 30.0


@asynccontextmanager
async def own_server() -> AsyncIterator[str]:
    """The address of ``python -m service``, with what PROSPERO_* says, once it is ready.

    Raises:
        ClientError: it didn't start, for the reason that it gave.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ["--host", "127.0.0.1", "--port", str(port), "--drain-delay-seconds", "0"]
    environment = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "service", *flags),
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the command, which ends it then
            preexec_fn=_end_with_parent,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            while not await _is_ready(url):
                if process.returncode is not None:
                    log.seek(0)
                    said = log.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
                    raise ClientError(one_line(f"the server didn't start: {said[-1]}"))
                await asyncio.sleep(POLL_SECONDS)
            yield url
        finally:
            await _end(process)


async def _is_ready(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(f"{url}/health", timeout=5)).status_code == 200
        except httpx.TransportError:
            return False


async def _end(process: asyncio.subprocess.Process) -> None:
    for end in (process.terminate, process.kill):
        if process.returncode is None:
            end()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), END_SECONDS)


def _end_with_parent() -> None:
    """A command that is killed takes its server along (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1: PR_SET_PDEATHSIG
