#!/bin/sh
# Make the initial migrations again from the models. Only while no installation has to be carried over.
# `*_months.py` are written by hand: they split tables by month, right after the initial ones.
set -eu
cd "$(dirname "$0")/.."
find revops sync -path '*/migrations/0*_initial.py' -delete
months=$(find revops sync -path '*/migrations/*_months.py')
for file in $months; do mv "$file" "$file.aside"; done
trap 'for file in $months; do [ -e "$file" ] || mv "$file.aside" "$file"; done' EXIT
.venv/bin/python -m launch.embedded .venv/bin/python manage.py makemigrations -v 0
.venv/bin/ruff check --quiet --fix-only . || true
.venv/bin/ruff format --quiet revops sync
