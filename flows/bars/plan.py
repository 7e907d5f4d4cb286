"""What a run of the medallion does, layer by layer and symbol by symbol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanout import Child, Placement
from flows.boundary.settings import JobPer
from flows.deploy.deployments import BRONZE, GOLD, SILVER
from lake.gold.request import GoldRequest
from lake.silver.request import SilverRequest
from lake.stretch import is_file_of, symbols_of
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.strategies.registry import strategy_named


@dataclass(frozen=True, slots=True, kw_only=True)
class MedallionPlan:
    """What to run, layer by layer.

    Attributes:
        layers: The layers in order.
        ingestion: The parameters of bronze beside the symbols.
        strategies: Strategies of gold.
        strategy_parameters: Their parameters, by name.
        intervals: The intervals of gold.
        shared: Parameters that silver and gold have in common.
        sources: Sources of bronze.
        context_symbols: The symbols of the series beside the bars.
        job_per: How much runs in a job of its own.
        only: Files to look at; None for all.
        pages: Whether gold draws a page for each symbol.
    """

    layers: tuple[str, ...]
    ingestion: Mapping[str, Any] | None
    strategies: tuple[str, ...]
    strategy_parameters: Mapping[str, Mapping[str, Any]]
    intervals: tuple[Interval, ...]
    shared: Mapping[str, Any]
    sources: tuple[str, ...]
    context_symbols: Mapping[str, str]
    job_per: JobPer
    only: frozenset[str] | None
    pages: bool = True

    def symbols(self, named: Sequence[str] | None) -> list[str]:
        """The symbols to run, after everything that can be refused beforehand is.

        Raises:
            ParameterError: A strategy, its parameters or a symbol is wrong, or bronze is not told
                what to fetch.
        """
        unknown = set(self.strategy_parameters) - set(self.strategies)
        if unknown:
            raise ParameterError(
                "strategy_parameters",
                min(unknown),
                f"one of the strategies {', '.join(self.strategies)}",
                "name the strategy in strategies as well, or leave its parameters out",
            )
        gold = [self._gold_request(strategy) for strategy in self.strategies]
        for request in gold:
            _ = request.strategy_parameters
        if "bronze" in self.layers:
            return _told_to_bronze(self.ingestion, named)
        lake = self.shared["lake_dir"]
        asked = tuple(named or (() if self.only is None else symbols_of(self.only)))
        if "silver" in self.layers:
            silver = SilverRequest(lake_dir=lake, symbols=asked, sources=self.sources)
            return list(silver.symbols_in_bronze([Interval.DAY, Interval.MINUTE]))
        known = (GoldRequest(lake_dir=lake, strategy=s, symbols=asked, intervals=self.intervals)
                 for s in self.strategies)  # fmt: skip
        return sorted({symbol for request in known for symbol in request.chosen_symbols()})

    def children(self, layer: str, symbols: Sequence[str]) -> tuple[str, list[Child]]:
        """The deployment of a layer, and its flow runs."""
        if layer == "bronze":
            places = {"lake_dir": self.shared["lake_dir"], "job_per": self.job_per.value}
            fetched = places | dict(self.ingestion or {})
            return BRONZE, [_child(layer, symbol, fetched) for symbol in symbols]
        own = {"job_per": self.job_per.value, **self.shared}
        if layer == "silver":
            own["sources"] = list(self.sources) or None
            folders = ("silver", "silver_days")
            return SILVER, [
                _child(layer, symbol, own | {"partitions": files})
                for symbol in symbols
                if (files := self._files(symbol, *folders)) != []
            ]
        return GOLD, [
            _child(f"gold {strategy}", symbol, own | self._gold(strategy) | {"partitions": files})
            for strategy in self.strategies
            for symbol in symbols
            if symbol not in self._beside(strategy)
            and (files := self._files(symbol, f"gold/{strategy_named(strategy).name}")) != []
        ]

    @property
    def placement(self) -> Placement:
        """Where the runs of one symbol's layer execute."""
        return self.job_per.symbol_placement

    def _gold(self, strategy: str) -> dict[str, Any]:
        return {
            "strategy": strategy,
            "parameters": dict(self.strategy_parameters.get(strategy, {})),
            "intervals": [interval.value for interval in self.intervals],
            "context_symbols": dict(self.context_symbols),
            "pages": self.pages,
        }

    def _gold_request(self, strategy: str) -> GoldRequest:
        return GoldRequest(
            lake_dir=self.shared["lake_dir"],
            strategy=strategy,
            parameters=self.strategy_parameters.get(strategy, {}),
            intervals=self.intervals,
        )

    def _beside(self, strategy: str) -> set[str | None]:
        return {self.context_symbols.get(name) for name in strategy_named(strategy).context}

    def _files(self, symbol: str, *folders: str) -> list[str] | None:
        """Those of the files asked for that are a symbol's in one of the folders; None for all."""
        if self.only is None:
            return None
        return sorted(n for n in self.only if any(is_file_of(n, f, symbol) for f in folders))


def _child(layer: str, symbol: str, parameters: Mapping[str, Any]) -> Child:
    return Child(
        key=f"{layer}/{symbol}",
        name=f"{symbol} {layer}",
        parameters={**parameters, "symbols": [symbol]},
        tags=(symbol,),
    )


def _told_to_bronze(ingestion: Mapping[str, Any] | None, named: Sequence[str] | None) -> list[str]:
    """The symbols to fetch.

    Raises:
        ParameterError: It is not said what to fetch, or of which symbols.
    """
    if ingestion is None:
        raise ParameterError(
            "ingestion",
            None,
            "the parameters of the flow bronze, which the layer bronze needs",
            'pass e.g. {"interval": "1m", "start": "2024-01-02", "end": "2024-01-31"}, or '
            'layers=["silver", "gold"] to use what is there',
        )
    if not named:
        raise ParameterError(
            "symbols",
            named,
            "a list of symbols, which the layer bronze needs",
            'name those to fetch, e.g. ["AAPL", "MSFT"]',
        )
    return list(dict.fromkeys(named))
