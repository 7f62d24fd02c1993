"""What the program asks of this machine, and how it finds what is its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from e2e.cluster import golang, requirements
from e2e.cluster.cli import cluster, program
from e2e.cluster.components import Probe
from e2e.cluster.mounts import below
from e2e.cluster.processes import Started, start_time
from e2e.cluster.progress import Failed, command
from e2e.cluster.readiness import answers, await_true

MOUNTS = """\
22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw
80 22 0:50 / /state/kubelet/pods/1/volumes/token rw - tmpfs tmpfs rw
81 22 0:51 / /state/containerd/rootfs rw - overlay overlay rw
82 81 0:52 / /state/containerd/rootfs/a\\040folder rw - tmpfs tmpfs rw
83 22 0:53 / /statement rw - tmpfs tmpfs rw
"""


def test_mounts_below_a_folder_are_told_inner_first() -> None:
    assert below(Path("/state"), MOUNTS) == [
        "/state/containerd/rootfs/a folder",
        "/state/containerd/rootfs",
        "/state/kubelet/pods/1/volumes/token",
    ]


@pytest.mark.parametrize(
    ("effective", "missing"),
    [
        ("000001ffffffffff", []),
        ("0000000000000000", ["NET_ADMIN", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"]),
        ("000001ffffffefff", ["NET_ADMIN"]),
    ],
)
def test_missing_capabilities_are_named(effective: str, missing: list[str]) -> None:
    assert requirements.missing_capabilities(f"Name:\tsh\nCapEff:\t{effective}\n") == missing


def test_who_is_not_root_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(Failed, match=r"needs root, and this is uid 1000.*E2E_CLUSTER=kind"):
        requirements.install(requirements.CONTROL_PLANE)


def test_what_can_t_be_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(requirements, "missing_capabilities", lambda status: [])
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Failed, match="no apt-get to install it: a-package"):
        requirements.install({"a-program-that-is-nowhere": "a-package"})


def test_an_unknown_kind_of_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_CLUSTER", "minikube")

    with pytest.raises(Failed, match="E2E_CLUSTER=minikube is neither `native` nor `kind`"):
        cluster()


def test_kind_has_no_control_plane_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_CLUSTER", "kind")

    with pytest.raises(Failed, match="unset E2E_CLUSTER"):
        cluster(control_plane=True)


def test_a_cluster_that_is_not_there_has_a_status_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("E2E_STATE", str(tmp_path))

    told = CliRunner().invoke(program, ["status"])

    assert (told.exit_code, told.output) == (1, "there is no cluster\n")


def test_a_log_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("E2E_STATE", str(tmp_path))

    told = CliRunner().invoke(program, ["logs", "kubelet"])

    assert isinstance(told.exception, Failed)
    assert "there is no log of 'kubelet'" in str(told.exception)


def test_a_process_is_known_by_its_start_too() -> None:
    began = start_time(os.getpid())

    assert Started("me", os.getpid(), began).alive
    assert not Started("another with my pid", os.getpid(), "1").alive


def test_a_process_that_has_ended_is_not_alive() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    began = start_time(ended.pid)
    ended.wait()

    assert not Started("ended", ended.pid, began).alive


def test_a_failed_command_tells_its_words_its_code_and_its_last_lines() -> None:
    with pytest.raises(Failed, match=r"(?s)failed with 3: sh -c.*the reason"):
        command("sh", "-c", "echo the reason >&2; exit 3")


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(Failed, match="a-program-that-is-nowhere cannot be run: No such file"):
        command("a-program-that-is-nowhere")


def test_nobody_answers_where_nobody_listens() -> None:
    assert not answers(Probe("http://127.0.0.1:9/healthz"))


class Gone:
    """Components that have all ended."""

    def check(self, names: object) -> None:
        raise Failed("etcd has ended")

    def tail(self, name: str) -> str:
        return "its last words"


class Slow(Gone):
    """Components that live and are not ready."""

    def check(self, names: object) -> None:
        pass


def test_nobody_waits_for_a_component_that_has_ended() -> None:
    with pytest.raises(Failed, match="etcd has ended"):
        await_true("etcd", lambda: False, Gone(), ["etcd"], deadline=60)


def test_waiting_ends_with_the_component_s_last_words() -> None:
    with pytest.raises(Failed, match=r"(?s)etcd is not ready after 0 s.*its last words"):
        await_true("etcd", lambda: False, Slow(), ["etcd"], deadline=0)


def test_an_old_go_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.8\n")
    old.chmod(0o755)
    cached = tmp_path / "cache" / "go" / golang.TOOLCHAIN
    cached.mkdir(parents=True)
    monkeypatch.setenv("E2E_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(golang, "_installed", lambda: [old])

    assert golang.go() == cached / "bin" / "go"


def test_kind_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("E2E_CLUSTER", "kind")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Failed, match="E2E_CLUSTER=kind needs `docker`, which is not on the PATH"):
        cluster().up()
