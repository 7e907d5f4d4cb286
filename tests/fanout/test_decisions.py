"""What is decided about a child, for every state a server can report."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, StateType

from fanout import FanOutPolicy, Placement
from fanout.decisions import Attempt, Step, idempotency_key, latest_attempts, next_step

INLINE, JOB = Placement.INLINE, Placement.JOB
POLICY = FanOutPolicy(max_attempts=3)
RUN = UUID(int=1)

FINAL = sorted(TERMINAL_STATES)
UNFINISHED = sorted(set(StateType) - set(TERMINAL_STATES))


def attempt(state: StateType | None, *, inherited: bool = False, stale: bool = False) -> Attempt:
    return Attempt(1, RUN, state, inherited, stale)


placements = st.sampled_from(Placement)
policies = st.builds(FanOutPolicy, max_attempts=st.integers(1, 9))
any_attempt = st.builds(
    Attempt,
    number=st.integers(1, 99),
    flow_run_id=st.just(RUN),
    state_type=st.sampled_from(StateType) | st.none(),
    inherited=st.booleans(),
    stale=st.booleans(),
)


@pytest.mark.parametrize(
    ("latest", "placement", "tried_here", "step"),
    [
        (None, INLINE, 0, Step.CREATE),
        (None, JOB, 0, Step.CREATE),
        (attempt(StateType.PENDING), INLINE, 1, Step.EXECUTE),
        (attempt(StateType.SCHEDULED), INLINE, 1, Step.EXECUTE),  # the flow's own retry
        (attempt(StateType.PENDING, inherited=True), INLINE, 0, Step.EXECUTE),
        (attempt(StateType.RUNNING, inherited=True), INLINE, 0, Step.ABANDON),
        (attempt(StateType.SCHEDULED, inherited=True), INLINE, 0, Step.ABANDON),
        (attempt(StateType.CANCELLING, inherited=True), INLINE, 0, Step.ABANDON),
        (attempt(StateType.PAUSED, inherited=True), INLINE, 0, Step.ABANDON),
        (attempt(StateType.SCHEDULED), JOB, 1, Step.WAIT),
        (attempt(StateType.PENDING, inherited=True), JOB, 0, Step.WAIT),
        (attempt(StateType.RUNNING, inherited=True), JOB, 0, Step.WAIT),
        (attempt(StateType.COMPLETED), INLINE, 1, Step.END),
        (attempt(StateType.COMPLETED, inherited=True), JOB, 0, Step.END),
        (attempt(StateType.COMPLETED, inherited=True, stale=True), INLINE, 0, Step.CREATE),
        (attempt(StateType.FAILED), INLINE, 1, Step.END),
        (attempt(StateType.FAILED, inherited=True), INLINE, 0, Step.CREATE),
        (attempt(StateType.CANCELLED), JOB, 1, Step.END),
        (attempt(StateType.CANCELLED, inherited=True), JOB, 0, Step.CREATE),
        (attempt(StateType.CRASHED), INLINE, 1, Step.CREATE),
        (attempt(StateType.CRASHED), JOB, 2, Step.CREATE),
        (attempt(StateType.CRASHED), INLINE, 3, Step.END),
        (attempt(StateType.CRASHED, inherited=True), INLINE, 0, Step.CREATE),
    ],
)
def test_the_next_step(
    latest: Attempt | None, placement: Placement, tried_here: int, step: Step
) -> None:
    assert next_step(latest, placement, POLICY, tried_here) is step


@given(placements, policies, any_attempt, st.integers(0, 20))
def test_completed_work_that_is_there_is_never_done_again(
    placement: Placement, policy: FanOutPolicy, latest: Attempt, tried: int
) -> None:
    completed = replace(latest, state_type=StateType.COMPLETED, stale=False)
    assert next_step(completed, placement, policy, tried) is Step.END


@given(placements, policies, st.integers(0, 20))
def test_a_failure_is_the_flows_own_answer(
    placement: Placement, policy: FanOutPolicy, tried: int
) -> None:
    assert next_step(attempt(StateType.FAILED), placement, policy, tried) is Step.END


@given(any_attempt, policies, st.integers(0, 20))
def test_a_job_is_neither_executed_nor_given_up_here(
    latest: Attempt, policy: FanOutPolicy, tried: int
) -> None:
    step = next_step(latest, JOB, policy, tried)
    assert step in {Step.CREATE, Step.WAIT, Step.END}
    assert (step is Step.WAIT) == (latest.state_type not in TERMINAL_STATES)


@given(placements, policies, st.data())
def test_every_child_ends_after_at_most_max_attempts_runs(
    placement: Placement, policy: FanOutPolicy, data: st.DataObject
) -> None:
    latest, tried = None, 0
    ends: list[StateType] = []
    while (step := next_step(latest, placement, policy, tried)) is not Step.END:
        if step is Step.CREATE:
            tried += 1
            assert tried <= policy.max_attempts  # or it would go on for ever
            latest = attempt(None)
        else:
            ends.append(data.draw(st.sampled_from(FINAL)))
            latest = attempt(ends[-1])
    # Another run is made of one that crashed, and of no other.
    assert ends[:-1] == [StateType.CRASHED] * (tried - 1)
    assert len(ends) == tried
    if ends[-1] is StateType.CRASHED:
        assert tried == policy.max_attempts


@given(placements, policies, st.sampled_from(FINAL))
def test_a_retried_parent_gets_what_did_not_complete_once_more(
    placement: Placement, policy: FanOutPolicy, state: StateType
) -> None:
    step = next_step(attempt(state, inherited=True), placement, policy, 0)
    assert step is (Step.END if state is StateType.COMPLETED else Step.CREATE)


def run_with(key: str | None) -> FlowRun:
    return FlowRun(flow_id=uuid4(), idempotency_key=key, name="leaf")


keys = st.text(st.characters(exclude_categories=["Cs"])) | st.from_regex(r"[0-9:]{0,12}")


@settings(max_examples=50)
@given(st.dictionaries(keys, st.integers(1, 12), max_size=5), st.randoms(use_true_random=False))
def test_the_latest_attempts_are_found_by_any_child_key(attempts: dict[str, int], random) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - random.Random of Hypothesis
    parent = uuid4()
    runs = [
        run_with(idempotency_key(parent, key, number))
        for key, last in attempts.items()
        for number in range(1, last + 1)
    ]
    random.shuffle(runs)
    latest = latest_attempts(parent, runs)
    assert {key: number for key, (number, _) in latest.items()} == attempts
    for key, (number, run) in latest.items():
        assert run.idempotency_key == idempotency_key(parent, key, number)


@given(st.tuples(keys, st.integers(1, 999)), st.tuples(keys, st.integers(1, 999)))
def test_no_two_attempts_share_a_key(one: tuple[str, int], other: tuple[str, int]) -> None:
    parent = UUID(int=7)
    same = idempotency_key(parent, *one) == idempotency_key(parent, *other)
    assert same == (one == other)


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "made by hand",
        "{parent}",
        "{parent}:",
        "{parent}:1",
        "{parent}:one:AAPL",
        "{parent}:-1:AAPL",
        "{parent}:\N{SUPERSCRIPT TWO}:AAPL",
        "{other}:1:AAPL",
    ],
)
def test_runs_of_other_programs_are_left_out(key: str | None) -> None:
    parent, other = uuid4(), uuid4()
    text = None if key is None else key.format(parent=parent, other=other)
    assert latest_attempts(parent, [run_with(text)]) == {}
