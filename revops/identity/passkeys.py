"""Passkeys (WebAuthn): adding one, and proving with one. What is sent and checked is python-fido2's.

A passkey belongs to the host name under which it was made; under a bare IP address browsers offer none. `state` is what the
browser's session keeps between the question and the answer.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from revops.audit.log import record as audit
from revops.errors import Rejected
from revops.identity.models import Passkey
from revops.people.models import User
from revops.sentences import template

ADDED = template("factor.passkey", "{person} added the passkey {name}")

WRONG = "This passkey was not accepted. Try again, or use another way."
PER_PERSON_MAX = 20

State = dict[str, Any]
Options = dict[str, Any]


def relying_party(host: str) -> str:
    """The name that passkeys are bound to, of a host with or without its port; empty for an IP address."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name
    return ""


def begin_passkey(user: User, *, host: str) -> tuple[Options, State]:
    """What the browser is asked for to make a passkey. Raises `Rejected` (`no_host_name`, `too_many_passkeys`)."""
    if Passkey.objects.filter(user=user).count() >= PER_PERSON_MAX:
        raise Rejected("too_many_passkeys", f"One person has at most {PER_PERSON_MAX} passkeys. Remove one first.")
    entity = PublicKeyCredentialUserEntity(
        id=f"revops-{user.pk}".encode(), name=user.get_username(), display_name=user.shown_name
    )
    options, state = _server(host).register_begin(
        entity,
        _credentials(user, host),
        resident_key_requirement=ResidentKeyRequirement.DISCOURAGED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return json.loads(json.dumps(dict(options))), dict(state)


@transaction.atomic
def add_passkey(user: User, *, name: str, answer: str, state: State, host: str, acting_user: User) -> Passkey:
    """Keep what the browser made. Raises `Rejected("passkey_wrong")` for an answer to another question, site or person."""
    try:
        response = RegistrationResponse.from_dict(_read(answer))
        made = _server(host).register_complete(state, response)
        credential = made.credential_data
        if credential is None:
            raise ValueError("no credential")
        with transaction.atomic():
            row = Passkey.objects.create(
                user=user, credential_id=credential.credential_id, credential=bytes(credential), sign_count=made.counter,
                relying_party=relying_party(host), name=name.strip()[:60] or "Passkey",
            )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, IntegrityError):
        raise Rejected("passkey_wrong", WRONG, field="answer") from None
    said = ADDED(person=user.get_username(), name=row.name)
    audit("factor.add", user, acting_user=acting_user, summary=said, after={"factor": "passkey", "name": row.name})
    return row


def begin_proof(user: User, *, host: str) -> tuple[Options, State]:
    """The challenge that one of the person's passkeys signs. Raises `Rejected`."""
    server = _server(host)
    options, state = server.authenticate_begin(_credentials(user, host), UserVerificationRequirement.PREFERRED)
    return json.loads(json.dumps(dict(options))), dict(state)


def take_proof(user: User, *, answer: str, state: State, host: str, now: dt.datetime) -> bool:
    """Whether one of the person's passkeys signed this challenge; its counter moves on, and a copied passkey is refused."""
    credentials = _credentials(user, host)
    try:
        response = AuthenticationResponse.from_dict(_read(answer))
        used = _server(host).authenticate_complete(state, credentials, response)
        counter = response.response.authenticator_data.counter
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    rows = Passkey.objects.filter(user=user, credential_id=used.credential_id)
    fresh = rows.filter(sign_count__lt=counter) if counter else rows.filter(sign_count=0)
    return bool(fresh.update(sign_count=counter, last_used_at=now))


def has_passkey(user: User, host: str = "") -> bool:
    """Whether this person has a passkey, for this host when one is given."""
    rows = Passkey.objects.filter(user=user)
    return (rows.filter(relying_party=relying_party(host)) if host else rows).exists()


def _credentials(user: User, host: str) -> list[AttestedCredentialData]:
    rows = Passkey.objects.filter(user=user, relying_party=relying_party(host))
    return [AttestedCredentialData(bytes(row.credential)) for row in rows]


def _server(host: str) -> Fido2Server:
    name = relying_party(host)
    if not name:
        raise Rejected("no_host_name", "Browsers make passkeys for a host name only. Open RevOps under its name, not a number.")
    return Fido2Server(PublicKeyCredentialRpEntity(id=name, name="RevOps"))


def _read(answer: str) -> Mapping[str, Any]:
    found = json.loads(answer)
    if not isinstance(found, dict):
        raise TypeError("an answer is an object")
    return found
