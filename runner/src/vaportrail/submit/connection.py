"""Connections to the API server of a kubeconfig's context; needs the extra `submit`."""

from __future__ import annotations

import importlib.util
import ssl
import tempfile
import urllib.request
import warnings
from pathlib import Path
from typing import Any

from vaportrail.submit.credentials import Credentials
from vaportrail.submit.kubeconfig import Access

__all__ = ["Connection"]

_SOCKS = ("socks4://", "socks4a://", "socks5://", "socks5h://")
_LOCAL = ("localhost", "127.", "::1")


class Connection:
    """A pool of connections, in the form that the Kubernetes client asks for one.

    Args:
        access: the way to the server.
        credentials: what each request carries.

    Raises:
        UsageError: a certificate or the proxy cannot be used.
    """

    def __init__(self, access: Access, credentials: Credentials) -> None:
        self._access = access
        self._headers = credentials.headers
        self._pool = _pool(access, _tls(access, credentials))
        names = [name for name, _ in credentials.headers]
        if self._pool.proxy and access.server.startswith("http://") and len(set(names)) < len(names):
            # urllib3 would make one header of several of a name, and so one group of several.
            raise access.cluster.fault(": several groups cannot be sent through a proxy without TLS")

    def request(self, method: str, url: str, headers: Any = None, **rest: Any) -> Any:
        """Send a request with the credentials."""
        from urllib3 import HTTPHeaderDict
        from urllib3.exceptions import InsecureRequestWarning

        carried = HTTPHeaderDict(headers or {})
        for name, value in self._headers:
            carried.add(name, value)
        with warnings.catch_warnings():
            if not self._access.verify:  # who wrote insecure-skip-tls-verify knows
                warnings.simplefilter("ignore", InsecureRequestWarning)
            return self._pool.request(method, url, headers=carried, redirect=False, **rest)

    def clear(self) -> None:
        """Close the connections."""
        self._pool.clear()


def _pool(access: Access, tls: ssl.SSLContext) -> Any:
    import urllib3

    options: dict[str, Any] = {"ssl_context": tls, "server_hostname": access.server_name or None}
    if not access.verify:
        options["cert_reqs"] = "CERT_NONE"
    proxy = access.proxy or _from_environment(access.server)
    if not proxy:
        return urllib3.PoolManager(**options)
    at = "" if access.proxy else " (of the environment)"
    if proxy.startswith(_SOCKS):
        if importlib.util.find_spec("socks") is None:
            raise access.cluster.fault(
                f".proxy-url{at}: a SOCKS proxy needs PySocks, which is not installed: pip install pysocks"
            )
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(proxy, **options)
    if not proxy.startswith(("http://", "https://")):  # its words may hold a password
        raise access.cluster.fault(f".proxy-url{at}: it is no address like http://HOST:PORT")
    return urllib3.ProxyManager(proxy, proxy_headers=_proxy_authorization(proxy), **options)


def _from_environment(server: str) -> str:
    from urllib.parse import urlsplit

    from kubernetes.client.rest import should_bypass_proxies

    proxies, parts = urllib.request.getproxies(), urlsplit(server)
    if (parts.hostname or "").startswith(_LOCAL) or should_bypass_proxies(server, proxies.get("no", "")):
        return ""
    return proxies.get(parts.scheme, "")


def _proxy_authorization(proxy: str) -> Any:
    from urllib.parse import unquote

    from urllib3.util import make_headers, parse_url

    auth = parse_url(proxy).auth
    return make_headers(proxy_basic_auth=unquote(auth)) if auth else None


def _tls(access: Access, credentials: Credentials) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.authority.decode("ascii") or None)
    except (ssl.SSLError, ValueError):
        raise access.cluster.fault(".certificate-authority holds no certificate in PEM") from None
    if not access.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if credentials.certificate:
        # OpenSSL takes them from files only; these are ours alone, and gone when it has read them.
        with tempfile.TemporaryDirectory(prefix="vaportrail-tls-") as folder:
            certificate, key = Path(folder, "certificate"), Path(folder, "key")
            certificate.write_bytes(credentials.certificate)
            key.write_bytes(credentials.key)
            try:
                context.load_cert_chain(certificate, key, password="")
            except (ssl.SSLError, ValueError):
                place = access.user or access.cluster
                raise place.fault(
                    ": its client-certificate and client-key are no certificate and its key in PEM"
                ) from None
    return context
