"""S3 and what speaks its protocol: few requests, whole objects, and what its refusals mean.

Loads s3fs, and with it aiobotocore, only when the first `s3://` location is opened. Credentials
are those of the AWS tools (environment, profile, role), unless `use_credentials` gave others.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from storage.backends import FileIdentity, Listing

if TYPE_CHECKING:
    from storage.s3fs_client import S3Client

PROTOCOLS = ("s3", "s3a")


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """Who to be, and where, instead of what the AWS environment says; None leaves that to it.

    Attributes:
        access_key_id: Name of the key.
        secret_access_key: The key; shown nowhere.
        session_token: Of a temporary key; shown nowhere.
        endpoint_url: Address of a store that is not Amazon's.
        region: Where the buckets are.
        profile: Name of a profile of this machine's AWS configuration.
        verify: Whether the store's certificate is checked, or the file of authorities that it is
            checked against.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    verify: bool | str | None = None


_credentials = S3Credentials()
_stores: dict[tuple[object, ...], S3Store] = {}
_lock = threading.Lock()


def use_credentials(credentials: S3Credentials) -> None:
    """Use these for every S3 location that this process opens from now on."""
    global _credentials  # noqa: PLW0603 - one process acts as one identity
    _credentials = credentials


def s3_store() -> S3Store:
    """The store of this process's credentials and environment; one client serves all threads."""
    from storage.s3fs_client import S3Client  # noqa: PLC0415 - see the module's docstring

    environment = sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))
    key = (os.getpid(), _credentials, tuple(environment))
    with _lock:
        if key not in _stores:
            _stores.clear()
            _stores[key] = S3Store(S3Client.of(_credentials))
        return _stores[key]


_CHANGED = frozenset(
    {"PreconditionFailed", "412", "ConditionalRequestConflict", "NoSuchKey", "404"}
)
"""What a store answers when what a condition names is not there, or is being changed."""


class S3Store:
    """Objects by `bucket/key`, each call one request; listings one per thousand entries.

    Attributes:
        is_down: Whether it failed until patience was at an end, and has not answered since.
    """

    knows_versions = True

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self.is_down = False

    @property
    def filesystem(self) -> Any:  # noqa: ANN401 - s3fs has no types
        """The s3fs filesystem."""
        return self._client.filesystem

    def make_bucket(self, bucket: str) -> None:
        """Make the bucket unless it is there."""
        try:
            self._request("head_bucket", Bucket=bucket)
        except FileNotFoundError:
            self._request("create_bucket", Bucket=bucket)

    def exists(self, path: str) -> bool:
        """Whether there is any object below the prefix; an empty bucket exists."""
        bucket, key = _parts(path)
        page = self._request(
            "list_objects_v2", Bucket=bucket, Prefix=f"{key}/" if key else "", MaxKeys=1
        )
        return not key or bool(page.get("Contents"))

    def identity(self, path: str) -> FileIdentity | None:
        """Size and ETag of the object."""
        bucket, key = _parts(path)
        try:
            head = self._request("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return None
        return FileIdentity(int(head["ContentLength"]), head["ETag"])

    def is_settled(self, identity: FileIdentity) -> bool:  # noqa: ARG002 - so is any
        """Always: the ETag is a hash of the content."""
        return True

    def list(self, path: str) -> Listing:
        """Objects and common prefixes one level below."""
        bucket, key = _parts(path)
        prefix = f"{key}/" if key else ""
        listing = Listing({}, [])
        more: dict[str, str] = {}
        while True:
            page = self._request(
                "list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", **more
            )
            for entry in page.get("Contents", ()):
                identity = FileIdentity(int(entry["Size"]), entry["ETag"])
                listing.files[entry["Key"].removeprefix(prefix)] = identity
            listing.folders.extend(
                entry["Prefix"].removeprefix(prefix).rstrip("/")
                for entry in page.get("CommonPrefixes", ())
            )
            if not page.get("IsTruncated"):
                return listing
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def read(self, path: str) -> bytes:
        """The whole object."""
        return self.fetch(path)

    def read_tail(self, path: str, size: int) -> bytes:
        """Its end, by a range that counts from there."""
        try:
            return self.fetch(path, Range=f"bytes=-{size}")
        except OSError as error:
            if error_code(error) in ("InvalidRange", "416"):  # an empty object has no range
                return b""
            raise

    def read_range(self, path: str, start: int, end: int, version: str) -> bytes:
        """A range of the object, refused by the store when the object is another version now."""
        return self.fetch(path, Range=f"bytes={start}-{end - 1}", IfMatch=version)

    def write(self, path: str, content: bytes | memoryview) -> None:
        """One PUT."""
        bucket, key = _parts(path)
        self._request("put_object", Bucket=bucket, Key=key, Body=bytes(content))

    def remove(self, path: str) -> None:
        """Remove the object; a missing one is no error."""
        bucket, key = _parts(path)
        self._request("delete_object", Bucket=bucket, Key=key)

    def write_over(self, path: str, content: bytes | memoryview, version: str | None) -> bool:
        """One PUT, which the store refuses when another version is there.

        When the reply to it is lost and it is sent again, that version is our own.
        """
        bucket, key = _parts(path)
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        written = self._unless_changed(
            "put_object", Bucket=bucket, Key=key, Body=bytes(content), **condition
        )
        return written or self._holds(path, content)

    def remove_version(self, path: str, version: str) -> bool:
        """One DELETE, which the store refuses when another version is there."""
        bucket, key = _parts(path)
        return self._unless_changed("delete_object", Bucket=bucket, Key=key, IfMatch=version)

    def fetch(self, path: str, **conditions: str) -> bytes:
        """The object, or the range of it that the conditions name."""
        bucket, key = _parts(path)
        return self._client.body("get_object", Bucket=bucket, Key=key, **conditions)

    def _holds(self, path: str, content: bytes | memoryview) -> bool:
        try:
            return self.read(path) == bytes(content)
        except FileNotFoundError:
            return False

    def _unless_changed(self, method: str, **arguments: object) -> bool:
        try:
            self._request(method, **arguments)
        except OSError as error:
            if error_code(error) in _CHANGED:
                return False
            raise
        return True

    def _request(self, method: str, **arguments: object) -> dict[str, Any]:
        return self._client.request(method, **arguments)


def error_code(error: BaseException) -> str:
    """S3's code for what went wrong, such as `NoSuchBucket`; of a reply without one, its status.

    Args:
        error: What s3fs raised: botocore's error, or one of Python's that was made from it.

    Returns:
        The code; empty when the error is no reply of a store.
    """
    for candidate in (error, error.__cause__):
        response = getattr(candidate, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _parts(path: str) -> tuple[str, str]:
    bucket, _, key = path.partition("/")
    return bucket, key
