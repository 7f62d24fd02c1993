"""What the client asks of an API server, and what it makes of odd answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from vaportrail_operator.acting.client import (
    AlreadyExists,
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NamespaceTerminating,
    NotFound,
    Unavailable,
    WebhookUnanswered,
)
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS
from vaportrail_operator.acting.kubernetes_client import KubernetesClient

Answer = Callable[[web.Request], Awaitable[web.Response]]


def ask(answer: Answer, call: Callable[[KubernetesClient], Awaitable[Any]]) -> Any:
    """Make a call of the client against a server that answers so."""

    async def main() -> Any:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = KubernetesClient(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}"))
        try:
            return await call(client)
        finally:
            await client.close()
            await runner.cleanup()

    return asyncio.run(main())


def status(code: int, reason: str = "", **more: Any) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        body = {"kind": "Status", "reason": reason, "message": "why", **more}
        return web.json_response(body, status=code)

    return answer


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", Invalid),
        (401, "Unauthorized", Forbidden),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (405, "MethodNotAllowed", ApiError),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (410, "Expired", Expired),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", Unavailable),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
    ],
)
def test_each_refusal_has_its_error_in_words(code: int, reason: str, kind: type[ApiError]) -> None:
    with pytest.raises(
        ApiError, match=f"GET /api/v1/namespaces/team/pods/it: {code} {reason}: why"
    ) as raised:
        ask(status(code, reason), lambda client: client.get(PODS, "team", "it"))
    assert type(raised.value) is kind
    assert (raised.value.status, raised.value.reason, raised.value.said) == (code, reason, "why")


def test_a_webhook_that_does_not_answer_is_told_from_an_api_server_that_cannot() -> None:
    said = 'Internal error occurred: failed calling webhook "policy.example": context deadline exceeded'
    with pytest.raises(WebhookUnanswered):
        ask(status(500, "InternalError", message=said), lambda client: client.get(PODS, "team", "it"))


def test_a_namespace_that_is_being_deleted_is_told_from_a_missing_right() -> None:
    causes = [{"reason": "NamespaceTerminating", "field": "metadata.namespace", "message": "it is"}]
    with pytest.raises(NamespaceTerminating):
        ask(
            status(403, "Forbidden", details={"causes": causes}),
            lambda client: client.get(PODS, "team", "it"),
        )


def test_the_time_that_the_api_server_asks_to_wait_is_told() -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status"}, status=429, headers={"Retry-After": "3"})

    for answer in (busy, status(503, details={"retryAfterSeconds": 3})):
        with pytest.raises(Unavailable) as raised:
            ask(answer, lambda client: client.get(PODS, "team", "it"))
        assert raised.value.retry_after == 3.0


def test_an_answer_that_is_no_json_is_still_told() -> None:
    async def proxy(request: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>Bad Gateway</html>")

    with pytest.raises(Unavailable, match="Bad Gateway"):
        ask(proxy, lambda client: client.get(PODS, "team", "it"))


def test_no_answer_is_told() -> None:
    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    with pytest.raises(Unavailable, match="ServerDisconnectedError"):
        ask(drop, lambda client: client.get(PODS, "team", "it"))


def test_a_list_is_read_to_its_end_page_by_page() -> None:
    asked: list[dict[str, str]] = []

    async def page(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        metadata = {"resourceVersion": "9"}
        if "continue" not in request.query:
            return web.json_response({"items": [{"a": 1}], "metadata": {**metadata, "continue": "next"}})
        return web.json_response({"items": [{"b": 2}], "metadata": metadata})

    listing = ask(page, lambda client: client.list(RAY_CLUSTERS, None, "a=b"))
    assert (listing.items, listing.version) == ([{"a": 1}, {"b": 2}], "9")
    assert [query.get("continue") for query in asked] == [None, "next"]
    assert {query["labelSelector"] for query in asked} == {"a=b"}


def test_a_status_is_replaced_whole_if_the_version_is_still_the_same() -> None:
    seen: dict[str, Any] = {}

    async def keep(request: web.Request) -> web.Response:
        seen.update(path=request.path, type=request.content_type, body=await request.json())
        return web.json_response({"kind": "Status"})

    ask(keep, lambda client: client.replace_status(RUNS, "team", "it", "7", {"phase": "Running"}))
    assert seen["path"] == "/apis/vaportrail.dev/v1alpha1/namespaces/team/pipelineruns/it/status"
    assert seen["type"] == "application/json-patch+json"
    assert seen["body"] == [
        {"op": "add", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/status", "value": {"phase": "Running"}},
    ]


def test_a_deletion_names_the_uid_the_version_and_the_grace() -> None:
    seen: dict[str, Any] = {}

    async def keep(request: web.Request) -> web.Response:
        seen.update(await request.json())
        return web.json_response({"kind": "Status"})

    ask(keep, lambda client: client.delete(PODS, "team", "it", uid="u", version="7", grace_seconds=5))
    assert seen["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    assert (seen["gracePeriodSeconds"], seen["propagationPolicy"]) == (5, "Background")


@pytest.mark.parametrize(
    "text", ["<html>sign in</html>", "", "null", "{}", "[]", '"ok"', '{"items": [{"a": 1}, {"b"']
)
def test_a_success_that_no_api_server_says_is_no_success(text: str) -> None:
    async def gateway(request: web.Request) -> web.Response:
        return web.Response(status=200, text=text, content_type="application/json")

    for call in (
        lambda client: client.get(PODS, "team", "it"),
        lambda client: client.list(PODS, "team"),
        lambda client: client.create(PODS, "team", {}),
    ):
        with pytest.raises(Unavailable):
            ask(gateway, call)


@pytest.mark.parametrize("code", [403, 429, 460, 499, 500, 599])
@pytest.mark.parametrize("body", ['"no"', "[1]", '{"details": "x"}', '{"details": {"causes": ["a", 1]}}', ""])
def test_a_refusal_in_any_form_is_an_error_of_the_api(code: int, body: str) -> None:
    async def gateway(request: web.Request) -> web.Response:
        return web.Response(status=code, text=body, content_type="application/json")

    with pytest.raises(ApiError) as raised:
        ask(gateway, lambda client: client.get(PODS, "team", "it"))
    assert raised.value.status == code


@pytest.mark.parametrize("seconds", ["inf", "nan", "-1", "1e9", "soon"])
def test_no_reply_has_it_wait_for_ever(seconds: str) -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status"}, status=429, headers={"Retry-After": seconds})

    with pytest.raises(Unavailable) as raised:
        ask(busy, lambda client: client.get(PODS, "team", "it"))
    assert 0.0 <= raised.value.retry_after <= 300.0
