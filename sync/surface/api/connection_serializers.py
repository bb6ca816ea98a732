"""Connections, as the API shows and takes them. Of a secret it tells whether it is set."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from revops.api.fields import PlainText
from revops.api.serializers import StrictSerializer
from sync.connections import condition
from sync.connections.actions import LABEL_LENGTH_MAX, OVERLAP_HOURS, OVERLAP_HOURS_MAX
from sync.connections.rows import REASON_LENGTH_MAX
from sync.connections.values import VALUE_LENGTH_MAX
from sync.models import Circuit, Connection, PostingProposal
from sync.vendor.contract import Connector


class CircuitSerializer(serializers.ModelSerializer[Circuit]):
    """`open`: no call leaves before `probe_at`, because the vendor did not answer several calls in a row."""

    class Meta:
        model = Circuit
        fields = ["state", "failures", "opened_at", "probe_at", "reason"]


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    """`active`: it is read; otherwise it is paused, or was not started yet."""

    slug = serializers.CharField(source="system_id")
    name = serializers.CharField(source="system.label")
    role = serializers.CharField(source="system.role")
    circuit = CircuitSerializer(allow_null=True, default=None, help_text="Null: it never failed.")

    class Meta:
        model = Connection
        fields = [
            "slug",
            "name",
            "role",
            "vendor",
            "base_url",
            "active",
            "posting_enabled",
            "last_problem",
            "last_problem_at",
            "circuit",
        ]


class GivenSerializer(serializers.Serializer[Any]):
    """One declared setting. The value of a sensitive one is never told."""

    name = serializers.CharField(source="setting.name")
    label = serializers.CharField(source="setting.label")  # type: ignore[assignment]  # of the answer, not of the serializer
    sensitive = serializers.BooleanField(source="setting.sensitive")
    value = serializers.CharField(help_text="Empty for a sensitive one.")
    is_set = serializers.BooleanField()
    former_until = serializers.DateTimeField(allow_null=True, help_text="Until when the value before is good as well.")


class StreamSerializer(serializers.Serializer[Any]):
    """How far one stream is read."""

    name = serializers.CharField()
    every_seconds = serializers.IntegerField()
    read_at = serializers.DateTimeField(allow_null=True, help_text="When the last read that came to its end began.")
    next_at = serializers.DateTimeField()
    watermark = serializers.CharField()
    reading = serializers.BooleanField(help_text="At this moment.")
    failures = serializers.IntegerField(help_text="In a row.")
    problem = serializers.CharField()


class LimitSerializer(serializers.Serializer[Any]):
    """How much of a limit of calls is used up; they come back evenly over `seconds`."""

    name = serializers.CharField()
    used = serializers.IntegerField()
    calls = serializers.IntegerField()
    seconds = serializers.IntegerField()


class OperationSerializer(serializers.Serializer[Any]):
    """One change that is written there, and how a repetition is kept harmless."""

    change = serializers.CharField()
    guarantee = serializers.CharField()
    in_words = serializers.CharField()


class OneConnectionSerializer(ConnectionSerializer):
    """One connection with all that is known of how it stands."""

    settings = serializers.SerializerMethodField()
    streams = serializers.SerializerMethodField()
    limits = serializers.SerializerMethodField(help_text="Null: unknown at this moment.")
    operations = serializers.SerializerMethodField(help_text="What is written there.")
    intake_path = serializers.SerializerMethodField(help_text="Where its system sends what changes; empty when it sends nothing.")

    class Meta(ConnectionSerializer.Meta):
        fields = [*ConnectionSerializer.Meta.fields, "settings", "streams", "limits", "operations", "intake_path"]

    @extend_schema_field(GivenSerializer(many=True))
    def get_settings(self, row: Connection) -> Any:
        connector = condition.connector_or_none(row)
        return GivenSerializer(condition.given(row, connector, timezone.now()), many=True).data if connector else []

    @extend_schema_field(StreamSerializer(many=True))
    def get_streams(self, row: Connection) -> Any:
        connector = condition.connector_or_none(row)
        return StreamSerializer(condition.streams(row, connector), many=True).data if connector else []

    @extend_schema_field(LimitSerializer(many=True, allow_null=True))
    def get_limits(self, row: Connection) -> Any:
        connector = condition.connector_or_none(row)
        used = condition.used(row, connector) if connector else []
        return None if used is None else LimitSerializer(used, many=True).data

    @extend_schema_field(OperationSerializer(many=True))
    def get_operations(self, row: Connection) -> Any:
        connector = condition.connector_or_none(row)
        return _operations(connector) if connector else []

    def get_intake_path(self, row: Connection) -> str:
        connector = condition.connector_or_none(row)
        return reverse("intake:intake", args=[row.pk]) if connector and connector.pushes else ""


def _operations(connector: Connector) -> list[dict[str, str]]:
    return [dataclasses.asdict(written) for written in condition.operations(connector)]


class SettingSerializer(serializers.Serializer[Any]):
    """A setting that a connector declares. `signs`: deliveries to us are signed with it, and nothing is sent with it. `posts`: it
    may be left out as long as nothing is posted."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # of the answer, not of the serializer
    help = serializers.CharField()
    sensitive = serializers.BooleanField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    default = serializers.CharField()
    signs = serializers.BooleanField()
    posts = serializers.BooleanField()
    choices = serializers.ListField(child=serializers.CharField())


