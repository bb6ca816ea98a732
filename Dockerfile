# Two images. `docker build .` makes the product; `--target demo` adds the simulated systems and the made-up company.
# Neither holds tests, benchmarks or the launcher of `make up`.
FROM python:3.11-slim AS product
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2 REVOPS_STATIC_ROOT=/app/staticfiles
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements/base.txt
COPY manage.py LICENSE ./
COPY revops revops
COPY sync sync
COPY templates templates
COPY static static
# Collecting static files reads the settings and connects nowhere; the two secrets end with this line.
RUN DJANGO_SECRET_KEY=$(python -c "import secrets; print(secrets.token_hex(32))") \
    REVOPS_ENCRYPTION_KEY=$(python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())") \
    DATABASE_URL=postgresql://build/build REDIS_URL=redis://build \
    python manage.py collectstatic --noinput -v 0 \
    && useradd --system --uid 10001 revops && mkdir /data && chown revops /data
USER revops
EXPOSE 8000
CMD ["granian", "--interface", "rsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "1", "--loop", "uvloop", "--http", "1", "--no-ws", "--backlog", "4096", "--http1-buffer-size", "32768", "--http1-header-read-timeout", "10000", "revops.serving.application:application"]

FROM product AS demo
USER root
COPY requirements/demo.txt requirements/demo.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements/demo.txt
COPY demo demo
USER revops

FROM product AS production
