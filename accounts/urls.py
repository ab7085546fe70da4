"""Addresses of log-in, forgotten password and second factor: allauth's, without its other views.

Those of staff lie below /admin/, so that a proxy that keeps the desk to its own network keeps them
there as well. Log-in and log-out take the place of the admin's own. A forgotten password is
everybody's, so its pages lie outside.
"""

from allauth.account import views
from django.urls import include, path, re_path

from .views import LogInView

urlpatterns = [
    path("admin/login/", LogInView.as_view(), name="account_login"),
    path("admin/logout/", views.logout, name="account_logout"),
    path("admin/inactive/", views.account_inactive, name="account_inactive"),
    path("admin/reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("admin/second-factor/", include("allauth.mfa.urls")),
    path("account/password/reset/", views.password_reset, name="account_reset_password"),
    path(
        "account/password/reset/sent/",
        views.password_reset_done,
        name="account_reset_password_done",
    ),
    re_path(
        r"^account/password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "account/password/reset/done/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
