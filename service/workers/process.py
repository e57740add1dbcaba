"""The process that owns one model: LitServe starts and restarts it; its loop takes in, cancels, steps, sends.

One thread does it all, so that nothing is ever asked of a batcher before it has answered (how many threads an
engine takes is its own affair); a second only beats the heart, and a third, while a reload is under way,
loads the new engine beside the running one.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from litserve import LitAPI
from litserve.loops import LitLoop
from litserve.specs.base import LitSpec

from service.garbage import freeze_gc
from service.ipc import encode
from service.logs import configure_logging, drain_output, num_lines_dropped
from service.workers.batching import Batcher, Loader
from service.workers.failures import guarded_failure
from service.workers.messages import (
    Cancel,
    Event,
    FromWorker,
    Heartbeat,
    NotLoaded,
    Ready,
    Reload,
    Reloaded,
    Results,
    Starting,
    Submit,
    connect_worker,
    is_fault,
    is_last,
)

HEARTBEAT_SECONDS = 0.2

log = logging.getLogger("prospero.worker")


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker process is told at its start; must pickle, and load nothing when it does."""

    model: str
    socket_path: str
    log_format: str
    log_level: str
    load: Loader


class EngineAPI(LitAPI):
    """LitServe's handle on one worker. ``setup`` returns at once: the model loads in the loop, watched.

    LitServe would only serve HTTP once a model is loaded, and then knows of no state but "ready".
    """

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__(loop=EngineLoop(config), spec=EngineSpec(config.model))
        self.model = config.model

    def setup(self, device: str) -> None:
        self.device_name = device


class EngineSpec(LitSpec):
    """Keeps LitServe from adding a route of its own for a worker; our routes are ordinary FastAPI."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.api_path = f"/engines/{model}"

    @property
    def stream(self) -> bool:
        """True keeps LitServe from compressing every answer on the event loop."""
        return True


class EngineLoop(LitLoop):
    """LitServe's extension point for what runs inside a worker process."""

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__()
        self._config = config

    def run(self, lit_api: LitAPI, device: str, *_: Any, **__: Any) -> None:
        """Serve until the HTTP process goes away; then leave without ceremony."""
        configure_logging(self._config.log_format, self._config.log_level)
        # Signals may reach the whole process group, but stopping is the main process's to direct.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            Worker(self._config, device).run()
        except (EOFError, BrokenPipeError, ConnectionError):
            pass  # the HTTP process has ended, and so does this one
        except BaseException as error:
            log.critical("worker %s ends: %s", self._config.model, error, exc_info=error)
            drain_output()
            os._exit(1)
        drain_output()
        os._exit(0)  # LitServe would call run() again


