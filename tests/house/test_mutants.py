"""The list of guards that are taken away one at a time (`scripts/mutants.py`) fits the code: each is where the list says."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from tests.house.test_words import ROOT


@pytest.fixture(scope="module")
def mutants() -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("revops_mutants", ROOT / "scripts" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_guard_is_where_the_list_says(mutants: ModuleType) -> None:
    assert mutants.texts() == []
    names = [mutant.name for mutant in mutants.MUTANTS]
    assert len(set(names)) == len(names) > 50


@pytest.mark.django_db
def test_every_guard_of_the_database_is_there_to_be_dropped(mutants: ModuleType) -> None:
    from django.db import connection, transaction

    for mutant in mutants.MUTANTS:
        if mutant.sql:
            point = transaction.savepoint()
            with connection.cursor() as cursor:
                cursor.execute(mutant.sql)
            transaction.savepoint_rollback(point)
