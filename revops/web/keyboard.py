"""The keyboard, declared once: the help dialog is drawn from this table and the script binds what the dialog shows. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One shortcut. `press` is what is typed (`g q` is two keys in turn); `action` is what the script does: `click:<name>`
    presses the visible control with that `data-key`, `go:<name>` follows the link of that section, the rest is built in.
    `where` lists the pages on which it works; empty means everywhere."""

    press: str
    label: str
    action: str
    where: tuple[str, ...] = ()

    @property
    def caps(self) -> list[list[str]]:
        """The caps as people read them: keys in turn, each of keys held together (`Control+k` is Ctrl and K)."""
        names = {"Control": "Ctrl", "Escape": "Esc", "k": "K"} if "+" in self.press else {"Escape": "Esc", "J": "Shift+j"}
        return [[names.get(cap, cap) for cap in part.split("+")] for part in self.press.split(" ")]


LIST = ("queue", "approvals", "plans", "accounts", "deliveries")

KEYS: tuple[Key, ...] = (
    Key("j", "Next row", "row:next", LIST),
    Key("k", "Previous row", "row:previous", LIST),
    Key("o", "Open the row", "row:open", LIST),
    Key("Enter", "Open the row", "row:open", LIST),
    Key("Space", "Preview beside the list", "row:preview", ("queue",)),
    Key("x", "Select the row", "row:select", ("queue", "deliveries")),
    Key("J", "Select and go down", "row:extend", ("queue",)),
    Key("i", "Take it", "click:take", ("queue", "case")),
    Key("a", "Assign to somebody", "click:assign", ("queue", "case")),
    Key("h", "Snooze", "click:snooze", ("queue", "case")),
    Key("p", "Propose a fix", "click:propose", ("queue", "case")),
    Key("n", "Write a note", "click:note", ("case",)),
    Key("j", "Next case", "click:next", ("case",)),
    Key("k", "Previous case", "click:previous", ("case",)),
    Key("u", "Back to the list", "click:back", ("case", "account", "record", "plan", "approval", "delivery")),
    Key("z", "Undo the last change", "click:undo"),
    Key("/", "Search this page", "focus:search"),
    Key("Control+k", "Find anything by name or id", "focus:find"),
    Key("?", "Show these keys", "help"),
    Key("Escape", "Close what is open", "close"),
    Key("g q", "Go to the queue", "go:queue"),
    Key("g a", "Go to approvals", "go:approvals"),
    Key("g p", "Go to changes", "go:plans"),
    Key("g c", "Go to accounts", "go:accounts"),
    Key("g d", "Go to deliveries", "go:deliveries"),
    Key("g l", "Go to the audit log", "go:audit"),
)


def keys_for(page: str, sections: Collection[str] | None = None) -> list[Key]:
    """The shortcuts that work on a page; of those that go somewhere, only the ones to `sections`, where these are known."""
    found = [key for key in KEYS if not key.where or page in key.where]
    return [k for k in found if sections is None or not k.action.startswith("go:") or k.action[3:] in sections]
