"""Opening the run's own bucket with its own keys, whatever the environment says of others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from obstore.store import from_url

from vaportrail.contract.store_access import StoreAccess
from vaportrail.storage.store_settings import Keys, keys_of

__all__ = ["open_with_own_keys"]

_PREFIX: Final = "AWS_"
_CREDENTIALS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REGIONS: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_OPTIONS: Final = (
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_KMS_KEY_ID",
    "AWS_SSE_BUCKET_KEY_ENABLED",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_REQUEST_PAYER",
    "AWS_CHECKSUM_ALGORITHM",
    "AWS_DISABLE_TAGGING",
    "AWS_DISABLE_BULK_DELETE",
    "AWS_UNSIGNED_PAYLOAD",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
"""What a Secret may say besides, as the store's client calls it."""
_OF_AN_IDENTITY: Final = frozenset(
    {
        *_REGIONS,
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_STS_ENDPOINT",
        "AWS_METADATA_ENDPOINT",
        "AWS_IMDSV1_FALLBACK",
    }
)
"""By these a cloud gives a pod its identity, the user's code and ours alike."""
_OPENING: Final = threading.Lock()


def open_with_own_keys(root: str, access: StoreAccess, client: Mapping[str, Any], **limits: Any) -> Any:
    """Open obstore's store at a URI of the run's own bucket.

    Args:
        root: the URI.
        access: where its settings are.
        client: options of its HTTP client.
        limits: how often and how long it tries.

    Raises:
        UsageError: the Secret lacks what the store is asked with.
    """
    keys = keys_of(access)
    config = {name.lower(): keys[name] for name in _OPTIONS if name in keys}
    endpoint = access.endpoint or _first(keys, _ENDPOINTS)
    region = access.region or _first(keys, _REGIONS)
    config |= {name: value for name, value in (("endpoint", endpoint), ("region", region)) if value}
    plain = {"allow_http": True} if endpoint.startswith("http://") else {}
    given: dict[str, Any] = {"config": config, "client_options": {**client, **plain}, **limits}
    if "AWS_ACCESS_KEY_ID" in keys:
        given["credential_provider"] = _Credentials(access)
    with _out_of_sight(frozenset() if keys else _OF_AN_IDENTITY):
        return from_url(root, **given)


def _first(keys: Keys, names: tuple[str, ...]) -> str:
    return next((keys[name] for name in names if keys.get(name)), "")


class _Credentials:
    """Reads the mounted keys whenever the client asks: the kubelet replaces them with the Secret."""

    def __init__(self, access: StoreAccess) -> None:
        self._access = access

    def __call__(self) -> dict[str, Any]:
        keys = keys_of(self._access)
        return {
            "access_key_id": keys["AWS_ACCESS_KEY_ID"],
            "secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
            "token": keys.get("AWS_SESSION_TOKEN") or None,
            # At once: to read three small files is nothing beside a request.
            "expires_at": datetime.now(UTC),
        }


@contextmanager
def _out_of_sight(but: frozenset[str]) -> Iterator[None]:
    """Take the user's settings of the provider out of what native code sees, for as long as a store opens.

    The client goes by the process's environment, and some of it by nothing else. Python's `os.environ`
    keeps everything meanwhile, so that no other thread sees a difference.
    """
    with _OPENING:
        names = [name for name in os.environ if name.startswith(_PREFIX) and name not in but]
        for name in names:
            os.unsetenv(name)
        try:
            yield
        finally:
            for name in names:
                if (value := os.environ.get(name)) is not None:
                    os.putenv(name, value)
