"""The connectors of this version, by slug. A connector is handed its configuration and the HTTP client and keeps no state.

Never: a connector that imports a row, Django, or another connector.
"""

from __future__ import annotations

from sync.connectors.gainsight import GAINSIGHT
from sync.connectors.netsuite import NETSUITE
from sync.connectors.salesforce import SALESFORCE
from sync.connectors.stripe import STRIPE
from sync.vendor.contract import Connector, IdForm, TypeOfId

_ALL: tuple[Connector, ...] = (SALESFORCE, GAINSIGHT, STRIPE, NETSUITE)
CONNECTORS: dict[str, Connector] = {connector.slug: connector for connector in _ALL}
"""An installation may add connectors of its own here when it starts."""
ID_FORMS: dict[str, IdForm] = {connector.slug: connector.id_form for connector in _ALL if connector.id_form}
"""How the vendors write their ids, for the references that other vendors' objects hold."""
ID_TYPES: dict[str, TypeOfId] = {connector.slug: connector.type_of_id for connector in _ALL if connector.type_of_id}
"""What the vendors' ids stand for, for those references."""
