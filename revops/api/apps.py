from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "revops.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from revops.api import schema  # noqa: F401 - registers the bearer scheme with the OpenAPI generator
