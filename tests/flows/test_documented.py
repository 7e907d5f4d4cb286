"""The Prefect UI's form: every parameter of every deployment says what it means."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.flows import Flow, load_flow_from_entrypoint

from flows.deploy.wiring import DeploymentDefinition, deployment_definitions


@pytest.mark.parametrize("definition", deployment_definitions(), ids=lambda d: d.name)
def test_every_field_of_the_form_has_a_description(definition: DeploymentDefinition) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(definition.entrypoint)
    for name, field in flow.parameters.properties.items():
        described = str(field.get("description") or "")
        if field.get("type") != "boolean":
            sentence, _, example = described.partition(" Example: ")
            assert sentence.endswith("."), f"{name}: {described!r}"
            assert example, name
        assert name in field["title"]
    for model in flow.parameters.definitions.values():
        for name, field in model.get("properties", {}).items():
            assert field["description"], name
            assert field["examples"], name
    summary, _, rest = str(flow.description).partition("\n")
    assert summary.endswith(".")
    assert "Args:" in rest
