"""What is appended to files is read once, or passed over unread."""

from __future__ import annotations

import os
from pathlib import Path

from vaportrail.notebooks.followed_files import FollowedFiles

MORE_THAN_CAN_BE_READ = 1 << 38


def test_what_is_there_is_passed_over_unread_and_what_follows_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    files = FollowedFiles({"stdout": path})
    os.truncate(path, MORE_THAN_CAN_BE_READ)
    files.pass_over()
    with path.open("ab") as file:
        file.write(b"after")

    assert list(files.take_all("stdout")) == [b"after"]
    assert files.all_taken
    files.close()
