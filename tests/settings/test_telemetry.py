"""``[telemetry]``: where spans go, by our name or by everybody's."""

from __future__ import annotations

import pytest

from tests.settings.folder import BASE, Folder


def test_opentelemetrys_own_variable_is_heeded(folder: Folder) -> None:
    assert folder.load(BASE).telemetry.otlp_endpoint == ""
    found = folder.load(BASE, OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318")

    assert found.telemetry.otlp_endpoint == "http://collector:4318"


@pytest.mark.parametrize("address", ["collector:4318", "grpc://collector:4317", "http://", "http://[", "https:hunter2"])
def test_an_address_that_nothing_can_be_sent_to_is_a_problem(folder: Folder, address: str) -> None:
    [problem] = folder.problems(BASE + f'[telemetry]\notlp_endpoint = "{address}"\n')

    assert problem == (
        "telemetry.otlp_endpoint: expected an address that begins with http:// or https:// (not shown)"
    )
