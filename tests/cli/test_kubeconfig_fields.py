"""Every field of a kubeconfig is honoured, has no meaning for a request, or is refused by its name."""

from __future__ import annotations

import base64
import json
import ssl
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.https_servers import Asked, Certificates, api_server_stand_in, make_certificates, proxy

from once import once
from vaportrail.errors import UsageError, VaportrailError
from vaportrail.submit.kubernetes_api import PipelineRuns

# The types of client-go, tools/clientcmd/api/v1.
SCHEMA = {
    "config": "apiVersion kind preferences clusters users contexts current-context extensions",
    "cluster": "server tls-server-name insecure-skip-tls-verify certificate-authority "
    "certificate-authority-data proxy-url disable-compression extensions",
    "user": "client-certificate client-certificate-data client-key client-key-data token tokenFile as as-uid "
    "as-groups as-user-extra username password auth-provider exec extensions",
    "context": "cluster user namespace extensions",
    "exec": "command args env apiVersion installHint provideClusterInfo interactiveMode",
    "auth-provider": "name config",
}


@dataclass
class World:
    """A server, its certificates, a place for a kubeconfig, and one that leads there."""

    server: str
    asked: Asked
    certificates: Certificates
    folder: Path

    def config(self, **said: dict[str, Any]) -> dict[str, Any]:
        """Return a kubeconfig with more (or, by None, fewer) fields of the kinds in `SCHEMA`."""
        cluster = {
            "server": self.server,
            "certificate-authority": str(self.certificates.file("authority.pem")),
        }
        context = {"cluster": "c", "user": "u"}
        entries = {"cluster": cluster, "user": {"token": "hush-hush"}, "context": context}
        for kind, fields in entries.items():
            merged = {**fields, **said.get(kind, {})}
            entries[kind] = {name: value for name, value in merged.items() if value is not None}
        named = {f"{kind}s": [{"name": kind[0], kind: fields}] for kind, fields in entries.items()}
        named["contexts"][0]["name"] = "x"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            **named,
            **said.get("config", {}),
        }

    def ask(self, at: str | None = None, **said: dict[str, Any]) -> Asked:
        """Ask the server with that kubeconfig; return what it saw of it."""
        (self.folder / "config").write_text(yaml.safe_dump(self.config(**said)))
        return self.ask_as_it_is(at)

    def ask_as_it_is(self, at: str | None = None) -> Asked:
        with PipelineRuns(context=at) as runs:
            runs.cancel("mnist")
        return self.asked


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return once(tmp_path_factory, "certificates", make_certificates)


