"""Every setting, from the environment. A missing secret stops the start with its name.

`.env.example` lists each variable; a test holds the two together. `make up` fills in secrets and addresses for the embedded
default.
"""

from __future__ import annotations

import base64
import ipaddress
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import environ
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from revops.logs import logging_configuration

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(str(BASE_DIR / ".env"))

# --- what kind of installation --------------------------------------------------------------------------------------
REVOPS_DEMO: bool = env.bool("REVOPS_DEMO", default=False)
DEBUG: bool = False
SECRET_KEY: str = env.str("DJANGO_SECRET_KEY")
if len(SECRET_KEY) < 32 or len(set(SECRET_KEY)) < 8:
    raise ImproperlyConfigured("DJANGO_SECRET_KEY is too short or too plain to be secret. .env.example says how one is made.")


def _keys(name: str, texts: list[str]) -> list[bytes]:
    """The keys of the variable `name`, newest first. Refuses what is not base64 of 32 bytes, and what no
    chance has drawn."""
    try:
        keys = [base64.b64decode(text, validate=True) for text in texts if text]
    except ValueError:
        keys = [b""]
    if any(len(key) != 32 for key in keys):
        raise ImproperlyConfigured(f"{name} must be base64 of exactly 32 bytes (several, newest first, with commas).")
    if any(len(set(key)) < 8 for key in keys):
        raise ImproperlyConfigured(f"{name} is not random. .env.example says how one is made.")
    return keys


REVOPS_ENCRYPTION_KEYS: list[bytes] = _keys("REVOPS_ENCRYPTION_KEY", env.list("REVOPS_ENCRYPTION_KEY"))
if not REVOPS_ENCRYPTION_KEYS:
    raise ImproperlyConfigured("REVOPS_ENCRYPTION_KEY is empty. .env.example says how one is made.")
# Signs the heads of the audit log; only the sweeper needs it. Newest first, older ones only verify.
REVOPS_AUDIT_SIGNING_KEYS: list[bytes] = _keys("REVOPS_AUDIT_SIGNING_KEY", env.list("REVOPS_AUDIT_SIGNING_KEY", default=[]))
REVOPS_METRICS_TOKEN: str = env.str("REVOPS_METRICS_TOKEN", default="")
REVOPS_DATA_DIR = BASE_DIR / (env.str("REVOPS_DATA_DIR", default="") or ".data")
REVOPS_AUDIT_HEADS_DIR = env.str("REVOPS_AUDIT_HEADS_DIR", default="") or REVOPS_DATA_DIR / "audit-heads"
REVOPS_KEEP_MONTHS: dict[str, int] = {
    "inbox": env.int("REVOPS_KEEP_INBOX_MONTHS", default=0),
    "ledger": env.int("REVOPS_KEEP_LEDGER_MONTHS", default=0),
    "history": env.int("REVOPS_KEEP_HISTORY_MONTHS", default=0),
}
# What may be posted to one connection within an hour; more is held, never dropped. The amount is in the group's currency.
REVOPS_POSTINGS_PER_HOUR_MAX: int = env.int("REVOPS_POSTINGS_PER_HOUR_MAX", default=60)
REVOPS_POSTING_AMOUNT_PER_HOUR_MAX: str = env.str("REVOPS_POSTING_AMOUNT_PER_HOUR_MAX", default="250000.00")
REVOPS_PUBLIC_URL: str = env.str("REVOPS_PUBLIC_URL", default="") or "http://127.0.0.1:8000"

# --- who may talk to us ---------------------------------------------------------------------------------------------
ALLOWED_HOSTS: list[str] = env.list("DJANGO_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", default=[])
# On in production. Off on plain HTTP at loopback, where a browser would never send a secure cookie back.
SECURE: bool = env.bool("REVOPS_HTTPS") if env.str("REVOPS_HTTPS", default="") else not REVOPS_DEMO
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"


