"""What the API shows and accepts. Reads never reveal more than the pages do; writes only carry what a person may say."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from revops.accounts.models import Account, AccountLink
from revops.api.fields import Instant, MinorMoney, MoneyField, PlainText, SentenceField
from revops.approvals.models import Checkpoint, Decision
from revops.audit.models import ActionRecord
from revops.cases.actions import NOTE_LENGTH_MAX
from revops.cases.models import CaseNote, ExceptionCase
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.postings.draft import REASON_LENGTH_MAX
from revops.postings.kinds import KINDS
from revops.postings.models import ChangePlan, PlanLine, PlanTouch, Posting
from revops.postings.partly import Offer, PartlyPosted, partly_posted
from revops.sentences import Sentence


class StrictSerializer(serializers.Serializer[Any]):
    """The base of everything that a caller may say: a field that is not listed is refused, never ignored."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, "This is not yours to say here."))
        return super().to_internal_value(data)


class EmptySerializer(StrictSerializer):
    """A body without content: nothing at all, or `{}`."""


class LinkSerializer(serializers.ModelSerializer[AccountLink]):
    class Meta:
        model = AccountLink
        fields = ["system", "customer_id", "basis", "linked_at"]


class AccountSerializer(serializers.ModelSerializer[Account]):
    legal_entity = serializers.CharField(source="legal_entity.code", read_only=True, allow_null=True, default=None)
    links = LinkSerializer(many=True, read_only=True)

    class Meta:
        model = Account
        fields = ["id", "code", "name", "legal_entity", "currency", "links"]


class UnreadSerializer(serializers.Serializer[Any]):
    """A value that was not taken as it is written, as `ledger.unread.Unread`."""

    raw = serializers.CharField()
    code = serializers.CharField()


class RecordSerializer(serializers.ModelSerializer[SourceRecord]):
    system = serializers.CharField(source="system_id")
    unread = serializers.DictField(child=UnreadSerializer(), allow_null=True, read_only=True)

    class Meta:
        model = SourceRecord
        fields = [
            "id",
            "system",
            "object_type",
            "external_id",
            "account",
            "version",
            "fields",
            "refs",
            "unread",
            "deleted",
            "effective_at",
            "changed_at",
            "seen_at",
        ]


class EntrySerializer(serializers.ModelSerializer[LedgerEntry]):
    unread = serializers.DictField(child=UnreadSerializer(), allow_null=True, read_only=True)

    class Meta:
        model = LedgerEntry
        fields = [
            "id",
            "version",
            "effective_at",
            "recorded_at",
            "fields",
            "refs",
            "unread",
            "deleted",
            "arrival",
            "delivery_id",
            "trace_id",
        ]


class LedgerRecordSerializer(serializers.Serializer[Any]):
    """One record at one moment, as `ledger.view.LedgerRecord`."""

    system = serializers.CharField()
    role = serializers.CharField()
    object_type = serializers.CharField()
    external_id = serializers.CharField()
    version = serializers.CharField()
    effective_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    deleted = serializers.BooleanField()
    fields_ = serializers.DictField(source="json_fields")
    refs = serializers.DictField()

    def get_fields(self) -> dict[str, Any]:
        declared = super().get_fields()
        declared["fields"] = declared.pop("fields_")
        return declared


class StatementLineSerializer(serializers.Serializer[Any]):
    on = serializers.DateField(allow_null=True)
    document = serializers.CharField()
    kind = serializers.CharField()
    system = serializers.CharField()
    status = serializers.CharField()
    debit = MoneyField(allow_null=True)
    credit = MoneyField(allow_null=True)
    balance = MoneyField(allow_null=True)


class LedgerSerializer(serializers.Serializer[Any]):
    account = AccountSerializer()
    as_of = serializers.DateTimeField(allow_null=True)
    known_at = serializers.DateTimeField(allow_null=True)
    records = LedgerRecordSerializer(many=True)
    statement = StatementLineSerializer(many=True)


