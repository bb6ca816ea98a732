"""The addresses of version 1. Deliveries and connections are `sync`'s own; the wiring puts them before these, because the last
line here answers everything that nobody else did."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.urls import path, re_path

from revops.api.schema import DocsView, SchemaView
from revops.api.views import accounts, audit, cases, own_account, people, plans, step_up
from revops.api.views.unknown import unknown

_view = login_not_required  # the token is checked by the API itself, which denies by default

app_name = "api"
urlpatterns = [
    path("v1/schema/", _view(SchemaView.as_view()), name="schema"),
    path("docs/", _view(DocsView.as_view()), name="docs"),
    path("v1/accounts/", _view(accounts.Accounts.as_view()), name="accounts"),
    path("v1/accounts/<int:key>/", _view(accounts.OneAccount.as_view()), name="account"),
    path("v1/accounts/<int:key>/ledger/", _view(accounts.AccountLedgerView.as_view()), name="account-ledger"),
    path("v1/records/", _view(accounts.Records.as_view()), name="records"),
    path("v1/records/<int:key>/", _view(accounts.OneRecord.as_view()), name="record"),
    path("v1/records/<int:key>/entries/", _view(accounts.RecordEntries.as_view()), name="record-entries"),
    path("v1/cases/", _view(cases.Cases.as_view()), name="cases"),
    path("v1/cases/<int:key>/", _view(cases.OneCase.as_view()), name="case"),
    path("v1/cases/<int:key>/notes/", _view(cases.CaseNotes.as_view()), name="case-notes"),
    path("v1/change-plans/", _view(plans.Plans.as_view()), name="plans"),
    path("v1/change-plans/<int:key>/", _view(plans.OnePlan.as_view()), name="plan"),
    path("v1/change-plans/<int:key>/submit/", _view(plans.SubmitPlan.as_view()), name="plan-submit"),
    path("v1/change-plans/<int:key>/approve/", _view(plans.ApprovePlan.as_view()), name="plan-approve"),
    path("v1/change-plans/<int:key>/reject/", _view(plans.RejectPlan.as_view()), name="plan-reject"),
    path("v1/change-plans/<int:key>/withdraw/", _view(plans.WithdrawPlan.as_view()), name="plan-withdraw"),
    path("v1/change-plans/<int:key>/finish/", _view(plans.FinishPlan.as_view()), name="plan-finish"),
    path("v1/change-plans/<int:key>/reverse/", _view(plans.ReversePlan.as_view()), name="plan-reverse"),
    path("v1/postings/", _view(plans.Postings.as_view()), name="postings"),
    path("v1/postings/<int:key>/", _view(plans.OnePosting.as_view()), name="posting"),
    path("v1/people/", _view(people.People.as_view()), name="people"),
    path("v1/people/<int:key>/", _view(people.OnePerson.as_view()), name="person"),
    path("v1/people/<int:key>/roles/give/", _view(people.GiveRole.as_view()), name="role-give"),
    path("v1/people/<int:key>/roles/take/", _view(people.TakeRole.as_view()), name="role-take"),
    path("v1/people/<int:key>/deactivate/", _view(people.Deactivate.as_view()), name="person-deactivate"),
    path("v1/people/<int:key>/reactivate/", _view(people.Reactivate.as_view()), name="person-reactivate"),
    path("v1/people/<int:key>/forget-factors/", _view(people.ForgetFactors.as_view()), name="person-forget"),
    path("v1/people/<int:key>/link/", _view(people.PersonLink.as_view()), name="person-link"),
    path("v1/access-proposals/", _view(people.Proposals.as_view()), name="proposals"),
    path("v1/access-proposals/<int:key>/confirm/", _view(people.ConfirmProposal.as_view()), name="proposal-confirm"),
    path("v1/access-proposals/<int:key>/refuse/", _view(people.RefuseProposal.as_view()), name="proposal-refuse"),
    path("v1/me/", _view(own_account.Me.as_view()), name="me"),
    path("v1/me/password/", _view(own_account.Password.as_view()), name="me-password"),
    path("v1/me/sessions/", _view(own_account.Sessions.as_view()), name="me-sessions"),
    path("v1/me/sessions/end/", _view(own_account.EndSession.as_view()), name="me-session-end"),
    path("v1/me/tokens/", _view(own_account.Tokens.as_view()), name="me-tokens"),
    path("v1/me/tokens/end/", _view(own_account.EndToken.as_view()), name="me-token-end"),
    path("v1/me/delegations/", _view(own_account.Delegations.as_view()), name="me-delegations"),
    path("v1/me/delegations/end/", _view(own_account.EndDelegation.as_view()), name="me-delegation-end"),
    path("v1/step-up/", _view(step_up.StepUp.as_view()), name="step-up"),
    path("v1/audit/", _view(audit.Audit.as_view()), name="audit"),
    re_path("", unknown),
]
