"""The lab's runs: made, watched, steered and ended; capped in number, and each of a bounded life.

A run trains only while somebody watches. It ends when its viewer has left and stayed away, when nobody ever
came, when its time is up, when the server drains, or when the lab's process is lost.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time

import msgspec

from models.lab.config import LabConfig
from service.errors import ApiError
from service.lab.messages import (
    Control,
    Create,
    Ended,
    Forget,
    Frame,
    FromLab,
    Seen,
    Started,
    ToLab,
    Unwatch,
    Watch,
)
from service.lab.process import LabProcess
from service.lab.schemas import MAX_SPEED, LabControl, LabRun, Train
from service.lifecycle import Lifecycle, Phase
from service.metrics import LabMetrics
from service.settings import Settings

log = logging.getLogger("prospero.lab")

TICK_SECONDS = 0.2
PROCESS_IDLE_SECONDS = 30.0  # without a run, after which the lab's process is ended and its memory freed


class Watcher:
    """One viewer's mailbox: bodies of events as they come, and the reason as the last."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.mailbox: asyncio.Queue[bytes] = asyncio.Queue()  # two at most: a frame waits for `seen`
        self.has_ended = False

    def end(self, reason: str) -> None:
        self.has_ended = True
        self.mailbox.put_nowait(msgspec.json.encode({"type": "end", "reason": reason}))


class Run:
    """A run as the HTTP process knows it."""

    def __init__(self, config: LabConfig, life: float, idle: float) -> None:
        now = time.monotonic()
        self.id = secrets.token_urlsafe(9)
        self.config = config
        self.watcher: Watcher | None = None
        self.ends_at = now + life
        self.given_up_at = now + idle  # unless a viewer comes
        self.step = self.generator_updates = self.discriminator_updates = 0
        self.is_paused = False
        self.speed = MAX_SPEED
        self.train: Train = "both"

    def seconds_left(self) -> float:
        ends_at = self.ends_at if self.watcher is not None else min(self.ends_at, self.given_up_at)
        return max(0.0, ends_at - time.monotonic())

    def describe(self) -> LabRun:
        state = "paused" if self.is_paused else "waiting" if self.watcher is None else "running"
        return LabRun(
            id=self.id,
            config=self.config,
            state=state,
            step=self.step,
            generator_updates=self.generator_updates,
            discriminator_updates=self.discriminator_updates,
            paused=self.is_paused,
            speed=self.speed,
            train=self.train,
            seconds_left=round(self.seconds_left(), 1),
        )


