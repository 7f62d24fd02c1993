"""This machine before a cluster is brought up."""

from __future__ import annotations

import pytest

from e2e.cluster.cli import cluster
from e2e.lifecycle.machine import Machine, machine


@pytest.fixture(scope="module")
def before() -> Machine:
    """This machine with no cluster on it."""
    cluster().down()
    cluster(control_plane=True).down()
    return machine()
