"""The first look at the places that a run reads and writes."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from fanout.prefect_engine.context import current_flow_run
from flows.boundary.parameters import input_url, lake_url, output_url
from storage.checks import check_reachable

_URL_OF = {"input_dir": input_url, "output_dir": output_url, "lake_dir": lake_url}


async def check_places(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Make sure that the directories of a run that somebody started answer, within seconds.

    Storage that answered before is waited for when it fails, since it mostly comes back. A place
    that never answered is more often mistyped. Children are spared the look: their parent had it,
    and in an outage in the middle they are to wait.

    Args:
        function: The flow's function; its parameters `input_dir`, `output_dir` and `lake_dir` are
            looked at.
        args: What it is called with, by position.
        kwargs: What it is called with, by name.

    Raises:
        ParameterError: One of them is no usable URL.
        StorageError: One of them cannot be reached, or refuses.
    """
    run = current_flow_run()
    if run is None or run.parent_task_run_id:
        return
    signature = inspect.signature(function)
    given = signature.bind(*args, **kwargs).arguments
    for parameter, url_of in _URL_OF.items():
        if parameter in signature.parameters:
            url = url_of(given.get(parameter))
            await asyncio.to_thread(check_reachable, url, parameter)
