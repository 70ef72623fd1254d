"""The figures' company: machine, n, tables."""

import json

from bench import report


def test_the_machine_is_described_with_date_and_versions():
    described = report.machine()
    assert described["cpu"] and described["cores"] >= 1
    assert all(described[name] for name in ("torch", "transformers", "date", "python"))
    json.dumps(described)


def test_spread_tells_n_and_the_range():
    assert report.spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0, "n": 3}


def test_percentiles_lie_between_values():
    assert report.percentile([0.0, 10.0], 95) == 9.5


def test_a_table_has_aligned_columns():
    lines = report.table(("what", "ms"), [("first", 1.25), ("a longer name", None)]).splitlines()
    assert lines[2].endswith("1.25") and len(lines[0]) == len(lines[2]) and lines[3].strip() == "a longer name"


def test_an_error_fits_into_a_line():
    assert report.one_line(ValueError("first\nsecond")) == "ValueError: first"