class Worker:
    """Connects, loads, then loops: messages in, one step, results out."""

    def __init__(self, config: WorkerConfig, device: str) -> None:
        self._config = config
        self._device = device
        self._connection = connect_worker(config.socket_path)
        self._step_began: float | None = None
        # The current one, which takes requests in, and behind it those replaced by a reload, with work left.
        self._batchers: list[Batcher] = []
        self._owner: dict[int, Batcher] = {}
        self._reloaded: Batcher | str = ""  # what a reload came to: an engine, or why there is none
        self._reloading: threading.Thread | None = None

    def run(self) -> None:
        self._connection.send(Starting(self._config.model, os.getpid()))
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        self._batchers = [self._load()]
        freeze_gc()
        # From now on somebody may be waiting for this process, which ends when the HTTP process does.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._connection.send(self._ready(self._batchers[0]))
        while True:
            for message in self._connection.receive(self._wait_seconds()):
                self._handle(message)
            self._take_reloaded()
            self._step_all()
            self._let_go()

    def _load(self) -> Batcher:
        try:
            return self._load_wakeful()
        except (Exception, SystemExit) as error:
            self._connection.send(NotLoaded(str(error) or type(error).__name__))
            raise

    def _load_wakeful(self) -> Batcher:
        batcher = self._config.load(self._device)
        batcher.wake = self._connection.wake
        return batcher

    def _wait_seconds(self) -> float | None:
        waits = [wait for batcher in self._batchers if (wait := batcher.wait_seconds()) is not None]
        if self._reloading is not None:
            waits.append(0.05)
        wait = min(waits, default=math.inf)
        return None if wait == math.inf else wait

    def _handle(self, message: Submit | Cancel | Reload) -> None:
        match message:
            case Submit(key, request, stream, rank):
                refusal = self._batchers[0].admit(key, request, stream, rank)
                if refusal is None:
                    self._owner[key] = self._batchers[0]
                else:
                    self._send(Results((refusal,), 0, 0.0, 0))
                    if is_fault(refusal):
                        self._batchers[0].check()
            case Cancel(key):
                if (batcher := self._owner.pop(key, None)) is not None:
                    batcher.drop(key)
            case Reload():
                if self._reloading is None:
                    self._reloading = threading.Thread(target=self._load_again, name="reload", daemon=True)
                    self._reloading.start()

    def _step_all(self) -> None:
        for batcher in self._batchers:
            if batcher.wait_seconds() == 0.0:
                self._step(batcher)

    def _step(self, batcher: Batcher) -> None:
        self._step_began = time.monotonic()
        results = batcher.step()
        self._step_began = None
        if results is None:
            return
        has_fault = False
        for event in results.events:
            if is_last(event):
                self._owner.pop(event.key, None)
                has_fault = has_fault or is_fault(event)
        self._send(results)
        if has_fault:
            batcher.check()

    def _send(self, results: Results) -> None:
        """Send what a step gave; an event that no message can carry fails alone."""
        try:
            self._connection.send(results, urgent=bool(results.events))
        except OSError:
            raise  # the HTTP process has gone
        except Exception:
            for event in results.events:
                self._send_alone(event)
            self._connection.send(msgspec.structs.replace(results, events=()), urgent=False)

    def _send_alone(self, event: Event) -> None:
        try:
            self._connection.send(Results((event,), 0, 0.0, 0))
        except OSError:
            raise
        except Exception as error:
            if (batcher := self._owner.pop(event.key, None)) is not None:
                batcher.drop(event.key)
            failed = guarded_failure(event.key, error, "sending an answer")
            self._connection.send(Results((failed,), 0, 0.0, 0))

    def _beat(self) -> None:
        # Sends from its own thread, so that silence means a stopped or dead process and not a long step.
        with contextlib.suppress(OSError):
            while True:
                self._connection.send(Heartbeat(self._age(), num_lines_dropped()))
                time.sleep(HEARTBEAT_SECONDS)

    def _age(self) -> float:
        """Seconds since the oldest work under way began."""
        starts = [self._step_began, *(batcher.running_since() for batcher in self._batchers)]
        now = time.monotonic()
        return now - min((start for start in starts if start is not None), default=now)

    def _load_again(self) -> None:
        try:
            loaded = self._load_wakeful()
            encode(self._ready(loaded))  # one that can't even be described can't be swapped in
            self._reloaded = loaded
        except (Exception, SystemExit) as error:
            log.error("reload of %s failed: %s", self._config.model, error)
            self._reloaded = str(error) or type(error).__name__

    def _take_reloaded(self) -> None:
        if self._reloading is not None and not self._reloading.is_alive():
            self._reloading = None  # first: whoever hears how it ended may ask for the next one at once
            if isinstance(self._reloaded, str):
                self._connection.send(Reloaded(self._reloaded))
            else:
                self._batchers = [self._reloaded, *self._batchers]
                self._reloaded = ""
                self._connection.send(self._ready(self._batchers[0]))
                self._connection.send(Reloaded(None))

    def _let_go(self) -> None:
        """Forget what a reload replaced and has nothing left to do."""
        kept = [one for one in self._batchers[1:] if one.wait_seconds() is not None]
        if len(kept) < len(self._batchers) - 1:
            self._batchers[1:] = kept
            if not kept:
                freeze_gc()

    def _ready(self, batcher: Batcher) -> FromWorker:
        return Ready(batcher.capacity, batcher.warmup_seconds, batcher.description)
