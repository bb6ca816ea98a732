"""Salesforce, as its reference describes it (API v67.0), with an org of its own.

Demo credentials: consumer key `rehearsal-consumer-key`, consumer secret `rehearsal-consumer-secret`, integration user
`integration@meridian.example`. For the JWT bearer flow (RS256) the org's private key is made on first start and lies
beside the database as `salesforce_jwt_key.pem`. `SALESFORCE_SIM_PAGE_ROWS` (default 2000) is the largest page of a
query, `SALESFORCE_SIM_DAILY_REQUESTS` (default 1,000,000) the daily limit, `SALESFORCE_SIM_TOKEN_SECONDS` (default
7200) the life of a token.

`org` lets requests in and speaks errors; `rows` reads and writes single rows; `queries` answers SOQL, which `soql`
parses and turns into SQL; `schema` lists the objects and fields; `rules` knows what Contract, Order and Opportunity
allow. History may bring custom fields: load `{"collection": "CustomField", "object": {"Id": "Account.Region__c",
"type": "string", "externalId": true}}` before the rows that use them. Load `{"collection": "Hidden", "object": {"Id":
"Opportunity.ContractId"}}` after them for a field, or with `"Id": "Contract"` an object, that the org does not have or hides.

Changes from outside the API (`/_sim/change`) move LastModifiedDate and SystemModstamp, unless they set them. With the
event `system` only SystemModstamp moves (an automated change); with `purge` the row is gone from the recycle bin too.
Nothing is pushed: this org has no change data capture. Left out: composite, bulk, merge, sharing, record types.
"""

from demo.simulators.salesforce.queries import Queries


class Vendor(Queries):
    """The whole org."""


__all__ = ["Vendor"]
