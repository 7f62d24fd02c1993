"""Ray Core behind the executor: one attempt is one Ray task, or several quick ones are."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from vaportrail.authoring.options import TaskOptions
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import REQUEST_VARIABLE, WORKER_RESOURCE
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import InternalError, OptionError, TaskFailed
from vaportrail.execution.attempt import AttemptReport, AttemptSpec, stack_file
from vaportrail.execution.attempt_cancellation import cancel_marker
from vaportrail.execution.backend import AttemptEnd, Running
from vaportrail.execution.bundle import HandedOver
from vaportrail.execution.deadline import AttemptTimedOut
from vaportrail.execution.pace import Pace
from vaportrail.execution.packed_attempt import is_quick, pack_attempt, pack_kind, read_report, run_packed
from vaportrail.execution.packed_bundle import run_bundle
from vaportrail.execution.plain_value import PlainValue
from vaportrail.execution.ray_bundles import Bundles
from vaportrail.execution.ray_errors import end_from_ray_error, failure_of, original, plain
from vaportrail.execution.ray_reports import Reports
from vaportrail.execution.stacks import find_stacks, read_stacks

__all__ = ["RayBackend", "ray_options"]

_LOOK_SECONDS: Final = 5.0
_SMALL: Final = 1 << 14
"""Bytes of an attempt that may be handed over with others."""
_KINDS: Final = 256
"""How many kinds of attempts are kept: a body may make options anew for each call."""
_LEAST: Final = 0.0001
"""Of a resource; Ray counts no less."""


class RayBackend:
    """Attempts as Ray tasks, with Ray's own retries off: no task of Ray's runs an attempt twice.

    Args:
        settings: the run.
        complete: whether all of Ray's nodes are there already; only then can a task be refused for
            what it asks.
    """

    def __init__(self, settings: RunSettings, *, complete: bool = True) -> None:
        import ray

        self._ray = ray
        self._settings = settings
        once = {"num_returns": 2, "max_retries": 0, "retry_exceptions": False}
        function = _attempts_of(settings.to_json())
        self._remote = ray.remote(**once)(function)
        # Ray takes this only where the function is made remote, not among a call's options.
        self._isolated = ray.remote(**once, max_calls=1)(function)
        self._has_workers = REQUEST_VARIABLE in os.environ
        self._kinds: OrderedDict[tuple[int, bytes], _Kind] = OrderedDict()
        self._reports = Reports(ray)
        self._bundled = ray.remote(num_returns="streaming", max_retries=0)(_bundles_of(settings.to_json()))
        self._bundles: dict[float, Bundles] = {}
        self._forced: set[tuple[str, int]] = set()
        self._seen: tuple[float, list[dict[str, float]]] = (-math.inf, [])
        self._offered: dict[str, float] | None = ray.cluster_resources() if complete else None

    def start(
        self,
        spec: AttemptSpec,
        options: TaskOptions,
        payload: bytes,
        inputs: list[Any],
        on_end: Callable[[AttemptEnd], None],
    ) -> Running:
        kind = self._kind(spec, options)
        bundles = self._bundles_for(options)
        if bundles is not None and len(payload) + len(kind.packed) <= _SMALL:
            attempt = HandedOver(
                spec, kind.remote, kind.packed, kind.pace, payload, inputs, on_end, options.cpus
            )
            running = attempt.running = Running(spec, attempt, None)
            bundles.put(attempt)
            return running
        if (before := self._bundles.get(options.cpus)) is not None:
            before.hand_over(everything=True)
        report, value = kind.remote.remote(*pack_attempt(kind.packed, spec, payload, inputs))
        try:
            self._reports.expect(report, lambda get: self._landed(spec, kind.pace, get, on_end))
        except BaseException:
            self._ray.cancel(report, force=True)  # nobody would hear of it
            raise
        return Running(spec, report, value)

    def hand_over(self) -> None:
        for bundles in list(self._bundles.values()):
            bundles.hand_over()

    def cpus(self) -> float:
        if self._offered is not None:
            return self._offered.get("CPU", 0.0)
        return sum(node.get("CPU", 0.0) for node in self._nodes())

    def hindrance(self, options: TaskOptions) -> str:
        if self._offered is not None:
            return ""  # `start` refuses it
        wanted = _wanted(options)
        nodes = self._nodes()
        if any(all(node.get(name, 0.0) >= amount for name, amount in wanted.items()) for node in nodes):
            return ""
        asked = ", ".join(f"{amount:g} of {name}" for name, amount in wanted.items() if amount)
        return f"it asks for {asked}, and none of the {len(nodes)} nodes of this cluster has so much"

    def stop(self, running: Running, *, force: bool) -> None:
        spec, report = running.spec, running.report
        marker = Path(cancel_marker(self._settings.spool, spec.task_id, spec.attempt))
        if force:
            self._forced.add((spec.task_id, spec.attempt))
        if isinstance(report, HandedOver):
            self._bundles[report.cpus].stop(report, force=force, interrupt=marker.touch)
            return
        try:
            marker.touch()
        finally:  # on a full disk Ray's own way is left
            self._ray.cancel(report, force=force, recursive=True)

    def close(self) -> None:
        self._reports.close()

    def fetch(self, running: Running) -> Any:
        exceptions = self._ray.exceptions
        if isinstance(running.value, PlainValue):
            return running.value.load()
        try:
            return self._ray.get(running.value)
        except (exceptions.ObjectLostError, exceptions.NodeDiedError) as error:
            failure = failure_of(error, plain(error))
            raise TaskFailed(running.spec.task_id, Outcome.VALUE_LOST, failure) from None
        except exceptions.RayError as error:
            raise original(error) from None

    def _nodes(self) -> list[dict[str, float]]:
        """Return what each node offers, as it was a few seconds ago at most."""
        looked, nodes = self._seen
        if time.monotonic() - looked > _LOOK_SECONDS:
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._seen = (time.monotonic(), nodes)
        return nodes

    def _check_fits(self, options: TaskOptions) -> None:
        """Refuse what this Ray can never offer: it would let the task wait for ever, in silence."""
        if self._offered is None:
            return
        for name, amount in _wanted(options).items():
            offered = self._offered.get(name, 0.0)
            if amount > offered:
                raise OptionError(
                    f"it asks for {amount:g} of {name}, of which this Ray has {offered:g} in all; "
                    "ask for less, or run it where there is more"
                )

    def _kind(self, spec: AttemptSpec, options: TaskOptions) -> _Kind:
        """Return what all attempts with these options and this function are started by, made once."""
        key = (id(options), spec.function)
        kind = self._kinds.get(key)
        if kind is None:
            self._check_fits(options)
            kind = self._kinds[key] = _Kind(options, self._with_options(options), pack_kind(spec), Pace())
            if len(self._kinds) > _KINDS:
                self._kinds.popitem(last=False)
        return kind

    def _bundles_for(self, options: TaskOptions) -> Bundles | None:
        """Return what hands over attempts with these options, where that may be several as one."""
        # Whether one has begun is asked of a file, which must be on this machine.
        if self._offered is None or not _is_simple(options):
            return None
        found = self._bundles.get(options.cpus)
        if found is None:
            found = self._bundles[options.cpus] = Bundles(
                self._ray,
                self._bundled.options(num_cpus=options.cpus),
                self._reports,
                lambda attempt, get: self._landed(attempt.spec, attempt.pace, get, attempt.on_end),
                os.path.join(self._settings.spool, f"{len(self._bundles)}"),
                slots=int(self._offered.get("CPU", 0.0) / options.cpus),
            )
        return found

    def _with_options(self, options: TaskOptions) -> Any:
        chosen = ray_options(options, has_workers=self._has_workers)
        return (self._isolated if options.isolate else self._remote).options(**chosen)

    def _landed(
        self, spec: AttemptSpec, pace: Pace, get: Callable[[], bytes], on_end: Callable[[AttemptEnd], None]
    ) -> None:
        """Take an attempt's end from Ray, in the thread that waits for all of them: it raises nothing."""
        try:
            try:
                report = get()
            except BaseException as error:
                pace.was_lost()
                if spec.timeout is not None and isinstance(error, self._ray.exceptions.WorkerCrashedError):
                    # Nodes are asked, which this thread must not wait for.
                    look = threading.Thread(
                        target=self._look_for_limit, args=(spec, error, on_end), daemon=True
                    )
                    look.start()
                    return
                end = end_from_ray_error(error, forced=self._is_forced(spec))
            else:
                _learn(pace, report)
                end = self._self_reported_end(read_report(report))
        except BaseException as fault:
            end = AttemptEnd.refused(InternalError.of(fault))
        on_end(end)

    def _self_reported_end(self, report: AttemptReport) -> AttemptEnd:
        return AttemptEnd(
            report.outcome,
            report.failure,
            report.error or None,
            self_reported=report.recorded,
            retryable=report.retryable,
        )

    def _look_for_limit(
        self, spec: AttemptSpec, error: BaseException, on_end: Callable[[AttemptEnd], None]
    ) -> None:
        """Tell of an attempt with a time limit whose process ended without a word: was it that?"""
        try:
            end = self._limit_end(spec) or end_from_ray_error(error, forced=self._is_forced(spec))
        except BaseException as fault:
            end = AttemptEnd.refused(InternalError.of(fault))
        on_end(end)

    def _is_forced(self, spec: AttemptSpec) -> bool:
        return (spec.task_id, spec.attempt) in self._forced

    def _limit_end(self, spec: AttemptSpec) -> AttemptEnd | None:
        path = stack_file(self._settings.spool, spec.task_id, spec.attempt)
        try:
            stacks = read_stacks(path) if self._offered is not None else find_stacks(path)
        except Exception:  # Ray itself is going
            return None
        if not stacks:
            return None
        message = f"ran longer than its timeout of {spec.timeout:g} s and did not hear the signal"
        failure = failure_of(AttemptTimedOut(), message, stacks)
        return AttemptEnd(Outcome.TIMED_OUT, failure, self_reported=False)


