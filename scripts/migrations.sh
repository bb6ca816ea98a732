#!/bin/sh
# Make the initial migrations again from the models. Only while no installation has to be carried over.
set -eu
cd "$(dirname "$0")/.."
find revops sync -path '*/migrations/0*.py' -delete
.venv/bin/python -m launch.embedded .venv/bin/python manage.py makemigrations -v 0
.venv/bin/ruff check --quiet --fix-only . || true
.venv/bin/ruff format --quiet revops sync
