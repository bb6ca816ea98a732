from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "revops.web"
    label = "web"
