"""Rude clients of every kind against a real server: nobody else notices, and nothing is left of them."""

import logging
from pathlib import Path

from bench.fuzz import SERVER, fuzz, left_over
from bench.served import Served

MESSAGES = 10_000


def test_rude_clients_are_not_noticed(tmp_path, monkeypatch):
    """`make fuzz` sends a million."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of writing to what was aborted
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    errors = tmp_path.parent / f"{tmp_path.name}.stderr"
    with Served(SERVER, errors=errors) as served:
        result = fuzz(served, Path(tmp_path), MESSAGES, 0, shown=False)
    assert not result["failures"], result["failures"][0]
    assert result["messages"] >= MESSAGES and result["errors"]["invalid_json"] > 100
    assert left_over(result) == {}
    assert errors.read_text() == ""
