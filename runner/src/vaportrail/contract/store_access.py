"""How a pod of a run reaches its record's store: what stands beside its environment, and not in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

__all__ = ["StoreAccess"]


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """The value of `VAPORTRAIL_STORE`; it holds no secret.

    Attributes:
        root: the record root.
        endpoint: of a server that is not the provider's own; empty otherwise.
        region: of the bucket; empty where the Secret or the pod's identity says it.
        secret: the name of the Secret that is mounted with the store's keys; empty where there is none,
            and the pod's own identity is asked for.
        folder: where that is mounted, a file a key.
    """

    root: str
    endpoint: str = ""
    region: str = ""
    secret: str = ""
    folder: str = ""

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> StoreAccess:
        """Return what `to_json` has written; fields of a newer operator are passed over.

        Raises:
            ValueError: it is something else.
        """
        said = json.loads(text)
        if not isinstance(said, dict) or not isinstance(said.get("root"), str):
            raise ValueError(f"it names no record root: {text[:200]!r}")
        return cls(**{name: str(said.get(name, "")) for name in cls.__slots__})
