"""What every call to the org passes: OAuth tokens, sessions, limits, versions, the shape of errors."""

from __future__ import annotations

import os
import re
import secrets
import threading
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any, ClassVar

from demo.simulators import vendor
from demo.simulators.salesforce.ids import moment_text, numbered_id
from demo.simulators.salesforce.schema import SObject, custom_field, schema
from demo.simulators.vendor import Collection, Halt, Json, Request, Response, route

NEWEST_VERSION = 67
OLDEST_VERSION = 31
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_AUDIENCES = ["https://login.salesforce.com", "https://test.salesforce.com"]
JWT_SECONDS_MAX = 300
"""How far ahead `exp` may lie; the vendor asks for three minutes and allows some skew."""

_INDEXED = {
    "Opportunity": ("AccountId", "ContractId", "External_Key__c"), "Contract": ("AccountId", "ContractNumber",
    "External_Key__c"), "Order": ("AccountId", "ContractId", "External_Key__c"), "OrderItem": ("OrderId",),
    "OpportunityLineItem": ("OpportunityId",), "Account": ("Name", "External_Key__c"),
}  # fmt: skip


def _collection(sobject: SObject) -> Collection:
    names = ("SystemModstamp", "IsDeleted", *_INDEXED.get(sobject.name, ()))
    return Collection(sobject.name, key="Id", columns={name: f"$.{name}" for name in names})


def refusal(status: int, code: str, message: str, fields: list[str] | None = None) -> Response:
    """A REST error: always an array."""
    one: Json = {"message": message, "errorCode": code}
    if fields is not None:
        one["fields"] = fields
    return Response.of([one], status)


class Refused(Halt):
    """Undo and answer a REST error."""

    def __init__(self, status: int, code: str, message: str, fields: list[str] | None = None) -> None:
        super().__init__(refusal(status, code, message, fields))


