# One image for web, workers, sweeper and commands.
FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2 REVOPS_STATIC_ROOT=/app/staticfiles
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements/base.txt
COPY manage.py LICENSE ./
COPY revops revops
COPY sync sync
COPY templates templates
COPY static static
# Placeholders: collecting static files reads the settings and connects nowhere.
RUN DJANGO_SECRET_KEY=build REVOPS_ENCRYPTION_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    DATABASE_URL=postgresql://build/build REDIS_URL=redis://build \
    python manage.py collectstatic --noinput -v 0 \
    && useradd --system --uid 10001 revops && mkdir /data && chown revops /data
USER revops
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "1", "--blocking-threads", "8", "--no-ws", "revops.wsgi:application"]
