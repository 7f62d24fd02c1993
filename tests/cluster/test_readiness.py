"""The port that is open while something goes on."""

from __future__ import annotations

import socket

import pytest

from vaportrail.cluster.readiness import listening


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_takes_connections_for_the_length_of_the_block(host: str) -> None:
    with listening(0) as port:
        for _ in range(3):
            with socket.create_connection((host, port), timeout=5) as connection:
                assert connection.recv(1) == b""

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), timeout=5)
