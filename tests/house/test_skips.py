"""A test that skips fails, whatever makes it skip: the hooks of tests/conftest.py, asked with a small suite of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
SKIPS = {
    "a mark": "import pytest\n@pytest.mark.skipif(True, reason='no samples')\ndef test_it(): pass\n",
    "a call": "import pytest\ndef test_it(): pytest.skip('no samples')\n",
    "a file": "import pytest\npytest.skip('no samples', allow_module_level=True)\n",
    "no parameters": "import pytest\n@pytest.mark.parametrize('each', [])\ndef test_it(each): pass\n",
}
HOOKS = """
from tests.conftest import pytest_make_collect_report, pytest_runtest_makereport
"""


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_is_a_failure(pytester: pytest.Pytester, kind: str) -> None:
    pytester.makeconftest(HOOKS)
    pytester.makepyfile(test_skipping=SKIPS[kind])
    ran = pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:django", "-p", "no:xdist")
    counted = ran.parseoutcomes()
    assert "skipped" not in counted
    assert counted.get("failed", 0) + counted.get("errors", 0) == 1
    ran.stdout.fnmatch_lines(["*Nothing skips here*"])


def test_the_samples_lie_in_the_repository() -> None:
    from tests.sync.connectors import shapes

    for sample, place in shapes.named():
        assert shapes.keys_of(sample, place), sample
    assert Path(shapes.__file__).parent.joinpath("stripe.json").exists()