class CaseSerializer(serializers.ModelSerializer[ExceptionCase]):
    money_at_risk = MinorMoney()
    owner = serializers.CharField(source="owner.username", read_only=True, allow_null=True, default=None)
    account_name = serializers.CharField(source="account.name", read_only=True, allow_null=True, default=None)
    policies = serializers.CharField(source="policy_version", read_only=True, help_text="Version of the policies that judged it.")
    severity = serializers.CharField(source="get_severity_display", read_only=True)
    sentence = SentenceField()
    close_reason = SentenceField(allow_null=True)
    evidence = serializers.SerializerMethodField()

    def get_evidence(self, case: ExceptionCase) -> dict[str, Any]:
        """What the finding rests on; labels and the names of inputs are given as text beside their codes."""
        evidence = dict(case.evidence)
        for part, name in (("differences", "label"), ("inputs", "name")):
            evidence[part] = [{**each, "text": str(Sentence(str(each[name])))} for each in evidence.get(part) or []]
        return evidence

    class Meta:
        model = ExceptionCase
        fields = [
            "id",
            "code",
            "rule",
            "title",
            "sentence",
            "account",
            "account_name",
            "system",
            "severity",
            "status",
            "team",
            "owner",
            "systems",
            "money_at_risk",
            "due_at",
            "opened_at",
            "refreshed_at",
            "closed_at",
            "close_reason",
            "snoozed_until",
            "evidence",
            "reopened_count",
            "policies",
            "trace_id",
            "row_version",
        ]


