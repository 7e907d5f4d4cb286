"""Credentials for S3 from a Prefect block, where the settings name one.

The block's document is read from the API as it is. Loading the block's class instead would
import `prefect_aws` and boto3, a second of CPU in every job, for a few plain values.
"""

from collections.abc import Mapping
from typing import Any

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from flows.boundary.settings import settings
from storage.s3 import S3Credentials, use_credentials
from trading.errors import ParameterError

SETTING = "TRADING_AWS_CREDENTIALS_BLOCK"

AWS, MINIO = "aws-credentials", "minio-credentials"

_used: list[str] = []
"""The block that this process uses, once it does."""


async def use_credentials_block() -> None:
    """Use the block that the settings name, if any, for all S3 locations of this process.

    Raises:
        ParameterError: There is no such block, or it assumes a role.
    """
    named = settings().aws_credentials_block
    if named is None or named in _used:
        return
    kind, _, name = named.rpartition("/")
    use_credentials(await _credentials(kind or AWS, name))
    _used[:] = [named]


async def _credentials(kind: str, name: str) -> S3Credentials:
    async with get_client() as client:
        try:
            document = await client.read_block_document_by_name(name, kind, include_secrets=True)
        except ObjectNotFound:
            raise ParameterError(
                SETTING,
                f"{kind}/{name}",
                "a block of this Prefect server",
                "create it in the UI under Blocks, correct the name, or unset the setting",
            ) from None
    if document.data.get("assume_role_arn"):
        raise ParameterError(
            SETTING,
            f"{kind}/{name}",
            "a block that holds a key or a profile, but assumes a role",
            "name a profile with that role_arn in the block instead",
        )
    return credentials_of(kind, document.data)


def credentials_of(kind: str, data: Mapping[str, Any]) -> S3Credentials:
    """What a block's document says, in the words of its type.

    Of its client parameters, those that say where the store is and how its certificate is
    checked: `endpoint_url`, `verify` and `verify_cert_path`.

    Args:
        kind: `aws-credentials` or `minio-credentials`.
        data: The document's fields.
    """
    key, secret = (
        ("minio_root_user", "minio_root_password")
        if kind == MINIO
        else ("aws_access_key_id", "aws_secret_access_key")
    )
    client = data.get("aws_client_parameters") or {}
    return S3Credentials(
        access_key_id=data.get(key),
        secret_access_key=data.get(secret),
        session_token=data.get("aws_session_token"),
        endpoint_url=client.get("endpoint_url"),
        region=data.get("region_name"),
        profile=data.get("profile_name"),
        verify=_verify(client),
    )


def _verify(client: Mapping[str, Any]) -> bool | str | None:
    """Whether, or against what, a block's client parameters have certificates checked."""
    if client.get("verify") is False:
        return False
    file = client.get("verify_cert_path") or client.get("verify")
    return file if isinstance(file, str) else None
