"""People, as the API shows and takes them."""

from __future__ import annotations

from rest_framework import serializers

from revops.access.joiners import NAME_LENGTH_MAX
from revops.access.proposals import REASON_LENGTH_MAX, what_is_proposed
from revops.api.fields import PlainText
from revops.api.serializers import StrictSerializer
from revops.people.models import AccessProposal, Role, User


class PersonSerializer(serializers.ModelSerializer[User]):
    name = serializers.CharField(source="shown_name", read_only=True)
    roles = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "username", "name", "is_active", "roles"]

    def get_roles(self, user: User) -> list[str]:
        return sorted(grant.role for grant in user.role_grants.all())


class InvitedSerializer(PersonSerializer):
    """`link` is in the first answer alone, and only where no mail server is set: hand it to that person."""

    link = serializers.CharField(required=False, read_only=True)

    class Meta(PersonSerializer.Meta):
        fields = [*PersonSerializer.Meta.fields, "link"]


class InvitationSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=150)
    name = PlainText(max_length=NAME_LENGTH_MAX, required=False, allow_blank=True, default="")


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=Role.choices)
    reason = PlainText(
        max_length=REASON_LENGTH_MAX, required=False, allow_blank=True, default="", help_text="For whom it takes to confirm it."
    )


class ProposalSerializer(serializers.ModelSerializer[AccessProposal]):
    user = serializers.CharField(source="user.username")
    proposed_by = serializers.CharField(source="proposed_by.username")
    decided_by = serializers.CharField(source="decided_by.username", allow_null=True, default=None)
    what = serializers.SerializerMethodField()

    class Meta:
        model = AccessProposal
        fields = [
            "id",
            "kind",
            "user",
            "role",
            "what",
            "reason",
            "state",
            "basis",
            "proposed_by",
            "proposed_at",
            "expires_at",
            "decided_by",
            "decided_at",
        ]

    def get_what(self, row: AccessProposal) -> str:
        return str(what_is_proposed(row))
