"""A Secret as the kubelet mounts it: files behind one link, by which all of them are replaced at once."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from vaportrail.contract.store_access import StoreAccess

_NUMBERS = count(1)


def mount(folder: Path, keys: dict[str, str]) -> Path:
    """Make the Secret's folder, or replace what it holds; return it."""
    version = folder / f"..{next(_NUMBERS)}"
    version.mkdir(parents=True)
    for name, value in keys.items():
        (version / name).write_text(value)
    (folder / "..data_tmp").symlink_to(version.name)
    os.replace(folder / "..data_tmp", folder / "..data")
    for name in keys:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    return folder


def variable(folder: Path, root: str = "s3://records/ml", *, endpoint: str = "", region: str = "") -> str:
    """Return the value of `VAPORTRAIL_STORE` where a Secret `store` is mounted in `folder`."""
    return StoreAccess(root, endpoint, region, "store", str(folder)).to_json()