@pytest.fixture
def world(certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # it is not meant for what the file itself says
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with api_server_stand_in(certificates) as (server, asked):
        yield World(server, asked, certificates, tmp_path)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def plugin(folder: Path, status: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the entry of a plugin that keeps what it was told and answers with a status."""
    version = fields.get("apiVersion", "client.authentication.k8s.io/v1")
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    program = folder / "sign-in"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"said = dict(arguments=sys.argv[1:], variables=dict(os.environ))\n"
        f"open({str(folder / 'told')!r}, 'w').write(json.dumps(said))\nprint({json.dumps(answer)!r})\n"
    )
    program.chmod(0o700)
    return {"exec": {"apiVersion": version, "command": "./sign-in", **fields}, "token": None}


def told(folder: Path) -> Any:
    return json.loads((folder / "told").read_text())


def jwt(expires: float) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps({'exp': expires}).encode()).decode().rstrip('=')}.x"


# What a request is made of -------------------------------------------------------------------------


def see_token(world: World) -> None:
    assert world.ask().all("Authorization") == ["Bearer hush-hush"]


def see_token_file(world: World) -> None:
    (world.folder / "token").write_text("from-a-file\n")
    # The file wins, its path is meant from the kubeconfig, and its line break is none of the token.
    assert world.ask(user={"tokenFile": "token"}).all("Authorization") == ["Bearer from-a-file"]


def see_basic(world: World) -> None:
    asked = world.ask(user={"token": None, "username": "ann", "password": "hush:hush"})
    assert asked.all("Authorization") == [f"Basic {encoded('ann:hush:hush')}"]


def see_user(world: World) -> None:
    assert world.ask(user={"as": "bob"}).all("Impersonate-User") == ["bob"]


def see_groups(world: World) -> None:
    asked = world.ask(user={"as": "bob", "as-groups": ["team-a", "team, b"]})
    assert asked.all("Impersonate-Group") == ["team-a", "team, b"]


def see_uid(world: World) -> None:
    assert world.ask(user={"as": "bob", "as-uid": "42"}).all("Impersonate-Uid") == ["42"]


def see_extra(world: World) -> None:
    extra = {"reason": ["one", "two"], "example.com/scope%": ["grün"]}
    asked = world.ask(user={"as": "bob", "as-user-extra": extra})
    assert asked.all("Impersonate-Extra-reason") == ["one", "two"]
    assert asked.all("Impersonate-Extra-example.com%2Fscope%25") == ["grün".encode().decode("latin-1")]


def see_client_files(world: World) -> None:
    # Paths are meant from the kubeconfig.
    for name in ("client.pem", "client.key"):
        (world.folder / name).write_text(world.certificates.text(name))
    user = {"token": None, "client-certificate": "client.pem", "client-key": "client.key"}
    asked = world.ask(user=user)
    assert (asked.clients, asked.all("Authorization")) == (["client"], [])


def see_client_data(world: World) -> None:
    fields = {"client-certificate": "client.pem", "client-key": "client.key"}
    user = {f"{name}-data": encoded(world.certificates.text(file)) for name, file in fields.items()}
    asked = world.ask(user={"token": None, **user, "client-key": "/nope", "client-certificate": "/nope"})
    assert asked.clients == ["client"]


def see_authority_data(world: World) -> None:
    data = encoded(world.certificates.text("authority.pem"))
    assert world.ask(cluster={"certificate-authority": "/nope", "certificate-authority-data": data}).paths


def see_authority(world: World) -> None:
    with pytest.raises(VaportrailError, match="certificate verify failed"):
        world.ask(cluster={"certificate-authority": None})
    assert world.ask().paths


def see_no_verification(world: World) -> None:
    asked = world.ask(cluster={"certificate-authority": None, "insecure-skip-tls-verify": True})
    assert len(asked.paths) == 1


def see_server_name(world: World) -> None:
    with pytest.raises(VaportrailError, match=r"outside\.example"):
        world.ask(cluster={"tls-server-name": "outside.example"})
    asked = world.ask(cluster={"tls-server-name": "inside.example"})
    assert (asked.server_names[-1], len(asked.paths)) == ("inside.example", 1)


def see_proxy(world: World) -> None:
    with proxy() as (address, between):
        asked = world.ask(cluster={"proxy-url": address.replace("//", "//ann:hush%3A@")})
    assert between.paths == [world.server.removeprefix("https://")]
    assert between.all("Proxy-Authorization") == [f"Basic {encoded('ann:hush:')}"]
    assert asked.all("Proxy-Authorization") == []
    assert asked.all("Authorization") == ["Bearer hush-hush"]


def see_namespace(world: World) -> None:
    assert "/namespaces/team-a/" in world.ask(context={"namespace": "team-a"}).paths[0]


def see_context(world: World) -> None:
    other = {"name": "other", "context": {"cluster": "c", "namespace": "elsewhere"}}
    contexts = [*world.config()["contexts"], other]
    asked = world.ask("other", config={"contexts": contexts})
    assert ("/namespaces/elsewhere/" in asked.paths[0], asked.all("Authorization")) == (True, [])


def see_plugin(world: World) -> None:
    given = {"args": ["a b", "c"], "env": [{"name": "AUDIENCE", "value": "team-a"}]}
    asked = world.ask(user=plugin(world.folder, {"token": "from-a-plugin"}, **given))
    assert asked.all("Authorization") == ["Bearer from-a-plugin"]
    assert told(world.folder)["arguments"] == ["a b", "c"]
    assert told(world.folder)["variables"]["AUDIENCE"] == "team-a"
    said = json.loads(told(world.folder)["variables"]["KUBERNETES_EXEC_INFO"])
    assert said["apiVersion"] == "client.authentication.k8s.io/v1"
    assert "cluster" not in said["spec"]


def see_plugin_certificate(world: World) -> None:
    fields = {"clientCertificateData": "client.pem", "clientKeyData": "client.key"}
    status = {name: world.certificates.text(file) for name, file in fields.items()}
    assert world.ask(user=plugin(world.folder, status)).clients == ["client"]


def see_plugin_beta(world: World) -> None:
    user = plugin(world.folder, {"token": "t"}, apiVersion="client.authentication.k8s.io/v1beta1")
    assert world.ask(user=user).all("Authorization") == ["Bearer t"]


def see_cluster_information(world: World) -> None:
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    world.ask(
        user=plugin(world.folder, {"token": "t"}, provideClusterInfo=True),
        cluster={"extensions": [extension]},
    )
    said = json.loads(told(world.folder)["variables"]["KUBERNETES_EXEC_INFO"])["spec"]["cluster"]
    authority = encoded(world.certificates.text("authority.pem"))
    assert said == {
        "server": world.server,
        "certificate-authority-data": authority,
        "config": {"audience": "a"},
    }


def see_interactive_mode(world: World) -> None:
    user = plugin(world.folder, {"token": "t"}, interactiveMode="Never")
    world.ask(user=user)
    assert json.loads(told(world.folder)["variables"]["KUBERNETES_EXEC_INFO"])["spec"] == {
        "interactive": False
    }
    user["exec"]["interactiveMode"] = "Always"
    with pytest.raises(UsageError, match="needs a terminal"):
        world.ask(user=user)


def see_install_hint(world: World) -> None:
    user = plugin(world.folder, {}, installHint="get it from\nthe platform team")
    with pytest.raises(UsageError, match=r"neither a token nor .*; get it from the platform team"):
        world.ask(user=user)


def see_oidc(world: World) -> None:
    user = {"token": None, "auth-provider": {"name": "oidc", "config": {"id-token": jwt(4e9)}}}
    assert world.ask(user=user).all("Authorization") == [f"Bearer {jwt(4e9)}"]
    user["auth-provider"] = {"name": "oidc", "config": {"id-token": jwt(1e9)}}
    with pytest.raises(UsageError, match="its id-token is missing or has expired"):
        world.ask(user=user)


def see_no_meaning(world: World) -> None:
    more = {"extensions": [{"name": "x", "extension": {}}]}
    world.ask(
        cluster={"disable-compression": True, **more},
        user=more,
        context=more,
        config={"preferences": {"colors": True}, **more},
    )
    assert len(world.asked.paths) == 1


def see_another_kind(world: World) -> None:
    for field, value in (("kind", "Pod"), ("apiVersion", "v2")):
        with pytest.raises(UsageError, match=f"it is no kubeconfig: {field} is '{value}'"):
            world.ask(config={field: value})


SEEN: dict[Callable[[World], None], str] = {
    see_another_kind: "config.apiVersion config.kind",
    see_authority: "cluster.certificate-authority",
    see_authority_data: "cluster.certificate-authority-data",
    see_basic: "user.username user.password",
    see_client_data: "user.client-certificate-data user.client-key-data",
    see_client_files: "user.client-certificate user.client-key",
    see_cluster_information: "exec.provideClusterInfo",
    see_context: "config.contexts config.clusters config.current-context context.cluster",
    see_extra: "user.as-user-extra",
    see_groups: "user.as-groups",
    see_install_hint: "exec.installHint",
    see_interactive_mode: "exec.interactiveMode",
    see_namespace: "context.namespace",
    see_no_meaning: "config.preferences config.extensions cluster.disable-compression cluster.extensions "
    "user.extensions context.extensions",
    see_no_verification: "cluster.insecure-skip-tls-verify",
    see_oidc: "user.auth-provider auth-provider.name auth-provider.config",
    see_plugin: "user.exec exec.command exec.args exec.env",
    see_plugin_beta: "exec.apiVersion",
    see_plugin_certificate: "exec.command",
    see_proxy: "cluster.proxy-url",
    see_server_name: "cluster.tls-server-name",
    see_token: "user.token config.users context.user cluster.server",
    see_token_file: "user.tokenFile",
    see_uid: "user.as-uid",
    see_user: "user.as",
}


@pytest.mark.parametrize("see", SEEN, ids=lambda see: see.__name__.removeprefix("see_"))
def test_what_a_kubeconfig_says_is_done(world: World, see: Callable[[World], None]) -> None:
    see(world)


def test_no_field_of_a_kubeconfig_is_forgotten() -> None:
    known = {f"{kind}.{name}" for kind, names in SCHEMA.items() for name in names.split()}

    assert {name for names in SEEN.values() for name in names.split()} == known


# What is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["config", "cluster", "user", "context"])
def test_a_field_that_nobody_knows_is_refused_by_name(world: World, kind: str) -> None:
    with pytest.raises(UsageError, match="'as-admin' is not known here"):
        world.ask(**{kind: {"as-admin": "yes"}})
    assert world.asked.paths == []


def test_a_field_of_a_plugin_that_nobody_knows_is_refused_by_name(world: World) -> None:
    with pytest.raises(UsageError, match=r"users\[u\]\.user\.exec: 'timeout' is not known here"):
        world.ask(user=plugin(world.folder, {"token": "t"}, timeout=3))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "groups without a user": ({"user": {"as-groups": ["a"]}}, "need a user to act as; give `as`"),
    "a uid without a user": ({"user": {"as-uid": "1"}}, "need a user to act as; give `as`"),
    "groups that are no list": ({"user": {"as": "b", "as-groups": "a"}}, "as-groups: a list of texts"),
    "a user that is no text": ({"user": {"as": 5}}, r"user\.as: a text is needed"),
    "a user with a line break": ({"user": {"as": "bob\r\nX: y"}}, "Impersonate-User cannot be sent"),
    "extra that is no list": ({"user": {"as": "b", "as-user-extra": {"k": "v"}}}, "as-user-extra.k: a list"),
    "two ways to sign in": ({"user": {"username": "ann"}}, "a token and a username are both given"),
    "a certificate without its key": (
        {"user": {"client-certificate-data": encoded("x")}},
        "needs its client-key",
    ),
    "a key that is none": (
        {"user": {"client-certificate-data": encoded("x"), "client-key-data": encoded("y")}},
        "no certificate and its key in PEM",
    ),
    "an authority that is none": (
        {"cluster": {"certificate-authority-data": encoded("x")}},
        "certificate-authority holds no certificate in PEM",
    ),
    "an authority, and none": ({"cluster": {"insecure-skip-tls-verify": True}}, "are both given"),
    "a flag in quotes": ({"cluster": {"insecure-skip-tls-verify": "false"}}, "true or false is needed"),
    "a proxy of another kind": ({"cluster": {"proxy-url": "ftp://ann:hush@x"}}, "is no address like"),
    "a proxy by SOCKS": ({"cluster": {"proxy-url": "socks5://127.0.0.1:1"}}, "needs PySocks"),
    "a server without a scheme": ({"cluster": {"server": "127.0.0.1"}}, "is no address like https://"),
    "a provider": ({"user": {"token": None, "auth-provider": {"name": "gcp"}}}, "'gcp' is not known here"),
    "a plugin of old": (
        {"user": {"token": None, "exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1"}}},
        "v1alpha1' is not known here",
    ),
    "a context without a cluster": ({"context": {"cluster": "gone"}}, "there is no cluster 'gone'"),
    "a context without its user": ({"context": {"user": "gone"}}, "there is no user 'gone'"),
}


@pytest.mark.parametrize(("said", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(
    world: World, said: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        world.ask(**said)
    assert "hush" not in str(refused.value)
    assert world.asked.server_names == []


# Several files, and what is left -------------------------------------------------------------------


def test_of_several_files_the_first_to_name_something_wins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [{"name": "u", "user": {"token": "of-the-first"}}]
    (world.folder / "first").write_text(yaml.safe_dump({"users": users, "current-context": "x"}))
    whole = world.config(config={"current-context": "other"})
    (world.folder / "second").write_text(yaml.safe_dump(whole))
    (world.folder / "empty").write_text("")
    files = [world.folder / name for name in ("absent", "empty", "first", "second")]
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))

    assert world.ask_as_it_is().all("Authorization") == ["Bearer of-the-first"]


def test_a_certificate_of_the_client_is_left_in_no_file(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = tmp_path / "temporary"
    left.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(left))
    modes: list[int] = []
    load = ssl.SSLContext.load_cert_chain

    def seen(self: ssl.SSLContext, certificate: Any, key: Any = None, password: Any = None) -> None:
        modes.append(stat.S_IMODE(Path(key).parent.stat().st_mode))
        load(self, certificate, key, password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", seen)

    see_client_data(world)

    assert modes == [0o700]
    assert list(left.iterdir()) == []


def test_a_proxy_of_the_environment_is_used_but_for_this_machine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY")

    assert world.ask().paths

    with pytest.raises(VaportrailError, match=r"cannot be reached: .*127\.0\.0\.1"):
        world.ask(cluster={"server": "https://api.invalid"})
