#!/bin/sh
# What Django can say about the code, with the settings of a production installation. Run inside `python -m launch.embedded`.
set -eu
export REVOPS_DEMO=0 REVOPS_HTTPS=1 DJANGO_ALLOWED_HOSTS=revops.example REVOPS_STATEMENT_TIMEOUT_SECONDS=600
python=.venv/bin/python
$python manage.py check --deploy --fail-level WARNING --database default
$python manage.py makemigrations --check --dry-run -v 0
$python manage.py lintmigrations --quiet ignore ok