class Org(vendor.Vendor):
    """Sessions and limits."""

    name = "salesforce"
    collections = (
        *(_collection(sobject) for sobject in schema().values()),
        Collection("CustomField", key="Id", internal=True),
        Collection("Hidden", key="Id", internal=True),
        Collection("tokens", internal=True),
        Collection("locators", internal=True),
    )
    consumer_key: ClassVar[str] = os.environ.get("SALESFORCE_SIM_CONSUMER_KEY", "rehearsal-consumer-key")
    consumer_secret: ClassVar[str] = os.environ.get("SALESFORCE_SIM_CONSUMER_SECRET", "rehearsal-consumer-secret")
    username: ClassVar[str] = "integration@meridian.example"
    user_id: ClassVar[str] = numbered_id("005", 1)
    organization_id: ClassVar[str] = numbered_id("00D", 1)
    daily_requests: int = int(os.environ.get("SALESFORCE_SIM_DAILY_REQUESTS", "1000000"))
    token_seconds: int = int(os.environ.get("SALESFORCE_SIM_TOKEN_SECONDS", "7200"))

    def setup(self) -> None:
        """The schema with the org's custom fields, the integration user, the key of the JWT flow."""
        self._lock = threading.Lock()
        self._used = 0
        self.objects = schema()
        self.key_path = self.store.path.with_name("salesforce_jwt_key.pem")
        for document in self.store.select("CustomField"):
            self.add_field(document)
        for document in self.store.select("Hidden"):
            self.hide(document)
        if self.store.get("User", self.user_id) is None:
            user = {"Id": self.user_id, "Name": "Integration", "Username": self.username, "IsActive": True}
            with self.store.transaction():
                self.store.put("User", self.loading("User", user))
        if not self.key_path.exists():
            from demo.simulators.salesforce.jwt_key import make_private_key

            make_private_key(self.key_path)

    def add_field(self, document: Json) -> None:
        """A custom field from `{"Id": "Account.Region__c", "type", "referenceTo", "externalId", "unique"}`."""
        sobject, _, name = document["Id"].partition(".")
        self.objects[sobject.lower()].add(
            custom_field(
                document.get("type", "string"),
                name,
                document.get("referenceTo", ""),
                bool(document.get("externalId")),
                bool(document.get("unique")),
            )
        )

    def hide(self, document: Json) -> None:
        """Take away what `{"Id": "Contract"}` or `{"Id": "Opportunity.ContractId"}` names: the org does not have it, or the
        integration user may not see it. Salesforce answers both alike."""
        sobject, _, name = document["Id"].lower().partition(".")
        if name:
            self.objects[sobject].fields.pop(name)
        else:
            self.objects.pop(sobject)

    # -- letting a request in -------------------------------------------------------------------------------------

    def admit(self, request: Request) -> Response | None:
        """API version, session, daily limit."""
        match = re.match(r"/services/data/v(\d+)\.0(/|$)", request.path)
        if match is None:
            return None
        version = int(match[1])
        if version < OLDEST_VERSION:
            return refusal(410, "UNSUPPORTED_API_VERSION", f"API version {version}.0 is retired.")
        if version > NEWEST_VERSION:
            return refusal(404, "NOT_FOUND", "The requested resource does not exist")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        session = self.store.get("tokens", token.strip()) if scheme.lower() in ("bearer", "oauth") else None
        if session is None or session["created"] <= self.now() - self.token_seconds:
            return refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
        with self._lock:
            self._used += 1
            if self._used > self.daily_requests:
                return refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        return None

    def finish(self, request: Request, response: Response) -> None:
        """Every data answer says how much of the day's limit is used."""
        if request.path.startswith("/services/data/"):
            response.headers["Sforce-Limit-Info"] = f"api-usage={self._used}/{self.daily_requests}"

    def trouble(self, request: Request, status: int, message: str) -> Response:
        """A bare status as an error array (an object at the OAuth endpoint)."""
        codes = {
            401: "INVALID_SESSION_ID", 403: "REQUEST_LIMIT_EXCEEDED", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED",
            400: "UNABLE_TO_LOCK_ROW", 412: "PRECONDITION_FAILED", 503: "SERVER_UNAVAILABLE",
        }  # fmt: skip
        if request.path.startswith("/services/oauth2/"):
            return Response.of({"error": "invalid_request", "error_description": message}, status)
        return refusal(status, codes.get(status, "UNKNOWN_EXCEPTION"), message)

    def effect_key(self, request: Request) -> str | None:
        """The external id of an upsert, else the caller's name from Sforce-Call-Options."""
        match = re.search(r"/sobjects/\w+/\w+/([^/]+)$", request.path)
        options = request.headers.get("Sforce-Call-Options")
        return match[1] if match else options

    # -- OAuth ----------------------------------------------------------------------------------------------------

    @route("POST", "/services/oauth2/token")
    def issue_token(self, request: Request) -> Response:
        """Client credentials or JWT bearer. No `expires_in`: a 401 says when the token is over."""
        form = dict(request.form())
        grant = form.get("grant_type")
        if grant == "client_credentials":
            given = _client(request, form)
            if given[0] != self.consumer_key:
                raise _oauth("invalid_client_id", "client identifier invalid")
            if given[1] != self.consumer_secret:
                raise _oauth("invalid_client", "invalid client credentials")
        elif grant == JWT_GRANT:
            self._check_assertion(form.get("assertion", ""))
        else:
            raise _oauth("unsupported_grant_type", "grant type not supported")
        token = f"{self.organization_id[:15]}!{secrets.token_urlsafe(48)}"
        self.store.put("tokens", {"id": token, "created": self.now()})
        identity = f"{self.base_url}/id/{self.organization_id}/{self.user_id}"
        reply = {"access_token": token, "instance_url": self.base_url, "id": identity, "token_type": "Bearer"}
        return Response.of(reply | {"scope": "api", "issued_at": str(self.now() * 1000)})

    @route("POST", "/services/oauth2/revoke")
    def revoke_token(self, request: Request) -> Response:
        """The token stops at once."""
        token = dict(request.form()).get("token") or request.query.get("token", "")
        if not self.store.remove("tokens", token):
            raise _oauth("unsupported_token_type", "this token is not known")
        return Response(200)

    def _check_assertion(self, assertion: str) -> None:
        import jwt

        from demo.simulators.salesforce.jwt_key import public_key

        try:
            claims: dict[str, Any] = jwt.decode(
                assertion,
                public_key(self.key_path),
                algorithms=["RS256"],
                audience=JWT_AUDIENCES,
                options={"require": ["iss", "sub", "aud", "exp"], "verify_exp": False},
            )
        except jwt.InvalidAudienceError:
            raise _oauth("invalid_grant", "audience is invalid") from None
        except jwt.PyJWTError:
            raise _oauth("invalid_grant", "invalid assertion") from None
        if claims["iss"] != self.consumer_key:
            raise _oauth("invalid_client_id", "client identifier invalid")
        expires = str(claims["exp"])  # some libraries write it as text
        if not expires.isdigit() or not self.now() <= int(expires) <= self.now() + JWT_SECONDS_MAX:
            raise _oauth("invalid_grant", "expired authorization code")
        if claims["sub"] != self.username:
            raise _oauth("invalid_grant", "user hasn't approved this consumer")

    # -- about the org --------------------------------------------------------------------------------------------

    @route("GET", "/services/data/v{version}/limits")
    def limits(self, request: Request, version: str) -> Response:
        """The daily total."""
        daily = {"Max": self.daily_requests, "Remaining": max(0, self.daily_requests - self._used)}
        return Response.of({"DailyApiRequests": daily})

    # -- for the rest ---------------------------------------------------------------------------------------------

    def moment(self) -> str:
        """Now, as rows carry it."""
        return moment_text(datetime.fromtimestamp(self.store.clock(), UTC))

    def sobject(self, name: str) -> SObject:
        """The object by its name in any case, or 404."""
        found = self.objects.get(name.lower())
        if found is None:
            raise Refused(404, "NOT_FOUND", "The requested resource does not exist")
        return found


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        key, _, secret = b64decode(value).decode("utf-8", "replace").partition(":")
        return key, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _oauth(code: str, message: str) -> Halt:
    """OAuth errors are an object, not an array."""
    return Halt(Response.of({"error": code, "error_description": message}, 400))
