"""What a request knows of its run, which all that stands in its record root is held against.

Pure. Anybody with the store's key may have written what stands there. But nobody who wrote it before the
run's end could know the operator's word, which says when all of the run was made and removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from vaportrail.contract.run_identity import RunSettings
from vaportrail.record.manifest import ReceiptEntry, TimelineEntry
from vaportrail.record.run_facts import Facts
from vaportrail.record.seal.operator_report import OperatorReport
from vaportrail.record.sound import Unsound
from vaportrail.record.times import rfc3339

__all__ = ["Expected", "check_record", "check_report", "check_settings"]

_SHOWN: Final = 60
_REDACTED: Final = re.compile(r"\[redacted:[^\]]*\]")
_OF_THE_SEALER: Final = "operator_version"
"""An operator may have been replaced by the next version between two sealers."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a sealer was asked for.

    Attributes:
        settings: the run, its root in its one form.
        report: the operator's word; None where somebody seals by hand, who has none.
        plan_sha256: of the plan that an earlier sealer told the operator of; no other counts then.
    """

    settings: RunSettings
    report: OperatorReport | None
    plan_sha256: str = ""


def check_settings(said: RunSettings, expected: Expected) -> None:
    """See that what a runner left word of is the run that was asked for.

    The values of parameters are the runner's to say: only it knows which are hidden, and what type they have.

    Raises:
        Unsound: it is not.
    """
    known = expected.settings
    _same_name(said.identity.name, known.identity.name)
    _same("pipeline", said.identity.pipeline, known.identity.pipeline)
    _same("creation", said.identity.created_unix_nano, known.identity.created_unix_nano)
    _same("path", said.path, known.path)
    if expected.report is not None:
        _same("root", said.root, known.root)
    if missing := known.identity.parameters.keys() - said.identity.parameters.keys():
        raise Unsound(f"it says nothing of the parameter {_shown(min(missing))}")


def check_report(said: OperatorReport, known: OperatorReport) -> None:
    """See that a plan's word is the operator's.

    Raises:
        Unsound: it is not.
    """
    said, known = _comparable(said), _comparable(known)
    for name in OperatorReport.model_fields:
        _same(name.replace("_", " "), getattr(said, name), getattr(known, name))


def check_record(facts: Facts, expected: Expected) -> None:
    """See that a record is of the run that was asked for, and says of it what the operator says.

    Of the timeline and the receipt all that the operator says must be there, and there may be more: the
    run tells of its own moments.

    Raises:
        Unsound: it is not.
    """
    run, known, report = facts.run, expected.settings.identity, expected.report
    if run.uid != known.uid:
        raise Unsound(f"it is of run {run.uid[:_SHOWN]}, not of {known.uid}")
    _same("pipeline", run.pipeline, known.pipeline)
    _same_name(run.name, known.name)
    _same("creation", run.created, rfc3339(known.created_unix_nano))
    if report is None:
        return
    said, asked = dict(facts.environment), _comparable(report).environment
    for name in sorted(asked):
        _same(name.replace("_", " "), said.get(name), asked[name])
    timeline, receipt = _timeline(report), _receipt(report)
    there = {(entry.name, entry.time, entry.end) for entry in facts.timeline}
    for interval in timeline:
        if (interval.name, interval.time, interval.end) not in there:
            raise Unsound(f"its timeline has no such {interval.name} as the run's")
    gone = list(facts.receipt)
    for entry in receipt:
        if entry not in gone:
            raise Unsound(f"its receipt does not say of {entry.object[:_SHOWN]} what the run's does")


def _comparable(report: OperatorReport) -> OperatorReport:
    environment = {name: value for name, value in report.environment.items() if name != _OF_THE_SEALER}
    return report.model_copy(update={"environment": environment})


def _timeline(report: OperatorReport) -> list[TimelineEntry]:
    return [
        TimelineEntry(name=each.name, time=rfc3339(each.start_unix_nano), end=rfc3339(each.end_unix_nano))
        for each in report.timeline
    ]


def _receipt(report: OperatorReport) -> list[ReceiptEntry]:
    return [
        ReceiptEntry(
            object=each.object,
            uid=each.uid,
            count=each.count,
            created=rfc3339(each.created_unix_nano),
            removed=rfc3339(each.removed_unix_nano) if each.removed_unix_nano else "",
        )
        for each in report.receipt
    ]


def _same(what: str, said: object, known: object) -> None:
    if said != known:
        raise Unsound(f"its {what} is {_shown(said)}, not {_shown(known)}")


def _same_name(said: str, known: str) -> None:
    # A runner takes its secrets out of all that it says, also out of a name.
    pieces = map(re.escape, _REDACTED.split(said))
    if re.fullmatch(".+".join(pieces), known) is None:
        _same("name", said, known)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
