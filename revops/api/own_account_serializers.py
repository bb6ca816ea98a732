"""One's own account, as the API shows and takes it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from revops.api.fields import PlainText
from revops.api.serializers import StrictSerializer
from revops.identity.models import UserSession
from revops.identity.passwords import PASSWORD_LENGTH_MAX
from revops.identity.tokens import SCOPES
from revops.parameters import DIGITS_MAX
from revops.people.models import ApiToken, Delegation

ROW_ID_MAX = 10**DIGITS_MAX - 1


class MeSerializer(serializers.Serializer[Any]):
    """`scopes`: what this token is for. `second_factor`: whether its owner has one."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    scopes = serializers.ListField(child=serializers.CharField())
    second_factor = serializers.BooleanField()


class NewPasswordSerializer(StrictSerializer):
    old = serializers.CharField(max_length=PASSWORD_LENGTH_MAX, trim_whitespace=False, write_only=True)
    password = serializers.CharField(max_length=PASSWORD_LENGTH_MAX, trim_whitespace=False, write_only=True)


class SessionSerializer(serializers.ModelSerializer[UserSession]):
    """`id` names the session and opens nothing."""

    id = serializers.CharField(source="session_key")
    expires_at = serializers.DateTimeField(source="expire_date")

    class Meta:
        model = UserSession
        fields = ["id", "started_at", "expires_at", "address", "browser"]


class EndSessionSerializer(StrictSerializer):
    session = PlainText(max_length=40)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    class Meta:
        model = ApiToken
        fields = ["id", "name", "scopes", "created_at", "expires_at"]


class MadeTokenSerializer(TokenSerializer):
    """`token` is in the first answer alone."""

    token = serializers.CharField(required=False, read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class NewTokenSerializer(StrictSerializer):
    name = PlainText(max_length=80)
    days = serializers.IntegerField(min_value=1, max_value=365)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(SCOPES)), max_length=len(SCOPES))


class EndTokenSerializer(StrictSerializer):
    token = serializers.IntegerField(min_value=1, max_value=ROW_ID_MAX)


class DelegationSerializer(serializers.ModelSerializer[Delegation]):
    stand_in = serializers.CharField(source="stand_in.username")

    class Meta:
        model = Delegation
        fields = ["id", "stand_in", "first_day", "last_day", "reason"]


class NewDelegationSerializer(StrictSerializer):
    stand_in = serializers.CharField(max_length=150, help_text="The address they sign in with.")
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    reason = PlainText(max_length=200, required=False, allow_blank=True, default="")


class EndDelegationSerializer(StrictSerializer):
    delegation = serializers.IntegerField(min_value=1, max_value=ROW_ID_MAX)
