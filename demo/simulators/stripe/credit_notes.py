"""Credit notes: the way to reduce an invoice that is already final."""

from __future__ import annotations

from typing import Any

from demo.simulators.stripe.account import new_id
from demo.simulators.stripe.invoices import Invoices, lines_of
from demo.simulators.stripe.parameters import Invalid, Params, Refused
from demo.simulators.vendor import Json, Request, Response, route

REASONS = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")
_NAMES = (
    "invoice", "amount", "lines", "reason", "memo", "metadata", "refund_amount", "credit_amount",
    "out_of_band_amount", "effective_at", "email_type",
)  # fmt: skip


class CreditNotes(Invoices):
    """`/v1/credit_notes`."""

    @route("GET", "/v1/credit_notes/preview")
    def preview_credit_note(self, request: Request) -> Response:
        """The note that these parameters would make; nothing is stored."""
        params = self.params(request).only(*_NAMES)
        note, _ = self._compose(params)
        return self.show(note, params)

    @route("POST", "/v1/credit_notes")
    def create_credit_note(self, request: Request) -> Response:
        """Reduces what remains first; the rest must be refunded, credited or settled outside."""
        params = self.params(request).only(*_NAMES)
        params.one_of("email_type", ("credit_note", "none"), "credit_note")
        note, invoice = self._compose(params)
        pre, post = note["pre_payment_amount"], note["post_payment_amount"]
        if credit := params.integer("credit_amount") or 0:
            customer = self.find("customers", invoice["customer"], "customer")
            self.change("customers", customer, customer | {"balance": (customer.get("balance") or 0) - credit})
            note["customer_balance_transaction"] = new_id("cbtxn")
        note = self.change("credit_notes", None, note)
        after = invoice | {
            "pre_payment_credit_notes_amount": (invoice.get("pre_payment_credit_notes_amount") or 0) + pre,
            "post_payment_credit_notes_amount": (invoice.get("post_payment_credit_notes_amount") or 0) + post,
            "amount_due": invoice["amount_due"] - pre,
            "amount_remaining": invoice["amount_remaining"] - pre,
        }
        if invoice["status"] == "open" and after["amount_remaining"] == 0:
            self.moved(after, "paid", "paid_at")
        else:
            self.change("invoices", invoice, after)
        return self.show(note, params)

    @route("POST", "/v1/credit_notes/{id}/void")
    def void_credit_note(self, request: Request, id: str) -> Response:
        """Issued to void, while its invoice is open; a note made after payment cannot be voided."""
        params = self.params(request).only()
        before = self.find("credit_notes", id)
        invoice = self.find("invoices", before["invoice"], "invoice")
        if before["status"] != "issued" or before["type"] != "pre_payment" or invoice["status"] != "open":
            raise Refused("You can only void an issued credit note of an open invoice.", param="id")
        pre = before["pre_payment_amount"]
        after = invoice | {
            "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] - pre,
            "amount_due": invoice["amount_due"] + pre,
            "amount_remaining": invoice["amount_remaining"] + pre,
        }
        self.change("invoices", invoice, after)
        voided = before | {"status": "void", "voided_at": self.now()}
        return self.show(self.change("credit_notes", before, voided), params)

    # -- composing ------------------------------------------------------------------------------------------------

    def _compose(self, params: Params) -> tuple[Json, Json]:
        """The note (not stored) and its invoice. Amounts in minor units of the invoice's currency."""
        invoice = self.find("invoices", params.required("invoice"), "invoice")
        if invoice["status"] not in ("open", "paid", "uncollectible"):
            raise Refused(f"Credit notes cannot be issued for a {invoice['status']} invoice.", param="invoice")
        lines = self._lines(params, invoice)
        amount = sum(line["amount"] for line in lines)
        if amount <= 0:
            raise Invalid("The credit note amount must be greater than zero.", "amount")
        issued = self.store.select("credit_notes", "invoice = ? AND status = 'issued'", [invoice["id"]])
        creditable = invoice["total"] - sum(note["total"] for note in issued)
        if amount > creditable:
            raise Refused(f"The credit note amount {amount} is more than can be credited ({creditable}).", None, "amount")
        pre = min(amount, invoice["amount_remaining"]) if invoice["status"] != "paid" else 0
        post = amount - pre
        given = sum(params.integer(name) or 0 for name in ("refund_amount", "credit_amount", "out_of_band_amount"))
        if given != post:
            message = f"The sum of credit amount, refund amount and out of band amount must be {post}, not {given}."
            raise Refused(message, None, "credit_amount")
        kind = "mixed" if pre and post else "post_payment" if post else "pre_payment"
        values: dict[str, Any] = dict.fromkeys(("subtotal", "total", "subtotal_excluding_tax"), amount)
        number = self.store.count("credit_notes", "invoice = ?", [invoice["id"]]) + 1
        reason = params.one_of("reason", REASONS, REASONS[0]) if "reason" in params else None
        note = self.new(
            "cn", "credit_note", amount=amount, currency=invoice["currency"], customer=invoice["customer"],
            customer_balance_transaction=None, discount_amount=0, discount_amounts=[], invoice=invoice["id"],
            effective_at=params.integer("effective_at") or self.now(), memo=params.text("memo"),
            metadata=params.metadata(), number=f"{invoice['number']}-CN-{number:02d}",
            out_of_band_amount=params.integer("out_of_band_amount"), pre_payment_amount=pre,
            post_payment_amount=post, reason=reason,
            refunds=[], status="issued", total_taxes=[], total_excluding_tax=amount, type=kind, voided_at=None,
            lines={"object": "list", "data": lines}, **values,
        )  # fmt: skip
        return note, invoice

    def _lines(self, params: Params, invoice: Json) -> list[Json]:
        rows, amount = params.rows("lines"), params.integer("amount")
        if bool(rows) == (amount is not None):
            raise Invalid("You must pass exactly one of amount or lines.", "amount")
        if amount is not None:
            return [_line("custom_line_item", amount, "Credit")]
        return [self._line(row, invoice) for row in rows]

    def _line(self, row: Params, invoice: Json) -> Json:
        row.only("type", "invoice_line_item", "amount", "quantity", "description", "unit_amount")
        amount, quantity = row.integer("amount"), row.integer("quantity")
        if row.required("type") == "custom_line_item":
            unit = row.integer("unit_amount")
            whole = unit * (quantity or 1) if unit is not None else amount
            if whole is None:
                raise Invalid("A custom line needs unit_amount.", "lines[unit_amount]", "parameter_missing")
            return _line("custom_line_item", whole, row.text("description"), quantity=quantity)
        wanted = row.required("invoice_line_item")
        found = next((line for line in lines_of(invoice) if line["id"] == wanted), None)
        if found is None:
            raise Invalid(f"No such invoice line item: '{wanted}'", "lines[invoice_line_item]", "resource_missing")
        if amount is None:
            amount = found["amount"] * (quantity or found["quantity"] or 1) // (found["quantity"] or 1)
        if amount > found["amount"]:
            raise Refused("The line's credit is more than the line.", None, "lines[amount]")
        return _line("invoice_line_item", amount, found["description"], quantity=quantity, invoice_line_item=wanted)


def _line(kind: str, amount: int, text: str | None, **values: Any) -> Json:
    base = {"id": new_id("cnli"), "object": "credit_note_line_item", "type": kind, "amount": amount, "livemode": False}
    return base | {"description": text, "discount_amount": 0, "discount_amounts": [], "taxes": []} | values
