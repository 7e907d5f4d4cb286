"""Alert rules as people write them: by command, in a file, or through the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from trading.bars.intervals import Interval
from trading.errors import ParameterError, shown
from trading.instruments.symbols import Contract

Severity = Literal["info", "warning", "critical"]
SignalName = Literal["buy", "hold", "sell"]
SurveyKind = Literal[
    "gap", "failed_partition", "risk_state", "risk_limit", "reconciliation", "service_down"
]

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
LONGEST_WINDOW = 390
"""Bars that a change may look back: a session of minutes."""


class BaseRule(BaseModel):
    """What all rules have."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(
        pattern=NAME_PATTERN, description="What people call it.", examples=["aapl-high"]
    )
    severity: Severity = Field("warning", description="How much it matters.", examples=["critical"])
    remind_seconds: int | None = Field(
        3600,
        ge=60,
        description="Seconds between reminders while it fires; null for none.",
        examples=[900],
    )
    channels: tuple[str, ...] = Field(
        (), description="Channels of TRADING_NOTIFY; none named: all.", examples=[["mail"]]
    )
    notify_resolved: bool = Field(
        default=True, description="Whether to notify when it ends, too.", examples=[False]
    )


class SymbolRule(BaseRule):
    """A rule that looks at each symbol by itself."""

    symbols: tuple[Contract, ...] = Field(
        (), description="Which symbols; none named: every one that is seen.", examples=[["AAPL"]]
    )
    interval: Interval = Field(
        Interval.MINUTE, description="The bars that it looks at.", examples=["5m"]
    )


class PriceRule(SymbolRule):
    """The close crosses a level; a price that has not been on the other side has not crossed."""

    kind: Literal["price_above", "price_below"]
    level: float = Field(gt=0, description="The price in dollars.", examples=[200.0])
    hysteresis: float = Field(
        0.001,
        ge=0,
        lt=1,
        description="How far the price has to come back before it ends, as a share of the level.",
        examples=[0.005],
    )


class ChangeRule(SymbolRule):
    """The close has changed by more than some per cent over a number of bars."""

    kind: Literal["change"]
    percent: float = Field(gt=0, le=1000, description="Size of the change.", examples=[2.0])
    bars: int = Field(
        12, ge=1, le=LONGEST_WINDOW, description="Bars from one close to the other.", examples=[12]
    )
    direction: Literal["up", "down", "either"] = Field(
        "either", description="Which changes count.", examples=["down"]
    )
    hysteresis: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="How much smaller the change has to be before it ends, as a share of it.",
        examples=[0.2],
    )


class _StrategyRule(SymbolRule):
    strategy: str = Field(description="The strategy's name.", examples=["vegas_channel"])
    fingerprint: str | None = Field(
        None,
        description="Of its version and parameters; none: each set of parameters by itself.",
        examples=["3f2a90c1"],
    )


class IndicatorRule(_StrategyRule):
    """One of a strategy's columns crosses another one, or a level."""

    kind: Literal["indicator_above", "indicator_below"]
    column: str = Field(description="The column that crosses.", examples=["rsi_14"])
    other: str | None = Field(None, description="The column crossed.", examples=["ema_144"])
    level: float | None = Field(None, description="The level crossed.", examples=[70.0])
    hysteresis: float = Field(
        0.0, ge=0, description="How far it has to come back, in its unit.", examples=[2.0]
    )

    @model_validator(mode="after")
    def _one_to_cross(self) -> Self:
        if (self.other is None) == (self.level is None):
            raise ValueError("name one of other and level, what the column crosses")
        return self


class SignalRule(_StrategyRule):
    """A strategy says one of some signals that it did not say a bar before."""

    kind: Literal["signal"]
    signals: tuple[SignalName, ...] = Field(
        ("buy", "sell"), min_length=1, description="Which of them.", examples=[["buy"]]
    )
    notify_resolved: bool = Field(
        default=False, description="Whether to notify when it ends, too.", examples=[True]
    )


class StaleRule(SymbolRule):
    """No bar has come for some time although the exchange is open."""

    kind: Literal["stale"]
    seconds: int = Field(
        180,
        ge=5,
        description="Greatest age of the last bar's end within a session.",
        examples=[300],
    )

    @model_validator(mode="after")
    def _longer_than_a_bar(self) -> Self:
        if not self.interval.is_intraday:
            raise ValueError(f"bars of {self.interval} do not come within a session")
        if self.seconds <= 60 * self.interval.minutes:
            raise ValueError(f"seconds is not more than a {self.interval} bar lasts")
        return self


class SurveyRule(BaseRule):
    """A state of the platform: a gap, a failed partition, the risk state, a difference, a service.

    What each looks at is in docs/alerts.md.
    """

    kind: SurveyKind
    subjects: tuple[str, ...] = Field(
        (), description="Of these alone, e.g. accounts or services; none named: of all.",
        examples=[["executor"]],
    )  # fmt: skip
    seconds: int = Field(
        60, ge=0, description="How long a service may be silent; of use to service_down alone.",
        examples=[30],
    )  # fmt: skip


AlertRule = Annotated[
    PriceRule | ChangeRule | IndicatorRule | SignalRule | StaleRule | SurveyRule,
    Field(discriminator="kind"),
]
"""Any of them."""

_RULE: TypeAdapter[AlertRule] = TypeAdapter(AlertRule)

KINDS = (
    "price_above", "price_below", "change", "indicator_above", "indicator_below", "signal",
    "stale", "gap", "failed_partition", "risk_state", "risk_limit", "reconciliation",
    "service_down",
)  # fmt: skip
"""What rules may be."""


def alert_rule(definition: Mapping[str, Any]) -> AlertRule:
    """The rule that a definition describes.

    Raises:
        ParameterError: It is none; the message names the first field that is wrong.
    """
    try:
        return _RULE.validate_python(dict(definition))
    except ValidationError as error:
        raise _refusal(definition, error) from None


def _refusal(definition: Mapping[str, Any], error: ValidationError) -> ParameterError:
    first = error.errors(include_url=False)[0]
    name = definition.get("name")
    if first["type"].startswith("union_tag"):
        allowed = f"a kind of alert rule ({', '.join(KINDS)})"
        return ParameterError("kind", definition.get("kind"), allowed, "name one of them")
    # The first part of a place is the kind that decides which model is meant.
    field = ".".join(map(str, first["loc"][1:])) or "rule"
    said = first["msg"].removeprefix("Value error, ")
    value = "missing" if first["type"] == "missing" else first["input"]
    value = dict(definition) if field == "rule" else value
    allowed = f"usable in the rule {shown(name)} ({said})"
    return ParameterError(field, value, allowed, "correct it and pass the rule again")
