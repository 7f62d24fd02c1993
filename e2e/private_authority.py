"""A private authority and servers that it vouches for, on loopback: what a platform has inside."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """An authority of this folder's own.

    Attributes:
        folder: where its files are.
    """

    folder: Path

    @property
    def bundle(self) -> Path:
        """The certificate that those trust who trust it."""
        return self.folder / "ca.pem"

    def server(self, *names: str, days: int = 2) -> ssl.SSLContext:
        """Return what a server speaks TLS with under these names or addresses."""
        extension = ",".join(f"{'IP' if name.replace('.', '').isdigit() else 'DNS'}:{name}" for name in names)
        (self.folder / "names").write_text(f"subjectAltName={extension}\nbasicConstraints=CA:FALSE\n")
        self._run(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
            "-subj",
            "/CN=x",
        )
        self._run(
            "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem", "-days", str(days), "-extfile", "names",
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


def authority(folder: Path) -> Authority:
    """Return a new authority, whose files are in a folder."""
    made = Authority(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made._run(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
        "-subj", "/CN=a private authority",
    )  # fmt: skip
    return made