class _Kind(NamedTuple):
    """What attempts have in common."""

    options: TaskOptions
    """Held: the next object at the place of one that is gone has its id."""
    remote: Any
    packed: bytes
    pace: Pace


def _attempts_of(settings_json: str) -> Callable[..., Any]:
    """Return the function that a run gives to Ray: with its settings, which so travel to a worker once."""

    # Ray makes a signature of the parameters at each call, which costs by how many there are.
    def run_attempt(*packed_and_values: Any) -> tuple[bytes, Any]:
        return run_packed(settings_json, *packed_and_values)

    return run_attempt


def ray_options(options: TaskOptions, *, has_workers: bool) -> dict[str, Any]:
    """Return what Ray is asked for an attempt.

    Args:
        options: the task's.
        has_workers: whether tasks may run on those nodes only that offer `WORKER_RESOURCE`.
    """
    chosen: dict[str, Any] = {"num_cpus": options.cpus}
    if options.gpus:
        chosen["num_gpus"] = options.gpus
    if options.memory:
        chosen["memory"] = options.memory
    if options.resources:
        chosen["resources"] = dict(options.resources)
    if has_workers and not any(_wanted(options).values()):
        # Ray would take any node for it: the head, which has no keys of the record's store.
        chosen["resources"] = {WORKER_RESOURCE: _LEAST}
    if options.runtime_env:
        chosen["runtime_env"] = dict(options.runtime_env)
    return chosen


def _bundles_of(settings_json: str) -> Callable[..., Any]:
    """Return the function by which a run gives several attempts to Ray as one."""

    def run_attempts(*packed_and_values: Any) -> Iterator[Any]:
        yield from run_bundle(settings_json, *packed_and_values)

    return run_attempts


def _is_simple(options: TaskOptions) -> bool:
    """Return whether attempts ask for no more than CPUs, and none needs a process of its own."""
    more = options.gpus or options.memory or options.resources or options.runtime_env or options.isolate
    return options.cpus > 0 and not more


def _learn(pace: Pace, report: bytes) -> None:
    quick = is_quick(report)
    if quick:
        pace.was_quick()
    elif quick is not None:
        pace.was_slow()


def _wanted(options: TaskOptions) -> dict[str, float]:
    return {"CPU": options.cpus, "GPU": options.gpus, "memory": options.memory, **options.resources}
