"""People as they come in over HTTP: by a link, a password, and an authenticator app whose codes are computed here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
from urllib.parse import parse_qs, urlsplit

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

PASSWORD = "three quiet otters swim"


def code_of(secret: str, step: int) -> str:
    """The code of a half minute as RFC 6238 computes it, by hand: the product's own library must agree."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


class Newcomer(Client):
    """Somebody at a browser. `secret` is of their authenticator app, once it is set up; each code is asked for once."""

    secret = ""
    _used = 0

    def code(self) -> str:
        """A code that was not used before: of this half minute, then of the next one."""
        self._used = max(self._used + 1, int(timezone.now().timestamp()) // 30)
        return code_of(self.secret, self._used)

    def accept(self, address: str) -> HttpResponse:
        """Open the link and choose a password."""
        where = urlsplit(address)
        assert self.get(where.path).status_code == 200
        return self.post(where.path, {"secret": where.fragment, "password": PASSWORD})  # type: ignore[return-value]

    def sign_in(self, email: str, password: str = PASSWORD) -> HttpResponse:
        answer = self.post("/sign-in/", {"username": email, "password": password})
        if self.secret and answer.status_code == 302:
            assert answer["Location"] == "/sign-in/second/"
            answer = self.post("/sign-in/second/", {"proof": self.code()})
        return answer  # type: ignore[return-value]

    def prove(self, proof: str = PASSWORD) -> None:
        """Prove once more that it is they."""
        assert self.post("/confirm/", {"proof": proof, "next": "/me/"}).status_code == 302

    def set_up_app(self, password: str = PASSWORD) -> list[str]:
        """An authenticator app, proved with the password before; the recovery codes that are shown."""
        self.prove(password)
        self.post("/me/app/")
        page = self.get("/me/").content.decode()
        found = re.search(r"otpauth://[^<\s]+", page)
        assert found is not None
        self.secret = parse_qs(urlsplit(found[0].replace("&amp;", "&")).query)["secret"][0]
        answer = self.post("/me/app/confirm/", {"code": self.code()})
        assert answer.status_code == 200
        return re.findall(r"[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}", answer.content.decode())


def link_in(answer: HttpResponse) -> str:
    """The link that a page shows to be handed over."""
    found = re.search(r"https?://[^<\s]+/link/#[\w-]+", answer.content.decode())
    assert found is not None, answer.content.decode()
    return found[0]
