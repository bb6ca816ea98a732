"""The addresses of version 1. Deliveries and connections are `sync`'s own; the wiring puts them before these, because the last
line here answers everything that nobody else did."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.urls import path, re_path

from revops.api.schema import DocsView, SchemaView
from revops.api.views import accounts, audit, cases, plans
from revops.api.views.unknown import unknown

_view = login_not_required  # the token is checked by the API itself, which denies by default

urlpatterns = [
    path("v1/schema/", _view(SchemaView.as_view()), name="api-schema"),
    path("docs/", _view(DocsView.as_view()), name="api-docs"),
    path("v1/accounts/", _view(accounts.Accounts.as_view())),
    path("v1/accounts/<int:key>/", _view(accounts.OneAccount.as_view())),
    path("v1/accounts/<int:key>/ledger/", _view(accounts.AccountLedgerView.as_view())),
    path("v1/records/", _view(accounts.Records.as_view())),
    path("v1/records/<int:key>/", _view(accounts.OneRecord.as_view())),
    path("v1/records/<int:key>/entries/", _view(accounts.RecordEntries.as_view())),
    path("v1/cases/", _view(cases.Cases.as_view())),
    path("v1/cases/<int:key>/", _view(cases.OneCase.as_view())),
    path("v1/cases/<int:key>/notes/", _view(cases.CaseNotes.as_view())),
    path("v1/change-plans/", _view(plans.Plans.as_view())),
    path("v1/change-plans/<int:key>/", _view(plans.OnePlan.as_view())),
    path("v1/change-plans/<int:key>/submit/", _view(plans.SubmitPlan.as_view())),
    path("v1/change-plans/<int:key>/approve/", _view(plans.ApprovePlan.as_view())),
    path("v1/change-plans/<int:key>/reject/", _view(plans.RejectPlan.as_view())),
    path("v1/change-plans/<int:key>/withdraw/", _view(plans.WithdrawPlan.as_view())),
    path("v1/change-plans/<int:key>/finish/", _view(plans.FinishPlan.as_view())),
    path("v1/change-plans/<int:key>/reverse/", _view(plans.ReversePlan.as_view())),
    path("v1/postings/", _view(plans.Postings.as_view())),
    path("v1/postings/<int:key>/", _view(plans.OnePosting.as_view())),
    path("v1/audit/", _view(audit.Audit.as_view())),
    re_path("", unknown),
]
