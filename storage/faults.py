"""What filesystems and object stores raise, as errors of ours: one sentence and a next step."""

from __future__ import annotations

import errno
import re

from storage.errors import StorageError
from storage.s3 import error_code

_TRANSIENT_ERRNOS = frozenset(
    {
        errno.EAGAIN, errno.EBUSY, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET,
        errno.EHOSTUNREACH, errno.EINTR, errno.EMFILE, errno.ENETDOWN, errno.ENETUNREACH,
        errno.ENFILE, errno.EPIPE, errno.ESTALE, errno.ETIMEDOUT,
    }
)  # fmt: skip
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})

_CLIENTS = ("botocore", "aiobotocore", "aiohttp")
"""Whose errors mean that no reply, or no whole one, arrived."""

_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or the credentials block"

_CODES: dict[str, tuple[str, str]] = {
    "NoSuchBucket": ("there is no such bucket", "create it, or correct {parameter}"),
    "InvalidBucketName": ("this is no name for a bucket", "correct {parameter}"),
    "InvalidAccessKeyId": ("the store does not know the access key", f"check {_KEYS}"),
    "SignatureDoesNotMatch": ("the secret key does not fit the access key", f"check {_KEYS}"),
    "ExpiredToken": ("the credentials have expired", "sign in again, or renew them"),
    "InvalidToken": ("the session token is not valid", "check AWS_SESSION_TOKEN, or unset it"),
    "RequestTimeTooSkewed": (
        "this machine's clock differs too much from the store's",
        "set the clock, for instance by NTP",
    ),
    "PreconditionFailed": ("it changed while it was being read", "run again"),
    "PermanentRedirect": ("the bucket is in another region", "set AWS_DEFAULT_REGION to it"),
    "AuthorizationHeaderMalformed": (
        "the store expects another region",
        "set AWS_DEFAULT_REGION to the bucket's",
    ),
}
"""S3's code -> what is wrong, and what to do; `{parameter}` is what the user corrects."""

_CODES["412"] = _CODES["PreconditionFailed"]
_CODES["301"] = _CODES["PermanentRedirect"]

_TRANSIENT_CODES = frozenset(
    {
        "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "OperationAborted",
        "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded",
        "408", "429", "500", "502", "503", "504",
    }
)  # fmt: skip
_FORBIDDEN_CODES = frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "403"})
_NOT_THERE_CODES = frozenset({"NoSuchKey", "404"})


def translated(
    error: Exception, url: str, done: str, parameter: str = "directory"
) -> StorageError | None:
    """What a filesystem raised as an error of ours; None for what is no fault of storage.

    Args:
        error: What was raised.
        url: What was accessed, without credentials.
        done: What was to be done with it: `read`, `written`, `listed` ...
        parameter: What the user calls the directory it is in, e.g. `output_dir`.
    """
    if code := error_code(error):
        return _of_code(code, url, done, parameter)
    # Object stores' clients raise their own classes for what happens before a reply arrives.
    if type(error).__module__.partition(".")[0] in _CLIENTS:
        return _without_reply(error, url, done)
    if isinstance(error, OSError):
        return _of_os_error(error, url, done, parameter)
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        problem = "AWS_ENDPOINT_URL is not a URL"
        return StorageError(url, problem, "set it to e.g. https://s3.example.com, or unset it")
    return None


def without_credentials(url: str) -> str:
    """`url` without user, password and query, which may hold a secret."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", url).split("?", 1)[0]


def _of_code(code: str, url: str, done: str, parameter: str) -> StorageError:
    if code in _CODES:
        problem, next_step = _CODES[code]
        return StorageError(url, problem, next_step.format(parameter=parameter))
    if code in _FORBIDDEN_CODES:
        next_step = f"allow it for this access key, or check {_KEYS}"
        return StorageError(url, f"it may not be {done} with this access key", next_step)
    if code in _NOT_THERE_CODES:
        problem = f"it cannot be {done}: it does not exist"
        return StorageError(url, problem, f"check that it exists, or correct {parameter}")
    return _failed(url, done, f"the store says {code}", transient=code in _TRANSIENT_CODES)


def _without_reply(error: Exception, url: str, done: str) -> StorageError:
    name = type(error).__name__
    if re.search("Credential|Profile|TokenRetrieval|SSO", name):
        problem = f"there are no usable AWS credentials ({_sentence(str(error))})"
        return StorageError(url, problem, f"set {_KEYS}")
    if "Checksum" in name:
        problem = f"it cannot be {done}: what arrived is not what was stored (its checksum differs)"
        return StorageError(url, problem, "run again; if it stays, replace it", transient=True)
    if re.search("Timeout|Connect|Closed|Incomplete|Payload|ServerDisconnected|HTTPClient", name):
        problem = f"it cannot be {done}: the store does not answer ({name})"
        next_step = "check AWS_ENDPOINT_URL and that the store is up, then run again"
        return StorageError(url, problem, next_step, transient=True)
    return _failed(url, done, str(error), transient=False)


def _of_os_error(error: OSError, url: str, done: str, parameter: str) -> StorageError:
    code, reason = error.errno, error.strerror or str(error) or type(error).__name__
    if code in _FULL:
        next_step = f"free some, or choose another {parameter}, and run again"
        return StorageError(url, "no space is left there", next_step)
    if code in _FORBIDDEN or isinstance(error, PermissionError):
        problem = f"it cannot be {done}: {reason}"
        return StorageError(url, problem, f"allow it there, or choose another {parameter}")
    if code in _NOT_THERE or isinstance(error, FileNotFoundError):
        problem = f"it cannot be {done}: {reason}"
        return StorageError(url, problem, f"check that it exists, or correct {parameter}")
    transient = code in _TRANSIENT_ERRNOS or isinstance(error, TimeoutError | ConnectionError)
    return _failed(url, done, reason, transient=transient)


def _failed(url: str, done: str, reason: str, *, transient: bool) -> StorageError:
    next_step = "run again, it may pass" if transient else "check the location and its settings"
    problem = f"it cannot be {done}: {_sentence(reason)}"
    return StorageError(url, problem, next_step, transient=transient)


def _sentence(reason: str) -> str:
    return " ".join(without_credentials(reason).split()).rstrip(".")
