"""`medallion`: bronze, then silver, then gold of many symbols.

Each symbol's layer is a flow run. A layer begins when the one below has ended for all symbols; a
symbol whose layer failed goes no further, and stops no other.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from importlib import import_module
from typing import Annotated, Any, Literal

from prefect import Flow, flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from fanout import Child, ChildResult, Outcome, Placement, end_orphans, fan_out
from flows.bars.layer import MedallionSummary, SymbolLayer
from flows.bars.layer_parameters import (
    DEFAULT_CONTEXT,
    DEFAULT_INTERVALS,
    AsOf,
    BarIntervals,
    ContextSymbols,
    FirstDate,
    LakeFiles,
    LastDate,
    Pages,
    Sources,
    StrategyName,
    Symbols,
    moment,
)
from flows.bars.plan import MedallionPlan
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.parameters import JobPerChoice, LakeDir, Reprocess, lake_url
from flows.boundary.settings import settings
from flows.deploy.deployments import BRONZE, GOLD, SILVER
from flows.runs import rendering
from flows.runs.commands import non_default_parameters, run_command
from flows.runs.observing import Together, observer

Layer = Literal["bronze", "silver", "gold"]

EVERY_LAYER: list[Layer] = ["bronze", "silver", "gold"]

DEFAULT_STRATEGIES = ["vegas_channel"]

_FLOWS = {
    BRONZE: ("flows.bars.bronze", "bronze"),
    SILVER: ("flows.bars.silver", "silver"),
    GOLD: ("flows.bars.gold", "gold"),
}
"""Where the flow of each layer's deployment is; imported when the layer is run in this process."""

_DEFAULTS: Mapping[str, object] = {"parameters": {}, "reprocess": False, "pages": True}
"""What the flows of the layers take for parameters that nobody gives."""


@flow(name="medallion", flow_run_name="medallion")
@domain_errors_fail_run
@documented
async def medallion(
    symbols: Symbols = None,
    layers: Annotated[
        list[Layer],
        Field(min_length=1, description="The layers to run.", examples=[["silver", "gold"]]),
    ] = EVERY_LAYER,
    ingestion: Annotated[
        dict[str, Any] | None,
        Field(
            description="The parameters of the flow bronze beside the symbols; the layer bronze "
            "needs them.",
            examples=[{"interval": "1m", "start": "2024-01-02", "end": "2024-01-31"}],
        ),
    ] = None,
    strategies: Annotated[
        list[StrategyName],
        Field(min_length=1, description="Strategies of gold.", examples=[["vegas_channel"]]),
    ] = DEFAULT_STRATEGIES,
    strategy_parameters: Annotated[
        dict[str, dict[str, Any]] | None,
        Field(
            description="By strategy, its parameters that are not its defaults.",
            examples=[{"vegas_channel": {"lost_window": 20}}],
        ),
    ] = None,
    intervals: BarIntervals = DEFAULT_INTERVALS,
    first: FirstDate = None,
    last: LastDate = None,
    sources: Sources = None,
    as_of: AsOf = None,
    context_symbols: ContextSymbols = DEFAULT_CONTEXT,  # type: ignore[assignment]
    job_per: JobPerChoice = None,
    reprocess: Reprocess = False,
    partitions: LakeFiles = None,
    pages: Pages = True,
    lake_dir: LakeDir = None,
) -> MedallionSummary:
    """Bring bronze, silver and gold of many symbols up to date, layer by layer.

    Ends Failed when a layer of a symbol failed, after all others have been tried, with the
    command that redoes each. Running it again does only what is missing.
    """
    if orphans := await end_orphans():
        get_run_logger().info("Ended %d runs whose process was gone", orphans)
    plan = MedallionPlan(
        layers=tuple(layer for layer in EVERY_LAYER if layer in layers),
        ingestion=ingestion,
        strategies=tuple(dict.fromkeys(strategies)),
        strategy_parameters=strategy_parameters or {},
        intervals=tuple(dict.fromkeys(intervals)),
        shared={
            "first": None if first is None else first.isoformat(),
            "last": None if last is None else last.isoformat(),
            "as_of": moment(as_of).isoformat(),
            "reprocess": reprocess,
            "lake_dir": lake_url(lake_dir),
        },
        sources=tuple(sources or ()),
        context_symbols=context_symbols,
        job_per=job_per or settings().job_per,
        only=None if partitions is None else frozenset(partitions),
        pages=pages,
    )
    chosen = await asyncio.to_thread(plan.symbols, symbols)
    return await _ended(*await run_layers(plan, chosen))


