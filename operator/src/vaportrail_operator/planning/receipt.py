"""The receipt: what was made for a run, and when it was there, from what has been seen of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from vaportrail.contract.pod_messages import ReceiptEntry
from vaportrail.crd.status import ENTRY_LIMIT, Phase, ReceiptStatus
from vaportrail_operator.planning import times
from vaportrail_operator.planning.children.table import made_by_operator
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import base_name, sealer_name, tokens_name
from vaportrail_operator.planning.types import Component, Observed, SecretState

__all__ = ["entries_for_record", "entry", "last_removal", "ray_pods_entry", "receipt_of", "was_seen"]

_GROUPED = (Component.HEAD, Component.WORKER)


@dataclass(frozen=True, slots=True)
class _Observed:
    """Something that is there now."""

    object: str
    uid: str
    created: datetime
    count: int = 1


def receipt_of(observed: Observed) -> list[ReceiptStatus]:
    """Return the receipt so far: what is new is added, and what is no longer there is closed.

    Only of what is known to be the operator's making: the uids of a receipt are believed.

    What KubeRay makes of one kind is one entry, with the largest number there was at one time.
    """
    known = {each.object: each for each in observed.run.status.receipt}
    there = {each.object: each for each in _there(observed)}
    sealer = f"{Kind.POD}/{sealer_name(observed.run)}"
    # What is known is told to the sealer, and does not change any more, whatever turns up again.
    fixed = observed.run.status.phase == Phase.SEALING
    for name, seen in there.items():
        if name in known and fixed and name != sealer:
            continue
        if name in known or len(known) < ENTRY_LIMIT:
            known[name] = _updated(known.get(name), seen)
    # A look that still counts came after the last change: by then it was gone.
    look = observed.sweep_result
    gone = observed.now if look is None else min(observed.now, look.at)
    secret = f"{Kind.SECRET}/{tokens_name(observed.run)}"
    for name, each in known.items():
        # The Secret cannot be looked at; only its removal says that it is gone.
        unsure = name == secret and observed.secret is not SecretState.GONE
        if name not in there and not unsure and times.is_open(each.lifetime):
            created = times.begin(each.lifetime) or observed.now
            known[name] = each.model_copy(update={"lifetime": times.interval(created, gone)})
    return list(known.values())


def _there(observed: Observed) -> Iterator[_Observed]:
    cluster = base_name(observed.run)
    if observed.secret is SecretState.MADE:
        yield _Observed(f"{Kind.SECRET}/{tokens_name(observed.run)}", "", observed.now)
    run = observed.run
    of_kuberay: dict[Kind, list[datetime]] = {}
    for kind, each in observed.objects():
        if each.trusted and made_by_operator(run, kind, each.name):
            yield _Observed(f"{kind}/{each.name}", each.uid, each.created_at)
        elif each.trusted:
            of_kuberay.setdefault(kind, []).append(each.created_at)
    for kind, created in of_kuberay.items():
        yield from _group(f"{kind} of {cluster}", created)
    for pod in observed.pods:
        if pod.component not in _GROUPED and pod.trusted:
            yield _Observed(f"{Kind.POD}/{pod.name}", pod.uid, pod.created_at)
    yield from _group(_ray_pods(cluster), [pod.created_at for pod in observed.pods_of(*_GROUPED)])


def _ray_pods(cluster: str) -> str:
    return f"{Kind.POD} of {cluster}"


def _group(name: str, created: Sequence[datetime]) -> Iterator[_Observed]:
    if created:
        yield _Observed(name, "", min(created), len(created))


def _updated(known: ReceiptStatus | None, seen: _Observed) -> ReceiptStatus:
    if known is None:
        return ReceiptStatus(
            object=seen.object, uid=seen.uid, count=seen.count, lifetime=times.interval(seen.created)
        )
    first = times.begin(known.lifetime) or seen.created
    again = bool(known.uid) and known.uid != seen.uid
    return known.model_copy(
        update={
            "uid": seen.uid,
            "count": known.count + 1 if again else max(known.count, seen.count),
            "lifetime": times.interval(first),
        }
    )


def entry(receipt: Sequence[ReceiptStatus], kind: Kind, name: str) -> ReceiptStatus | None:
    """Return the entry of an object."""
    return next((each for each in receipt if each.object == f"{kind}/{name}"), None)


def ray_pods_entry(receipt: Sequence[ReceiptStatus], cluster: str) -> ReceiptStatus | None:
    """Return the entry of the pods that KubeRay made."""
    return next((each for each in receipt if each.object == _ray_pods(cluster)), None)


def was_seen(receipt: Sequence[ReceiptStatus], kind: Kind, name: str) -> bool:
    """Return whether an object has ever been seen."""
    return entry(receipt, kind, name) is not None


def last_removal(receipt: Sequence[ReceiptStatus]) -> datetime | None:
    """Return when the last object was seen to be gone; None if nothing has been."""
    return max((end for each in receipt if (end := times.end(each.lifetime))), default=None)


def entries_for_record(
    observed: Observed, receipt: Sequence[ReceiptStatus], seal: datetime | None
) -> list[ReceiptEntry]:
    """Return the receipt for the run's record as it was when the seal began; the sealer is not in it.

    Args:
        observed: what is seen.
        receipt: all of it.
        seal: when the seal began; what came or went later is not in the record, so that whoever asks for the
            sealer once more asks for the same.
    """
    sealer = f"{Kind.POD}/{sealer_name(observed.run)}"
    late = [each.object for each in receipt if _later(times.begin(each.lifetime), seal)]
    return [
        ReceiptEntry(
            object=each.object,
            uid=each.uid,
            count=max(1, each.count),
            created=each.lifetime.partition("/")[0],
            removed=_removal(each.lifetime, seal),
        )
        for each in receipt
        if each.object != sealer and each.object not in late
    ]


def _removal(lifetime: str, seal: datetime | None) -> str:
    still_there = times.is_open(lifetime) or _later(times.end(lifetime), seal)
    return "" if still_there else lifetime.partition("/")[2]


def _later(time: datetime | None, seal: datetime | None) -> bool:
    return time is not None and seal is not None and time > seal
