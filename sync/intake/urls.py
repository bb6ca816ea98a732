"""The one address that vendors know: `intake/<connection>/`."""

from __future__ import annotations

from django.urls import path

from sync.intake import views

app_name = "intake"
urlpatterns = [path("<str:slug>/", views.intake, name="intake")]