async def run_layers(
    plan: MedallionPlan, symbols: Sequence[str]
) -> tuple[MedallionSummary, list[rendering.Failure]]:
    """Run the layers, each for the symbols that the one before completed."""
    left, dropped, seconds = list(symbols), dict[str, str](), dict[str, float]()
    layers: list[SymbolLayer] = []
    failures: list[rendering.Failure] = []
    for layer in plan.layers:
        began = time.monotonic()
        deployment, children = plan.children(layer, left)
        with _observed_together():
            results = await _run(plan, deployment, children)
        for result in results:
            layers.append(_symbol_layer(result))
            if result.outcome is not Outcome.COMPLETED:
                dropped[result.child.tags[0]] = layer
                failures.append(_failure(deployment, result))
        left = [symbol for symbol in left if symbol not in dropped]
        seconds[layer] = time.monotonic() - began
    return MedallionSummary(tuple(layers), dropped, seconds), failures


async def _run(
    plan: MedallionPlan, deployment: str, children: Sequence[Child]
) -> Sequence[ChildResult]:
    ended = await fan_out(
        children,
        deployment=deployment,
        placement=plan.placement,
        flow=_flow_of(deployment) if plan.placement is Placement.INLINE else None,
        policy=settings().symbol_policy(plan.placement, widest=1),
        # A retried run asks about the world again: what was up to date may have changed.
        satisfied=lambda _: (),
        # Runs in this process tell of their partitions themselves.
        on_progress=None if plan.placement is Placement.INLINE else observer.get(),
    )
    return ended.results


@contextmanager
def _observed_together() -> Iterator[None]:
    """The partitions of all symbols as those of one run, to whoever watches this one."""
    observe = observer.get()
    token = observer.set(observe and Together(observe).of_one)
    try:
        yield
    finally:
        observer.reset(token)


def _flow_of(deployment: str) -> Flow[..., Any]:
    """The flow of a layer's deployment; its module is loaded when the layer is run here."""
    module, name = _FLOWS[deployment]
    found: Flow[..., Any] = getattr(import_module(module), name)
    return found


def _symbol_layer(result: ChildResult) -> SymbolLayer:
    counts = result.value if result.outcome is Outcome.COMPLETED else None
    layer = result.child.key.partition("/")[0]
    return SymbolLayer(layer, result.child.tags[0], result.outcome.value, counts)


def _failure(deployment: str, result: ChildResult) -> rendering.Failure:
    told = non_default_parameters(result.child.parameters, _DEFAULTS)
    return rendering.Failure(
        partition=result.child.name,
        outcome=result.outcome.value,
        reason=result.message,
        command=run_command(deployment, told),
    )


async def _ended(
    summary: MedallionSummary, failures: Sequence[rendering.Failure]
) -> MedallionSummary:
    """Publish what the run came to, and end it: completed, or Failed with what to redo."""
    done = sum(one.outcome == Outcome.COMPLETED.value for one in summary.layers)
    text = f"{done} of {len(summary.layers)} layers of symbols completed"
    rows = [
        (one.symbol, one.layer, one.outcome)
        + ((one.counts.total, rendering.counts_text(one.counts)) if one.counts else ("", ""))
        for one in summary.layers
    ]
    head = ("symbol", "layer", "run", "partitions", "of them")
    totals = [(layer, *astuple(total)) for layer, total in summary.totals().items()]
    of_layers = ("layer", "symbols", "not completed", "computed", "up to date", "failed")
    await acreate_markdown_artifact(
        "\n\n".join(
            ["# Medallion", text + ".", rendering.table(of_layers, totals),
             "## Symbol by symbol", rendering.table(head, rows),
             *rendering.failures_section(failures)]
        ),
        key="medallion-summary",
        description=text,
    )  # fmt: skip
    get_run_logger().info("%s", text)
    if failures:
        message = rendering.failure_message(failures, len(summary.layers), "layers of symbols")
        raise UnfinishedError(message, summary)
    return summary
