"""A connection that asks again, soon, when a local server's database is locked, and spares it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from fanout import patience
from fanout.patience import PAUSES, PLACES, PatientTransport, client_settings

Answer = tuple[int, dict[str, str]]
LOCKED: Answer = (503, {})
DONE: Answer = (201, {})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSES", (0.0,) * len(PAUSES))


@pytest.fixture(autouse=True)
def wire() -> None:
    """Leave the transport as it is: it is what is tested here."""


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps connections open, and the test's output clean."""

    protocol_version = "HTTP/1.1"

    def answer(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Answer with an empty body."""
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def server(answer: Callable[[int], Answer]) -> Iterator[tuple[str, list[bytes]]]:
    """A server whose n-th answer is `answer(n)`; its URL and the bodies it was sent."""
    bodies: list[bytes] = []

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(*answer(len(bodies)))

    with serving(Handler) as url:
        yield url, bodies


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server with this handler."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


async def post(url: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=PatientTransport()) as client:
        return await client.post(url, json={"item": 1})


async def test_a_locked_database_is_asked_again_with_the_same_body() -> None:
    with server(lambda n: LOCKED if n < 3 else DONE) as (url, bodies):
        response = await post(url)
    assert response.status_code == 201
    assert len(bodies) == 3
    assert set(bodies) == {bodies[0]}


async def test_its_patience_ends_and_the_last_answer_is_told() -> None:
    with server(lambda _: LOCKED) as (url, bodies):
        response = await post(url)
    assert response.status_code == 503
    assert len(bodies) == len(PAUSES) + 1


async def order(refusal: tuple[int, bytes] | None) -> list[str]:
    """What a server sees that refused a creation, or none: others, amid changes of state.

    The changes under way end only when the creation after them has come, or had time to.
    """
    changing = threading.Barrier(PLACES + 1)
    seen: list[str] = []

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if refusal and not seen:
                seen.append("refusal")
                status, body = refusal
                self.answer(status, {"Content-Length": str(len(body))})
                self.wfile.write(body)
                return
            if self.path.endswith("/set_state"):
                changing.wait(30)
                changing.wait(30)
                seen.append("change")
            else:
                seen.append("creation")
            self.answer()

    with serving(Handler) as url:
        async with httpx.AsyncClient(base_url=url, transport=PatientTransport()) as client:
            if refusal:
                answer = await client.post("/0/create_flow_run/bulk", json={})
                assert answer.content == (b"" if refusal[0] == LOCKED[0] else refusal[1])
            changes = [
                asyncio.create_task(client.post(f"/{n}/set_state", json={})) for n in range(PLACES)
            ]
            await asyncio.to_thread(changing.wait, 30)  # all of them are under way
            creation = asyncio.create_task(client.post("/1/create_flow_run/bulk", json={}))
            if refusal:
                for _ in range(3):
                    await client.get("/")  # time enough for the creation to arrive
            else:
                await creation
            await asyncio.to_thread(changing.wait, 30)
            await asyncio.gather(creation, *changes)
    return seen


async def test_a_server_that_refuses_nothing_creates_amid_changes_of_state() -> None:
    assert await order(None) == ["creation", *["change"] * PLACES]


@pytest.mark.parametrize(
    "refusal",
    [(LOCKED[0], b""), (200, b'{"results": [{"error": "(OperationalError) database is locked"}]}')],
    ids=["all of it", "an item"],
)
async def test_after_a_refusal_a_creation_waits_for_changes_of_state(
    refusal: tuple[int, bytes],
) -> None:
    asked_again = ["creation"] if refusal[0] == LOCKED[0] else []
    seen = await order(refusal)
    assert seen == ["refusal", *asked_again, *["change"] * PLACES, "creation"]


@pytest.mark.parametrize("answer", [(429, {}), (500, {}), (503, {"Retry-After": "1"}), DONE])
async def test_any_other_answer_is_passed_on(answer: Answer) -> None:
    with server(lambda _: answer) as (url, bodies):
        response = await post(url)
    assert response.status_code == answer[0]
    assert len(bodies) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
def test_a_local_server_is_met_with_patience(host: str) -> None:
    settings = client_settings(f"http://{host}:4200/api")
    assert isinstance(settings["transport"], PatientTransport)


@pytest.mark.parametrize("host", ["api.prefect.cloud", "10.0.0.7", "prefect-server", "[::2]"])
def test_a_remote_one_keeps_the_clients_own_connection(host: str) -> None:
    assert client_settings(f"https://{host}/api") == {}
