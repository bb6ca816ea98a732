"""The SuiteQL that this connector sends. Pure text.

Every date goes through TO_CHAR (SuiteQL answers in the account's display format otherwise), every window goes on by the key
(stamp, id) instead of an offset, and values are bound, never pasted. Stamps stay in the zone in which SuiteQL gave them.
"""

from __future__ import annotations

STAMP = "'YYYY-MM-DD HH24:MI:SS'"
DAY = "'YYYY-MM-DD'"
ROWS = 400
"""Rows a page; small enough to ask for the applications of a whole page with one IN list."""
ROWS_MAX = 1000
"""The most that one answer holds."""
Query = tuple[str, list[object]]
"""A query with its bound values."""


def _stamp(column: str, name: str) -> str:
    return f"TO_CHAR({column}, {STAMP}) AS {name}"


def _day(column: str, name: str) -> str:
    return f"TO_CHAR({column}, {DAY}) AS {name}"


TRANSACTIONS = f"""SELECT t.id, t.tranid, t.type, t.status, t.externalid, t.otherrefnum, t.entity, t.memo, t.postingperiod,
 c.symbol AS currency, {_day("t.trandate", "trandate")}, {_day("t.duedate", "duedate")},
 {_stamp("t.lastmodifieddate", "modified")}, l.foreignamount, l.foreignamountpaid, l.foreignamountunpaid, l.createdfrom
 FROM transaction t
 JOIN transactionline l ON l.transaction = t.id AND l.mainline = 'T'
 JOIN currency c ON c.id = t.currency
 WHERE t.type IN ('CustInvc', 'CustCred', 'CustPymt', 'SalesOrd')"""  # noqa: S608 - no value is pasted in

APPLICATIONS = f"""SELECT k.previousdoc, k.previousline, k.nextdoc, k.nextline, k.foreignamount, n.type AS nexttype,
 {_stamp("n.lastmodifieddate", "nextmodified")}
 FROM nexttransactionlinelink k
 JOIN transaction n ON n.id = k.nextdoc
 WHERE k.linktype = 'Payment' AND k."""  # noqa: S608

CUSTOMERS = f"""SELECT t.id, t.entityid, t.companyname, t.isinactive, t.parent, t.externalid, t.balancesearch,
 c.symbol AS currency,
 {_stamp("t.lastmodifieddate", "modified")}
 FROM customer t
 LEFT JOIN currency c ON c.id = t.currency
 WHERE 1 = 1"""  # noqa: S608

CUSTOMERS_OF_SUBSIDIARIES = f"""SELECT t.id, t.entityid, t.companyname, t.isinactive, t.parent, t.externalid,
 t.balancesearch, c.symbol AS currency, s.subsidiary, u.country, {_stamp("t.lastmodifieddate", "modified")}
 FROM customer t
 LEFT JOIN currency c ON c.id = t.currency
 LEFT JOIN customersubsidiaryrelationship s ON s.entity = t.id AND s.isprimarysub = 'T'
 LEFT JOIN subsidiary u ON u.id = s.subsidiary
 WHERE 1 = 1"""  # noqa: S608

PERIODS = f"""SELECT t.id, t.periodname, {_day("t.startdate", "startdate")}, {_day("t.enddate", "enddate")},
 t.closed, t.alllocked, t.arlocked, {_stamp("t.lastmodifieddate", "modified")}
 FROM accountingperiod t
 WHERE NVL(t.isquarter, 'F') = 'F' AND NVL(t.isyear, 'F') = 'F' AND NVL(t.isadjust, 'F') = 'F'"""  # noqa: S608

RATES = f"""SELECT t.id, t.postingperiod, f.symbol AS currency, b.symbol AS basecurrency, t.currentrate, t.accountingbook,
 {_day("p.startdate", "startdate")}, {_day("p.enddate", "enddate")}
 FROM consolidatedexchangerate t
 JOIN accountingperiod p ON p.id = t.postingperiod
 JOIN currency f ON f.id = t.fromcurrency
 JOIN currency b ON b.id = t.tocurrency
 WHERE t.fromcurrency <> t.tocurrency"""  # noqa: S608

ENTITIES = f"""SELECT t.id, t.name, t.country, c.symbol AS currency, {_stamp("t.lastmodifieddate", "modified")}
 FROM subsidiary t
 JOIN currency c ON c.id = t.currency
 WHERE NVL(t.iselimination, 'F') = 'F'"""  # noqa: S608

DELETIONS = f"""SELECT t.recordid AS id, t.type, {_stamp("t.deleteddate", "modified")}
 FROM deletedrecord t
 WHERE 1 = 1"""  # noqa: S608


def transactions(custom_fields: list[str], *, subsidiaries: bool) -> str:
    """`TRANSACTIONS` with these custom body fields, whose names were checked, and the subsidiary in an account that has any."""
    return _with(TRANSACTIONS, [*(f"t.{name}" for name in custom_fields), *(["l.subsidiary"] if subsidiaries else [])])


def customers(custom_fields: list[str], *, subsidiaries: bool) -> str:
    """The customers with these custom entity fields, whose names were checked, and in an account that has subsidiaries theirs."""
    return _with(CUSTOMERS_OF_SUBSIDIARIES if subsidiaries else CUSTOMERS, [f"t.{name}" for name in custom_fields])


def _with(query: str, columns: list[str]) -> str:
    return query.replace("SELECT t.id,", " ".join(["SELECT t.id,", *(f"{column}," for column in columns)]), 1)


def window(query: str, column: str, id_column: str, since: str, after_id: int | None) -> Query:
    """The next page from `since` on: from the stamp itself at first, then strictly after (stamp, id)."""
    order = f" ORDER BY {column}, {id_column}"
    if after_id is None:
        return f"{query} AND {column} >= TO_TIMESTAMP(?, {STAMP}){order}", [since]
    later = f"({column} > TO_TIMESTAMP(?, {STAMP}) OR ({column} = TO_TIMESTAMP(?, {STAMP}) AND {id_column} > ?))"
    return f"{query} AND {later}{order}", [since, since, after_id]


def whole(query: str) -> Query:
    """All rows, in the order of their ids."""
    return f"{query} ORDER BY t.id", []


def periods_at(day: str) -> Query:
    """The accounting periods that hold a day, `YYYY-MM-DD`."""
    bound = f"TO_DATE(?, {DAY})"
    return f"{PERIODS} AND t.startdate <= {bound} AND t.enddate >= {bound}", [day, day]


def among(query: str, ids: list[int]) -> Query:
    """Only the rows with one of these ids."""
    return f"{query} AND t.id IN ({', '.join('?' * len(ids))}) ORDER BY t.id", list(ids)


def applications(column: str, ids: list[int]) -> Query:
    """The payments and credit memos applied to invoices (`previousdoc`), or what documents (`nextdoc`) are applied to: a row for
    each pair of lines, for the links between documents have no amount."""
    order = "k.previousdoc, k.nextdoc, k.previousline, k.nextline"
    return f"{APPLICATIONS}{column} IN ({', '.join('?' * len(ids))}) ORDER BY {order}", list(ids)