class ConnectorSerializer(serializers.Serializer[Any]):
    """A system that can be connected."""

    vendor = serializers.CharField(source="slug")
    label = serializers.CharField()  # type: ignore[assignment]
    role = serializers.CharField()
    settings = SettingSerializer(many=True)
    sends = serializers.SerializerMethodField(help_text="Whether its system sends what changes.")
    operations = serializers.SerializerMethodField(help_text="What is written there.")

    def get_sends(self, connector: Connector) -> bool:
        return connector.pushes is not None

    @extend_schema_field(OperationSerializer(many=True))
    def get_operations(self, connector: Connector) -> Any:
        return _operations(connector)


def _values(**options: Any) -> serializers.DictField:
    return serializers.DictField(
        child=PlainText(max_length=VALUE_LENGTH_MAX, allow_blank=True, trim_whitespace=True),
        help_text="Declared settings by name, sensitive ones too.",
        **options,
    )


class TryVendorSerializer(StrictSerializer):
    base_url = PlainText(max_length=300)
    settings = _values()


class TryConnectionSerializer(StrictSerializer):
    """Empty: as it is kept."""

    base_url = PlainText(max_length=300, required=False)
    settings = _values(required=False)


class ProbedSerializer(serializers.Serializer[Any]):
    """One stream (or a part of it) or one change, tried on its own: whether it works, and why not or what it lacks."""

    name = serializers.CharField()
    works = serializers.BooleanField()
    said = serializers.CharField(allow_blank=True)


class TrialSerializer(serializers.Serializer[Any]):
    """What the vendor said: who we are there, or what is wrong. `good`: all of it works."""

    good = serializers.BooleanField()
    said = serializers.CharField()
    parts = ProbedSerializer(many=True)


class NewConnectionSerializer(TryVendorSerializer):
    slug = PlainText(max_length=59)
    vendor = PlainText(max_length=40)
    name = PlainText(max_length=LABEL_LENGTH_MAX, required=False, allow_blank=True, default="")


class ChangeConnectionSerializer(TryConnectionSerializer):
    """What is given is changed. A sensitive setting replaces the one before; one that signs deliveries leaves it good for
    `overlap_hours`."""

    name = PlainText(max_length=LABEL_LENGTH_MAX, required=False)
    overlap_hours = serializers.IntegerField(min_value=0, max_value=OVERLAP_HOURS_MAX, required=False, default=OVERLAP_HOURS)
    reason = PlainText(max_length=REASON_LENGTH_MAX, required=False, allow_blank=True, default="")


class WhichSecretSerializer(StrictSerializer):
    name = PlainText(max_length=60)


class WhySerializer(StrictSerializer):
    reason = PlainText(max_length=REASON_LENGTH_MAX)


class PostingProposalSerializer(serializers.ModelSerializer[PostingProposal]):
    connection = serializers.CharField(source="connection_id")
    proposed_by = serializers.CharField(source="proposed_by.username")
    decided_by = serializers.CharField(source="decided_by.username", allow_null=True, default=None)

    class Meta:
        model = PostingProposal
        fields = [
            "id",
            "connection",
            "base_url",
            "reason",
            "state",
            "proposed_by",
            "proposed_at",
            "expires_at",
            "decided_by",
            "decided_at",
        ]
