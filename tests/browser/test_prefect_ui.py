"""What the Prefect UI shows of a run: its graph, the form of its deployment, its artifact."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from tests.browser.conftest import PATIENCE_MS, watched_page
from tests.flows.conftest import Pipeline, pipeline, registered, small_market  # noqa: F401


@pytest.mark.slow
async def test_a_run_its_form_and_its_charts_can_be_looked_at(
    browser: Browser,
    prefect_server: str,
    pipeline: Pipeline,  # noqa: F811 - the fixture
) -> None:
    ended = await pipeline.orchestrate(grain="session")
    assert ended.state.is_completed(), ended.message
    said = "2 partitions: 2 computed, 0 up to date, 0 failed"
    assert said in await pipeline.log(ended.id), "sent before the page asks for it"
    ui = prefect_server.removesuffix("/api")
    watched = await watched_page(await browser.new_context())
    page = watched.page

    async with page.expect_response("**/graph-v2*", timeout=PATIENCE_MS) as answer:
        await page.goto(f"{ui}/runs/flow-run/{ended.id}")
    graph = await (await answer.value).json()
    assert {node["label"] for _, node in graph["nodes"]} == {
        "validate-data / validate data", "analyze-symbol / AAPL", "analyze-symbol / BRK-B",
        "aggregate-portfolio / aggregate portfolio",
    }  # fmt: skip
    await expect(page.locator("canvas").first).to_be_visible(timeout=PATIENCE_MS)
    await expect(page.get_by_text(said).first).to_be_visible(timeout=PATIENCE_MS)

    await page.goto(f"{ui}/deployments/deployment/{ended.run.deployment_id}/run")
    for sentence in (
        "How many contracts to analyse, in the order of the data.",
        "How much runs in a job of its own: run (nothing), symbol or partition.",
        "Cost of one trade in basis points; used in aggregation only.",
    ):
        await expect(page.get_by_text(sentence).first).to_be_visible(timeout=PATIENCE_MS)

    children = {run.name: run.id for run in await pipeline.children(ended.id)}
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["portfolio-summary"]))
    artifacts = await pipeline.client.read_artifacts(artifact_filter=wanted)
    own = next(a for a in artifacts if a.flow_run_id == children["aggregate portfolio"])
    await page.goto(f"{ui}/artifacts/artifact/{own.id}")
    picture = page.locator("img[src^='data:image/png']").first
    await expect(picture).to_be_visible(timeout=PATIENCE_MS)
    assert await picture.evaluate("image => image.naturalWidth") > 500
