from django.apps import AppConfig


class PostingsConfig(AppConfig):
    name = "revops.postings"
    label = "postings"
    default_auto_field = "django.db.models.BigAutoField"
