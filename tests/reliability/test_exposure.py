"""What the commands start is for this machine alone."""

from __future__ import annotations

from urllib.parse import urlsplit

import psutil

from tests.s3 import SessionS3


def test_local_servers_listen_on_the_loopback_interface_only(
    prefect_server: str, s3_server: SessionS3
) -> None:
    """Both are started as the commands start them. Fails for the first with `--host 0.0.0.0` in
    `start_server`, for the second without `-ip.bind` in `start_s3_server`."""
    listening = [
        (c.pid, c.laddr.ip, c.laddr.port)
        for c in psutil.net_connections("inet")
        if c.laddr and c.status == psutil.CONN_LISTEN
    ]
    for url in (prefect_server, s3_server.endpoint_url):
        (server,) = {pid for pid, _, port in listening if port == urlsplit(url).port}
        assert server
        assert {ip for pid, ip, _ in listening if pid == server} == {"127.0.0.1"}, url