def _networks(name: str, texts: list[str]) -> list[Network]:
    """The networks of the variable `name`. Refuses what is none, and all addresses at once."""
    found = []
    for text in filter(None, texts):
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} holds {text!r}: it takes addresses and networks, such as 10.0.0.5 or 10.0.0.0/8, with commas."
            ) from None
        if network.prefixlen == 0:
            raise ImproperlyConfigured(f"{name} holds {text}: that would believe everybody. Name the proxies alone.")
        found.append(network)
    return found


REVOPS_TRUSTED_PROXIES: list[Network] = _networks("REVOPS_TRUSTED_PROXIES", env.list("REVOPS_TRUSTED_PROXIES", default=[]))
# Without a proxy that sets this header anyone may claim HTTPS.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if REVOPS_TRUSTED_PROXIES else None
SESSION_ENGINE = "revops.identity.sessions"
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "revops-session"
SESSION_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_SAVE_EVERY_REQUEST = False
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "revops-csrf"
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "revops.web.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}
AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["revops.identity.backend.PeopleBackend"]
# Whether whoever decides about changes or administers needs a second factor.
REVOPS_SECOND_FACTOR: str = env.str("REVOPS_SECOND_FACTOR", default="") or ("optional" if REVOPS_DEMO else "required")
if REVOPS_SECOND_FACTOR not in ("required", "optional"):
    raise ImproperlyConfigured("REVOPS_SECOND_FACTOR is required or optional; leave it empty for what fits the installation.")
LOGIN_URL = "web:sign-in"
LOGIN_REDIRECT_URL = "web:home"
LOGOUT_REDIRECT_URL = "web:sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- what is installed ----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "csp",
    "django_cotton.apps.SimpleAppConfig",  # the loaders are named below
    "django.forms",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "rest_framework",
    "simple_history",
    "revops",
    "revops.people",
    "revops.audit",
    "revops.installation",
    "revops.identity",
    "revops.accounts",
    "revops.ledger",
    "revops.postings",
    "revops.cases",
    "revops.approvals",
    "revops.access",
    "revops.web",
    "revops.api",
    "sync",
]
# Neither folder is in the production image.
if REVOPS_DEMO and find_spec("demo") is not None:
    INSTALLED_APPS.append("demo")
if find_spec("launch") is not None:
    INSTALLED_APPS.append("launch")
if find_spec("django_migration_linter") is not None:  # comes with requirements/test.txt only
    INSTALLED_APPS.append("django_migration_linter")
MIDDLEWARE = [
    "sync.intake.fast_path.IntakeShortcut",
    "revops.logs.RequestLogMiddleware",
    "revops.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "revops.web.middleware.PageMiddleware",
]
# Beginning of a path -> who answers it before Django is called (`revops.serving.wsgi`); None sends a request the whole way.
REVOPS_SHORT_WAYS = {"/intake/": "sync.intake.fast_path.short_way"}
ROOT_URLCONF = "revops.urls"
TEMPLATES = [
    {
        "NAME": "django",
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "revops.web.page_frame.page_frame",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": ["django_cotton.templatetags.cotton"],
        },
    },
]
COTTON_DIR = "components"
COTTON_ISOLATE_BY_DEFAULT = True  # a component sees what it is handed, never what happens to stand around it
FORM_RENDERER = "revops.web.fields.Renderer"

# --- the database: the only memory ----------------------------------------------------------------------------------
STATEMENT_TIMEOUT_SECONDS: int = env.int("REVOPS_STATEMENT_TIMEOUT_SECONDS", default=15)
# How far a vendor's clock may be ahead of ours before what it says counts as of its arrival.
REVOPS_CLOCK_SKEW_SECONDS: int = env.int("REVOPS_CLOCK_SKEW_SECONDS", default=300)
if not env.str("DATABASE_URL"):
    raise ImproperlyConfigured("DATABASE_URL is empty: name a PostgreSQL database, or start `make up`, which brings its own.")
DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url("DATABASE_URL")}
REVOPS_OWNER_DATABASE_URL: str = env.str("REVOPS_OWNER_DATABASE_URL", default="")
DATABASES["default"] |= {
    "ENGINE": "revops.postgresql",
    "ATOMIC_REQUESTS": False,
    "CONN_MAX_AGE": None,  # the web server's threads live long, and each keeps its own connection
    "CONN_HEALTH_CHECKS": True,
    "DISABLE_SERVER_SIDE_CURSORS": False,
}
DATABASES["default"]["OPTIONS"] = {
    **DATABASES["default"].get("OPTIONS", {}),
    "application_name": "revops",
    "connect_timeout": 5,
    "options": (
        f"-c lock_timeout=3s -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s "
        "-c idle_in_transaction_session_timeout=30s -c client_connection_check_interval=5s "
        "-c synchronous_commit=on -c timezone=UTC"
    ),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis and Celery: only the doorbell ----------------------------------------------------------------------------
REDIS_URL: str = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "revops",
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},  # whoever asks goes on without it
    }
}
_VISIBILITY_TIMEOUT_SECONDS = 600
_TRANSPORT_OPTIONS = {
    "visibility_timeout": _VISIBILITY_TIMEOUT_SECONDS,
    "socket_connect_timeout": 1,
    "socket_timeout": 2,  # a web request waits no longer than this to ring; workers get more, see revops.celery
    "socket_keepalive": True,
    "health_check_interval": 10,
    "retry_on_timeout": True,
}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = _TRANSPORT_OPTIONS
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_VISIBILITY_TIMEOUT = _VISIBILITY_TIMEOUT_SECONDS
CELERY_RESULT_BACKEND = None
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": _VISIBILITY_TIMEOUT_SECONDS}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_ACKS_ON_FAILURE = True
CELERY_TASK_ACKS_ON_TIMEOUT = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_PUBLISH_RETRY = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_DEFAULT_QUEUE = "apply"
CELERY_TASK_QUEUES = [Queue(name, Exchange(name, type="direct"), routing_key=name) for name in ("intake", "apply", "posting")]
CELERY_TASK_ROUTES = {
    "sync.workers.tasks.pull_streams": {"queue": "intake"},
    "sync.workers.tasks.reread": {"queue": "intake"},
    "sync.workers.tasks.apply_deliveries": {"queue": "apply"},
    "sync.workers.tasks.detect_accounts": {"queue": "apply"},
    "sync.workers.tasks.send_postings": {"queue": "posting"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"

# --- API ------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["revops.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "revops.api.problems.exception_handler",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Revenue operations API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {"PostingStateEnum": "revops.postings.models.PostingState"},
}

# --- files, language, time, logs ------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / (env.str("REVOPS_STATIC_ROOT", default="") or "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
_TESTING = "pytest" in sys.modules
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if _TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = _TESTING
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # of any request; `revops.serving` refuses more before it is read
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
FILE_UPLOAD_HANDLERS: list[str] = []  # no page takes a file, so none is written anywhere
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
if EMAIL_URL := env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
REVOPS_SENDS_MAIL: bool = bool(EMAIL_URL)  # without it links are shown to the administrator, who hands them over
DEFAULT_FROM_EMAIL: str = env.str("REVOPS_FROM_EMAIL", default="revops@localhost")
LOG_LEVEL: str = env.str("REVOPS_LOG_LEVEL", default="INFO")
LOGGING = logging_configuration(LOG_LEVEL)
SIMPLE_HISTORY_REVERT_DISABLED = True
MIGRATION_LINTER_OPTIONS = {
    "no_cache": True,
    "ignore_initial_migrations": True,  # they run on empty tables, before there is anything to lock
    "exclude_apps": ["auth", "contenttypes", "sessions", "admin"],
    "warnings_as_errors_tests": [],
}
