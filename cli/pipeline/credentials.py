"""Credentials for this command's own reading and writing on S3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.boundary.settings import Settings
    from servers.connection import Connection


def use_credentials_block(settings: Settings, connection: Connection) -> None:
    """Use the block that the settings name, if any, as the flows do; its server must be up first.

    Raises:
        CommandError: The server did not come up.
        ParameterError: There is no such block.
    """
    if settings.aws_credentials_block is None:
        return
    from flows.boundary import aws_credentials  # noqa: PLC0415 - loads Prefect

    connection.wait_until_ready()
    asyncio.run(aws_credentials.use_credentials_block())