class LabRuns:
    """All runs, and the process that trains them."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, metrics: LabMetrics) -> None:
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._runs: dict[str, Run] = {}
        metrics.active.set_function(lambda: len(self._runs))
        self._process: LabProcess | None = None
        self._cpu_seconds, self._lines_dropped = 0.0, 0  # of the process, as last heard
        self._starting = asyncio.Lock()
        self._warden: asyncio.Task[None] | None = None

    async def create(self, config: LabConfig) -> Run:
        """Raises ApiError 429 when there are as many runs as may be, 503 when draining, 404 without a lab."""
        settings = self._settings
        if not settings.lab_runs:
            raise ApiError(404, "the lab is switched off")
        if self._lifecycle.phase is not Phase.SERVING:
            raise ApiError(503, "the server is shutting down", retry_after=5)
        if len(self._runs) >= settings.lab_runs:
            self._metrics.refused.inc()
            soonest = min(run.seconds_left() for run in self._runs.values())
            raise ApiError(
                429,
                f"the lab has room for {settings.lab_runs} runs at once",
                retry_after=min(60, max(1, math.ceil(soonest))),
            )
        run = Run(config, settings.lab_life_seconds, settings.lab_idle_seconds)
        self._runs[run.id] = run  # at once, so that nobody else takes its place while the process starts
        try:
            process = await self._running_process()
            process.send(Create(run.id, config.model_dump_json().encode()))
        except BaseException as error:  # a client that left, too
            self._runs.pop(run.id, None)
            if not isinstance(error, OSError):
                raise
            log.error("the lab can't be started: %s", error)
            raise ApiError(503, "the lab can't be started now", retry_after=5) from None
        self._metrics.started.inc()
        return run

    def find(self, run_id: str) -> Run:
        """Raises ApiError 404 for a run that never was, or has ended."""
        run = self._runs.get(run_id)
        if run is None:
            raise ApiError(404, "unknown run, or one that has ended")
        return run

    def control(self, run: Run, change: LabControl) -> None:
        if change.paused is not None:
            run.is_paused = change.paused
        if change.steps is not None:
            run.is_paused = False
        run.speed = run.speed if change.speed is None else float(change.speed)
        run.train = change.train or run.train
        self._send(Control(run.id, change.paused, change.steps, change.speed, change.train))

    def watch(self, run: Run) -> Watcher:
        """Give a run its viewer; one that it already has is shown out."""
        if run.watcher is not None:
            run.watcher.end("another viewer has taken over")
        run.watcher = Watcher(run)
        self._send(Watch(run.id))
        return run.watcher

    def seen(self, watcher: Watcher) -> None:
        """The viewer has been sent what it was given: it may have more."""
        if watcher.run.watcher is watcher:
            self._send(Seen(watcher.run.id))

    def leave(self, watcher: Watcher) -> None:
        """A viewer has gone: the run holds still, and ends unless one comes back soon."""
        run = watcher.run
        if run.watcher is watcher:
            run.watcher = None
            run.given_up_at = time.monotonic() + self._settings.lab_grace_seconds
            self._send(Unwatch(run.id))

    def end(self, run: Run, cause: str, reason: str) -> None:
        """End a run: ``cause`` is counted, ``reason`` is told to whoever watches."""
        if self._runs.pop(run.id, None) is None:
            return
        self._metrics.ended.labels(cause).inc()
        self._send(Forget(run.id))
        if run.watcher is not None:
            run.watcher.end(reason)
        log.info("lab run ended", extra={"fields": {"run": run.id, "step": run.step, "reason": reason}})

    # ---- within ----------------------------------------------------------------------------------------

    def _send(self, message: ToLab) -> None:
        if self._process is not None:
            self._process.send(message)

    async def _running_process(self) -> LabProcess:
        async with self._starting:
            if self._process is None:
                settings = self._settings
                process = LabProcess(self._on_message, self._on_process_end)
                rate = str(settings.lab_frames_per_second)
                await process.start(rate, settings.log_format, settings.log_level)
                self._process, self._cpu_seconds, self._lines_dropped = process, 0.0, 0
            if self._warden is None or self._warden.done():
                self._warden = asyncio.create_task(self._watch_over())
                self._lifecycle.watch(self._warden, "the lab's warden")
            return self._process

    def _on_message(self, message: FromLab) -> None:
        if isinstance(message, Frame):
            self._metrics.cpu_seconds.inc(message.cpu_seconds - self._cpu_seconds)
            self._metrics.lines_dropped += message.lines_dropped - self._lines_dropped
            self._cpu_seconds, self._lines_dropped = message.cpu_seconds, message.lines_dropped
        run = self._runs.get(message.run)
        if run is None:
            return  # it ended while the message was on its way
        if isinstance(message, Ended):
            self.end(run, message.cause, message.reason)
            return
        if isinstance(message, Frame):
            self._metrics.steps.inc(message.step - run.step)
            run.step, run.is_paused = message.step, message.paused
            run.generator_updates = message.generator_updates
            run.discriminator_updates = message.discriminator_updates
        assert isinstance(message, Started | Frame)
        if run.watcher is not None:
            run.watcher.mailbox.put_nowait(message.body)

    def _on_process_end(self, process: LabProcess) -> None:
        if process is not self._process:
            return
        self._process = None
        for run in list(self._runs.values()):
            self.end(run, "lost", "the lab's process was lost")

    async def _watch_over(self) -> None:
        """Lives as long as the lab's process: nothing runs, and no timer ticks, while nobody uses the lab."""
        last_used = time.monotonic()
        while self._process is not None:
            await asyncio.sleep(TICK_SECONDS)
            now, draining = time.monotonic(), self._lifecycle.phase is not Phase.SERVING
            for run in list(self._runs.values()):
                if draining:
                    self.end(run, "draining", "the server is shutting down")
                elif now >= run.ends_at:
                    self.end(run, "time_up", "its time is up")
                elif run.seconds_left() == 0:
                    self.end(run, "unwatched", "nobody watches")
            last_used = now if self._runs else last_used
            if draining or now - last_used > PROCESS_IDLE_SECONDS:
                self._stop_process()

    def _stop_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()