class CaseChangeSerializer(StrictSerializer):
    """What a PATCH of a case may say: its owner, or that it is put aside until then."""

    owner = serializers.EmailField(required=False, allow_null=True)
    snoozed_until = Instant(required=False, allow_null=True)
    reason = PlainText(required=False, allow_blank=True, max_length=REASON_LENGTH_MAX, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("owner" in attrs) == ("snoozed_until" in attrs):
            raise serializers.ValidationError("Change either the owner or snoozed_until.")
        return attrs


class NewNoteSerializer(StrictSerializer):
    text = PlainText(max_length=NOTE_LENGTH_MAX)


class NoteSerializer(serializers.ModelSerializer[CaseNote]):
    author = serializers.CharField(source="author.username", read_only=True)

    class Meta:
        model = CaseNote
        fields = ["id", "author", "at", "text"]


class CheckpointSerializer(serializers.ModelSerializer[Checkpoint]):
    why = SentenceField()

    class Meta:
        model = Checkpoint
        fields = ["code", "label", "role", "sequence", "why"]


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    decided_by = serializers.CharField(source="decided_by.username")
    checkpoint = serializers.CharField(source="checkpoint.code")
    standing_in_for = serializers.CharField(source="standing_in_for.username", allow_null=True, default=None)
    proved_by = serializers.CharField(source="step_up.method", help_text="With what the person proved who they are.")
    policies = serializers.CharField(source="policy_version", help_text="Version of the policies in force when it was signed.")

    class Meta:
        model = Decision
        fields = [
            "checkpoint",
            "decided_by",
            "standing_in_for",
            "proved_by",
            "verdict",
            "meaning",
            "reason",
            "digest",
            "policies",
            "at",
        ]


class PostingSerializer(serializers.ModelSerializer[Posting]):
    system = serializers.CharField(source="system_id")
    summary = SentenceField()
    reverse = SentenceField(allow_null=True)

    class Meta:
        model = Posting
        fields = [
            "id",
            "plan",
            "sequence",
            "system",
            "operation",
            "change",
            "method",
            "path",
            "key",
            "body_digest",
            "summary",
            "before",
            "after",
            "reverse",
            "state",
            "attempts",
            "vendor_id",
            "needs_person",
            "last_error",
            "posted_at",
            "confirmed_at",
            "trace_id",
        ]


class LineSerializer(serializers.ModelSerializer[PlanLine]):
    """One side of what a plan books."""

    amount = MinorMoney()

    class Meta:
        model = PlanLine
        fields = ["sequence", "account", "side", "amount"]


class TouchSerializer(serializers.ModelSerializer[PlanTouch]):
    """One object that a plan alters, and the numbers of the steps that do."""

    system = serializers.CharField(source="system_id")
    id = serializers.CharField(source="object_id")

    class Meta:
        model = PlanTouch
        fields = ["system", "object_type", "id", "steps", "under_way"]


class StepSerializer(serializers.ModelSerializer[Posting]):
    """One step of a partly posted plan: what it does, and what became of it."""

    system = serializers.CharField(source="system_id")
    summary = SentenceField()

    class Meta:
        model = Posting
        fields = ["sequence", "system", "operation", "summary", "state", "vendor_id", "last_error"]


class OfferSerializer(serializers.Serializer[Offer]):
    """A plan that may be composed next: `finish` makes the missing steps, `reverse` undoes those that were made."""

    code = serializers.ChoiceField(choices=["finish", "reverse"])
    kind = serializers.CharField(source="follow_up.kind")
    inputs = serializers.DictField(source="follow_up.inputs")


class PartlyPostedSerializer(serializers.Serializer[PartlyPosted]):
    """What of a partly posted plan is done, what is missing, and what may be done next."""

    done = StepSerializer(many=True)
    missing = StepSerializer(many=True)
    sentence = SentenceField()
    next_move = SentenceField()
    offers = OfferSerializer(many=True)
    followed_by = serializers.SerializerMethodField()

    def get_followed_by(self, partly: PartlyPosted) -> list[str]:
        return [plan.code for plan in partly.followed_by]


class PlanSerializer(serializers.ModelSerializer[ChangePlan]):
    moves = MinorMoney()
    lines = LineSerializer(many=True)
    touches = TouchSerializer(many=True)
    partly_posted = serializers.SerializerMethodField()
    maker = serializers.CharField(source="maker.username")
    policies = serializers.CharField(
        source="policy_version", help_text="Version of the policies that judged its checkpoints last; empty while it is a draft."
    )
    postings = PostingSerializer(many=True)
    checkpoints = CheckpointSerializer(many=True)
    decisions = DecisionSerializer(many=True)
    outcome = SentenceField(allow_null=True)

    class Meta:
        model = ChangePlan
        fields = [
            "id",
            "code",
            "kind",
            "case",
            "account",
            "maker",
            "state",
            "reason",
            "inputs",
            "moves",
            "lines",
            "touches",
            "digest",
            "facts_digest",
            "policies",
            "created_at",
            "submitted_at",
            "released_at",
            "ended_at",
            "outcome",
            "partly_posted",
            "reverses",
            "completes",
            "postings",
            "checkpoints",
            "decisions",
            "row_version",
            "trace_id",
        ]

    @extend_schema_field(PartlyPostedSerializer(allow_null=True))
    def get_partly_posted(self, plan: ChangePlan) -> object:
        partly = partly_posted(plan)
        return PartlyPostedSerializer(partly).data if partly is not None else None


class PlanProposalSerializer(StrictSerializer):
    """A new plan: for which case, of which kind, with which inputs, and why. Who asks is the token's owner, never a field.

    The kinds are those that there are when the request comes. What an input holds is checked by the kind alone, when the plan is
    composed, as it is for the page.
    """

    case = serializers.IntegerField(min_value=1)
    inputs = serializers.DictField()
    reason = PlainText(max_length=REASON_LENGTH_MAX)

    def get_fields(self) -> dict[str, Any]:
        return {"kind": serializers.ChoiceField(choices=list(KINDS)), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(attrs["inputs"]) - {entry.name for entry in KINDS[attrs["kind"]].fields})
        if unknown:
            raise serializers.ValidationError({"inputs": dict.fromkeys(unknown, "This kind of change has no such input.")})
        return attrs


class ApprovalSerializer(StrictSerializer):
    digest = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="The plan's digest as you read it: what you sign.")
    meaning = PlainText(max_length=200)


class ProofSerializer(StrictSerializer):
    proof = serializers.CharField(
        max_length=300,
        trim_whitespace=False,
        write_only=True,
        help_text="A code of your authenticator app, a recovery code, or your password where you have no second factor.",
    )


class StepUpSerializer(serializers.Serializer[Any]):
    """What was proved, and until when decisions with this token are taken."""

    method = serializers.CharField()
    at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class ReasonSerializer(StrictSerializer):
    reason = PlainText(max_length=REASON_LENGTH_MAX)


class ActionSerializer(serializers.ModelSerializer[ActionRecord]):
    summary = SentenceField()

    class Meta:
        model = ActionRecord
        fields = [
            "id",
            "at",
            "actor_label",
            "verb",
            "subject",
            "account_id",
            "case_id",
            "summary",
            "reason",
            "before",
            "after",
            "request_id",
            "trace_id",
        ]
