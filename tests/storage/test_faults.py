from __future__ import annotations

import errno

import pytest

from storage.faults import translated, without_credentials
from storage.s3 import error_code

URL = "s3://bucket/x"


class ReplyError(Exception):
    """An error of botocore's shape."""

    def __init__(self, code: str) -> None:
        super().__init__(f"{code} https://key:secret@host/?X-Amz-Signature=secret")
        self.response = {"Error": {"Code": code, "Message": "for key OURS"}}


@pytest.mark.parametrize(
    "code",
    ["SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "503", "429"],
)
def test_what_a_store_refuses_for_a_while_may_pass(code: str) -> None:
    error = translated(ReplyError(code), URL, "written")
    assert error is not None
    assert error.transient
    assert (
        str(error) == f"{URL}: it cannot be written: the store says {code}; run again, it may pass."
    )


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("NoSuchBucket", "there is no such bucket; create it"),
        ("InvalidAccessKeyId", "the store does not know the access key; check AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "the secret key does not fit the access key; check"),
        ("ExpiredToken", "the credentials have expired; sign in again"),
        ("RequestTimeTooSkewed", "clock differs too much from the store's; set the clock"),
        ("AccessDenied", "it may not be read with this access key; allow it"),
        ("403", "it may not be read with this access key; allow it"),
        ("NoSuchKey", "it cannot be read: it does not exist; check"),
        ("PermanentRedirect", "in another region; set AWS_DEFAULT_REGION"),
        ("412", "it changed while it was being read; run again"),
        ("NotImplemented", "the store says NotImplemented; check the location"),
    ],
)
def test_what_stays_refused_says_what_to_do(code: str, says: str) -> None:
    error = translated(ReplyError(code), URL, "read")
    assert error is not None
    assert says in str(error)
    assert not error.transient
    assert "secret@" not in str(error)
    assert "OURS" not in str(error)


def test_the_code_is_found_behind_pythons_own_error() -> None:
    outer = PermissionError("denied")
    outer.__cause__ = ReplyError("AccessDenied")
    assert error_code(outer) == "AccessDenied"
    assert error_code(PermissionError("denied")) == ""
    assert error_code(OSError(errno.EIO, "x")) == ""


def test_credentials_in_an_endpoint_stay_out_of_the_message() -> None:
    unreadable = type("ParamValidationError", (Exception,), {"__module__": "botocore.exceptions"})
    error = translated(unreadable("bad https://key:secret@host/x?sig=secret now"), URL, "read")
    assert error is not None
    assert "secret" not in str(error)
    assert (
        without_credentials("to http://u:p@h/x and http://v:q@i/y")
        == "to http://h/x and http://i/y"
    )


def test_a_bug_is_none_of_its_business() -> None:
    assert translated(KeyError("x"), URL, "read") is None
    assert translated(ValueError("x"), URL, "read") is None
