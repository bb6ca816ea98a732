"""One folder a vendor, with the same file names."""

from __future__ import annotations

from pathlib import Path

import pytest

import sync.connectors
from sync.connectors import CONNECTORS

OF_EVERY_VENDOR = {"__init__.py", "auth.py", "models.py", "read.py", "translate.py"}


@pytest.mark.parametrize("slug", sorted(CONNECTORS))
def test_a_folder_has_a_file_for_each_capability_and_for_no_other(slug: str) -> None:
    connector = CONNECTORS[slug]
    files = {path.name for path in (Path(sync.connectors.__file__).parent / slug).glob("*.py")}
    assert files >= OF_EVERY_VENDOR
    assert ("verify.py" in files) == (connector.pushes is not None)
    assert ("write.py" in files) == (connector.writes is not None)


@pytest.mark.parametrize("slug", sorted(CONNECTORS))
def test_a_declared_rate_can_be_set_where_the_vendor_does_not_publish_one_for_all(slug: str) -> None:
    """A rate names a setting that the connector has, whose default is the rate; NetSuite limits calls at a time instead."""
    connector = CONNECTORS[slug]
    assert bool(connector.rates) == (slug != "netsuite")
    defaults = {setting.name: setting.default for setting in connector.settings}
    for rate in connector.rates:
        assert not rate.setting or defaults[rate.setting] == str(rate.calls)
