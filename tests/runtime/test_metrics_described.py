"""Every metric is described, and what alerts go by is there."""

from __future__ import annotations

import re

import yaml
from prometheus_client.parser import text_string_to_metric_families

from conftest import REPOSITORY
from runtime.schedule_life import ScheduleLife
from vaportrail_operator.observation.schedules import kept_schedule
from vaportrail_operator.runtime.keys import ScheduleKey
from vaportrail_operator.runtime.metrics import Metrics, Readings
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue


def exported() -> set[str]:
    """Return the names of all series of our own, as Prometheus keeps them."""
    metrics, life = Metrics(), ScheduleLife()
    life.create()
    metrics.schedules.saw(ScheduleKey("team", "nightly"), kept_schedule(life.schedule).read().schedule)
    metrics.read_from(
        Readings(
            queue=WorkQueue(lambda: 0.0, Backoff(1.0, 1.0, lambda: 1.0)),
            leads=lambda: True,
            lease_left=lambda: 10.0,
            others=lambda: 0,
            unserved=lambda: {"team": 1},
            phases=list,
            watch_lag=lambda: {"Pod": 0.0},
        )
    )
    families = text_string_to_metric_families(metrics.text().decode())
    names = {sample.name for family in families for sample in family.samples}
    own = {name for name in names if name.startswith("vaportrail_") and not name.endswith("_created")}
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in own}


def test_the_page_describes_every_metric_and_no_other() -> None:
    page = (REPOSITORY / "docs/kubernetes.md").read_text()
    section = page.partition("### Health and metrics\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`(vaportrail_\w+)", row)}

    assert described == exported()


def test_alerts_go_by_metrics_that_there_are_and_say_what_to_do() -> None:
    (group,) = yaml.safe_load((REPOSITORY / "manifests/alerts.yaml").read_text())["groups"]

    for rule in group["rules"]:
        assert set(re.findall(r"vaportrail_\w+", rule["expr"])) <= exported()
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
