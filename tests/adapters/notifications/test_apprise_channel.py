"""Channels against a real SMTP server and webhook: what arrives, and what a failure means."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from adapters.notifications.apprise_channel import AppriseChannel, channels
from adapters.notifications.protocol import Delivery
from tests.adapters.notifications.receivers import Mailbox, Webhook, smtp_server, webhook
from trading.errors import ParameterError


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as running:
        yield running


def sent_to(url: str) -> Delivery:
    return AppriseChannel("desk", SecretStr(url)).send("AAPL is high", "It closed at 201.")


def closed_port() -> int:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port: int = nobody.getsockname()[1]
        return port


def test_a_mail_arrives(mailbox: Mailbox) -> None:
    assert sent_to(mailbox.url) == Delivery("sent")
    assert mailbox.subjects == ["AAPL is high"]


def test_a_webhook_gets_title_and_text(hook: Webhook) -> None:
    assert sent_to(hook.url) == Delivery("sent")
    (body,) = hook.bodies
    assert (body["title"], body["message"]) == ("AAPL is high", "It closed at 201.")


@pytest.mark.parametrize("answer", ["451 try again", "554 no"])
def test_a_mail_that_the_server_refuses_may_be_sent_again(mailbox: Mailbox, answer: str) -> None:
    mailbox.answers.append(answer)
    assert sent_to(mailbox.url) == Delivery(
        "refused", f"the mail server answered with {answer[:3]}"
    )
    assert sent_to(mailbox.url) == Delivery("sent")


def test_a_recipient_whom_the_server_does_not_know_is_a_refusal(mailbox: Mailbox) -> None:
    mailbox.refused.add("desk@example.com")
    assert sent_to(mailbox.url) == Delivery("refused", "the mail server answered with 550")


def test_a_mail_that_a_part_of_its_recipients_got_is_not_sent_again(mailbox: Mailbox) -> None:
    mailbox.refused.add("other@example.com")
    delivery = sent_to(mailbox.url.replace("&to=", "&to=other@example.com,"))
    assert delivery.outcome == "unknown"
    assert len(mailbox.subjects) == 1


@pytest.mark.parametrize("status", [500, 429, 404])
def test_an_error_of_the_service_is_a_refusal(hook: Webhook, status: int) -> None:
    hook.faults.append(status)
    reason = f"the service answered with HTTP {status}"
    assert sent_to(hook.url) == Delivery("refused", reason)


@pytest.mark.parametrize("fault", ["hang", "drop"])
def test_what_was_taken_without_an_answer_is_unknown(hook: Webhook, fault: str) -> None:
    hook.faults.append(fault)
    assert sent_to(hook.url) == Delivery("unknown", "it went out, and no answer came")
    assert len(hook.bodies) == 1


def test_a_channel_that_is_down_is_a_refusal() -> None:
    port = closed_port()
    reason = "there was no connection, or the login was refused"
    assert sent_to(f"json://127.0.0.1:{port}") == Delivery("refused", reason)
    mail = f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com&mode=insecure"
    assert sent_to(mail) == Delivery("refused", reason)


def test_a_mail_server_that_goes_while_it_takes_a_mail_leaves_it_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_take_and_go, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        mail = f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com&mode=insecure"
        delivery = sent_to(mail)
        thread.join()
    assert delivery == Delivery("unknown", "it went out, and no answer came")


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (0, Delivery("refused", "there was no connection, or the login was refused")),
        (1, Delivery("unknown", "it went out, and the mail server did not answer in time")),
        (5, Delivery("unknown", "it went out, and the mail server did not answer in time")),
    ],
)
def test_a_mail_server_that_hangs_is_not_waited_for_for_ever(
    answered: int, expected: Delivery
) -> None:
    """It hangs before its greeting, in the dialogue, and when it has the whole mail."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_and_hang, args=(listener, answered, done))
        thread.start()
        port = listener.getsockname()[1]
        mail = f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com&mode=insecure"
        try:
            delivery = sent_to(f"{mail}&cto=0.2")
        finally:
            done.set()
            thread.join()
    assert delivery == expected


def _answer_and_hang(listener: socket.socket, answers: int, done: threading.Event) -> None:
    """An SMTP server that says nothing more after its greeting and some answers."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as file:
        said = [b"220 ready", b"250 OK", b"250 OK", b"250 OK", b"354 go on"][:answers]
        for number, line in enumerate(said):
            if number:
                file.readline()
            file.write(line + b"\r\n")
            file.flush()
        done.wait()


def _take_and_go(listener: socket.socket) -> None:
    """An SMTP server that ends when it has the mail, before it says so."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as file:
        file.write(b"220 ready\r\n")
        file.flush()
        for line in file:
            if line.upper().startswith(b"DATA"):
                file.write(b"354 go on\r\n")
                file.flush()
                while file.readline() != b".\r\n":
                    pass
                return
            file.write(b"250 OK\r\n")
            file.flush()


def test_nothing_secret_is_logged_or_said(hook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hook.faults.append(500)
    delivery = sent_to(hook.url)
    assert "hunter2" not in f"{delivery}{caplog.text}"
    with pytest.raises(ParameterError) as refused:
        AppriseChannel("desk", SecretStr("nonsense://user:hunter2@host"))
    assert "hunter2" not in f"{refused.value}{caplog.text}"
    assert "desk" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_that_no_option_can_hold_is_refused(hook: Webhook) -> None:
    assert list(channels({"desk-1": SecretStr(hook.url)})) == ["desk-1"]
    with pytest.raises(ParameterError, match="a channel's name"):
        channels({"My Desk": SecretStr(hook.url)})
