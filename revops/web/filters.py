"""Filters of the plain lists, on django-filter: one class declares what an address may ask for, how it narrows the rows, and the
inputs that are drawn. What cannot be read narrows nothing: a link with a wrong value still shows the list.

The queue is not here: its facets are counted with every other facet applied, from one grouped query
(`revops.cases.queue`), which django-filter does not do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import django_filters
from django.db.models import Model, QuerySet
from django.http import QueryDict

from revops.web.forms import PageForm

M = TypeVar("M", bound=Model)
TEXT_LENGTH_MAX = 200


class ListFilter(django_filters.FilterSet, Generic[M]):
    """The filter of one list."""

    def __init__(self, address: Mapping[str, str], rows: QuerySet[M]) -> None:
        data = {name: text.replace("\x00", "").strip()[:TEXT_LENGTH_MAX] for name, text in dict(address).items()}
        super().__init__(data, queryset=rows)
        self.form.auto_id = "%s"

    class Meta:
        form = PageForm

    @property
    def rows(self) -> QuerySet[M]:
        """The rows that fit."""
        narrowed: QuerySet[M] = self.qs
        return narrowed

    @property
    def given(self) -> Mapping[str, Any]:
        """The clean value of every filter that narrows something."""
        self.form.is_valid()
        return {name: value for name, value in self.form.cleaned_data.items() if value not in (None, "", False)}


def input_attrs(**attrs: str) -> dict[str, str]:
    """Attributes of an input; `data_focus` becomes `data-focus`."""
    return {name.replace("_", "-"): value for name, value in attrs.items()}


def only_first(address: QueryDict) -> dict[str, str]:
    """The query of an address with one text a name, the last where several were given."""
    return {name: str(address.get(name, "")) for name in address}
