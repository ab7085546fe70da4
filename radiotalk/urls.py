"""Every address of the site: the admin, the API, and what supervisors ask for."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from django.views.static import serve
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.authtoken.views import obtain_auth_token

from notifications.metrics import metrics

from .health import healthz, readyz

handler404 = "radiotalk.api.not_found"
handler500 = "radiotalk.api.failed"

api: list[URLPattern | URLResolver] = [
    path("auth/token/", obtain_auth_token, name="auth-token"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("", include("programs.api.urls")),
    path("", include("notifications.api.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("", include("accounts.urls")),  # some of them in place of the admin's
    path("admin/", admin.site.urls),
    path("api/v1/", include(api)),
    path("i18n/", include("django.conf.urls.i18n")),
    # A proxy serves recordings better (docs/operations.md). The names of all recordings match this;
    # a name too long for the file system would be a 500.
    re_path(
        r"^media/(?P<path>[a-zA-Z0-9_./-]{1,200})$", serve, {"document_root": settings.MEDIA_ROOT}
    ),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
