"""Check an exported audit log without the product: `python3 check_audit.py EXPORT HEADS PUBLIC_KEY`.

Needs Python 3.9 and nothing else. EXPORT is what `manage.py export_audit` wrote, HEADS the file of signed heads, PUBLIC_KEY a
public key in base64 or a file that holds one; several with commas. Take the heads and the key from where those who administer the
database cannot write. Prints what is wrong and ends with 1, or prints how far the log is whole and ends with 0.

Checked: each line gives its digest, the digests form a chain without gaps, and each signed head lies on it. Ed25519 is verified
as RFC 8032 (5.1.7) describes it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import pathlib
import sys
from typing import Any, Tuple

Point = Tuple[int, int, int, int]
"""In extended coordinates: X, Y, Z, T."""
BEGINNING = hashlib.sha256(b"revops audit chain 1").digest()
MONTH = "month:audit_actionrecord_"
"""What the log itself says of a month that was taken to the archive; the id of a line begins with its month."""
TOLD_MAX = 20

# --- Ed25519 ------------------------------------------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def plus(a: Point, b: Point) -> Point:
    """The sum of two points in extended coordinates (X, Y, Z, T)."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    o, q = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, q - o, q + o, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    """The point added to itself that many times."""
    found: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = plus(found, point)
        point, number = plus(point, point), number >> 1
    return found


def point_of(octets: bytes) -> Point | None:
    """The point that 32 octets stand for; None when they stand for none."""
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if len(octets) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (not x and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or (0, 1, 1, 0)


def verified(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's over the message."""
    s = int.from_bytes(signature[32:], "little")
    a, r = point_of(key), point_of(signature[:32])
    if len(signature) != 64 or a is None or r is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = times(s, BASE), plus(r, times(k, a))
    return not (left[0] * right[2] - right[0] * left[2]) % P and not (left[1] * right[2] - right[1] * left[2]) % P


# --- the log ------------------------------------------------------------------------------------------------------------


def item(tag: str, text: str | None) -> bytes:
    """A tag, eight octets of length, and the text."""
    octets = b"" if text is None else text.encode()
    return (b"n" if text is None else tag.encode()) + len(octets).to_bytes(8, "big") + octets


def check_lines(path: str) -> tuple[dict[int, bytes], list[str], int]:
    """The digests by number, and what is wrong with the exported lines."""
    digests, before = {0: BEGINNING}, BEGINNING
    wrong: list[str] = []
    gone: list[int] = []
    months: set[int] = set()
    with open(path, encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            line = json.loads(text)
            if line["sequence"] != number:
                wrong.append(f"line {number} of the file has the number {line['sequence']}")
            if line["record"] is None:
                gone.append(line["record_id"])
                content = bytes.fromhex(line["content"])
            else:
                content = hashlib.sha256(
                    b"".join(item("t", name) + item(tag, value) for name, tag, value in line["record"])
                ).digest()
                named = {name: value for name, _, value in line["record"]}
                if content.hex() != line["content"] or named.get("id") != str(line["record_id"]):
                    wrong.append(f"number {number} (record {line['record_id']}) is not what was sealed")
                if named.get("verb") == "retention.take_out" and str(named["subject"]).startswith(MONTH):
                    months.add(int(named["subject"][len(MONTH) :]))
            before = hashlib.sha256(before + number.to_bytes(8, "big") + content).digest()
            if before.hex() != line["digest"]:
                wrong.append(f"number {number} does not follow from the one before")
                before = bytes.fromhex(line["digest"])
            digests[number] = before
    wrong += [f"record {each} is gone, and its month is not in the archive" for each in gone if each // 10**10 not in months]
    return digests, wrong, len(gone)


def check_heads(path: str, keys: list[bytes], digests: dict[int, bytes]) -> tuple[list[str], list[str], Any]:
    """What is wrong with the heads, and what is to be told of them."""
    wrong: list[str] = []
    told: list[str] = []
    earlier: list[dict[str, Any]] = []
    last: Any = None
    with open(path, encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            try:
                head = json.loads(text)
                message = "revops audit head 1\n{}\n{}\n{}\n{}\n".format(
                    head["sequence"], head["digest"], head["at"], "restored" if head["restored"] else ""
                ).encode()
                signed = any(verified(key, message, bytes.fromhex(head["signature"])) for key in keys)
            except (ValueError, KeyError, TypeError):
                wrong.append(f"head {number} cannot be read")
                continue
            if not signed:
                wrong.append(f"head {number} is not signed by a given key")
                continue
            if head["restored"]:
                gone = max((each["sequence"] for each in earlier), default=0)
                told.append(f"{head['at']}: the database was put back to number {head['sequence']}; it had come to {gone}")
                earlier = [each for each in earlier if each["sequence"] <= head["sequence"]]
            elif last and head["sequence"] < last["sequence"]:
                wrong.append(f"head {number} has a smaller number than the one before")
            earlier.append(head)
            last = head
    for head in earlier:
        found = digests.get(head["sequence"])
        if found is None:
            wrong.append(f"the head of {head['at']} has number {head['sequence']}, which the log does not reach")
        elif found.hex() != head["digest"]:
            wrong.append(f"the head of {head['at']} at number {head['sequence']} is not on the chain")
    if not earlier:
        wrong.append("there is no signed head")
    return wrong, told, last


def main(arguments: list[str]) -> int:
    """Check; returns the exit status."""
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    export, heads, given = arguments
    texts = [pathlib.Path(each).read_text() if pathlib.Path(each).is_file() else each for each in given.split(",")]
    keys = [base64.b64decode(each) for each in texts]
    digests, wrong, archived = check_lines(export)
    of_heads, told, last = check_heads(heads, keys, digests)
    wrong += of_heads
    for sentence in told + wrong[:TOLD_MAX]:
        print(sentence)
    if wrong:
        print(f"The log is not whole: {len(wrong)} faults.")
        return 1
    print(f"The log is whole: {len(digests) - 1} lines, {archived} of them in the archive, signed up to {last['sequence']}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
