"""The addresses of the pages. Codes (`EX-00042`) stand in them, so that an address can be read out."""

from __future__ import annotations

from django.urls import path

from revops.web import (
    accounts,
    approvals,
    audit,
    bulk,
    cases,
    home,
    links,
    people,
    plan_list,
    plans,
    queue,
    records,
    saved_views,
    sign_in,
    status_banner,
    step_up,
)
from revops.web.navigation import Section, add_section

app_name = "web"
urlpatterns = [
    path("", home.home, name="home"),
    path("find/", home.find, name="find"),
    path("status-banner/", status_banner.status_banner, name="status-banner"),
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    path("sign-in/second/", sign_in.second_factor, name="second-factor"),
    path("passkeys/challenge/", step_up.passkey_challenge, name="passkey-challenge"),
    path("confirm/", step_up.confirm, name="confirm"),
    path("sign-out/", sign_in.sign_out, name="sign-out"),
    path("preferences/", sign_in.preferences, name="preferences"),
    path("queue/", queue.queue_page, name="queue"),
    path("queue/pulse/", queue.pulse, name="queue-pulse"),
    path("queue/bulk/", bulk.bulk, name="queue-bulk"),
    path("queue/views/", saved_views.save, name="view-save"),
    path("queue/views/<int:pk>/delete/", saved_views.delete, name="view-delete"),
    path("cases/<str:code>/", cases.case_page, name="case"),
    path("cases/<str:code>/preview/", cases.preview, name="case-preview"),
    path("cases/<str:code>/take/", cases.take, name="case-take"),
    path("cases/<str:code>/assign/", cases.assign, name="case-assign"),
    path("cases/<str:code>/snooze/", cases.snooze, name="case-snooze"),
    path("cases/<str:code>/wake/", cases.wake, name="case-wake"),
    path("cases/<str:code>/watch/", cases.watch, name="case-watch"),
    path("cases/<str:code>/notes/", cases.note, name="case-note"),
    path("accounts/", accounts.accounts_page, name="accounts"),
    path("accounts/<str:code>/", accounts.account_page, name="account"),
    path("accounts/<str:code>/unlink/", links.unlink, name="account-unlink"),
    path("unlinked/", links.unlinked_page, name="unlinked"),
    path("unlinked/link/", links.link, name="unlinked-link"),
    path("records/<int:pk>/", records.record_page, name="record"),
    path("records/<int:pk>/verdict/", records.judge, name="record-verdict"),
    path("plans/", plan_list.plans_page, name="plans"),
    path("plans/new/", plans.new_plan, name="plan-new"),
    path("plans/<str:code>/", plans.plan_page, name="plan"),
    path("plans/<str:code>/edit/", plans.edit, name="plan-edit"),
    path("plans/<str:code>/submit/", plans.submit, name="plan-submit"),
    path("plans/<str:code>/withdraw/", plans.withdraw, name="plan-withdraw"),
    path("plans/<str:code>/undo/", plans.undo, name="plan-undo"),
    path("plans/<str:code>/finish/", plans.finish, name="plan-finish"),
    path("plans/<str:code>/calls/<int:pk>/", plans.record_outcome, name="posting-outcome"),
    path("approvals/", approvals.inbox, name="approvals"),
    path("approvals/<str:code>/", approvals.approval_page, name="approval"),
    path("approvals/<str:code>/approve/", approvals.approve, name="approval-approve"),
    path("approvals/<str:code>/reject/", approvals.reject, name="approval-reject"),
    path("audit/", audit.audit_page, name="audit"),
    path("people/", people.people_page, name="people"),
]

add_section(Section("queue", "Queue", "web:queue", "see_queue", 10))
add_section(Section("approvals", "Approvals", "web:approvals", "see_approvals", 20, approvals.count_waiting))
add_section(Section("plans", "Changes", "web:plans", "see_plan", 25))
add_section(Section("accounts", "Accounts", "web:accounts", "see_account", 30))
add_section(Section("audit", "Audit", "web:audit", "see_audit", 60))
add_section(Section("people", "People", "web:people", "see_people", 80))
