"""Every address of the site: the admin, the API, and what supervisors ask for."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from notifications.metrics import metrics
from programs.media import recording

from .health import healthz, readyz

handler404 = "radiotalk.api.not_found"
handler500 = "radiotalk.api.failed"

# Swagger UI, its script from an address of its own. It has no metadata for OPTIONS: for them DRF
# would look for a template.
docs = SpectacularSwaggerSplitView.as_view(
    url_name="schema", template_name="docs.html", metadata_class=None
)

api: list[URLPattern | URLResolver] = [
    path("", include("accounts.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", docs, name="docs"),
    path("", include("programs.api.urls")),
    path("", include("notifications.api.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("", include("accounts.urls")),  # some of them in place of the admin's
    path("admin/", admin.site.urls),
    path("api/v1/", include(api)),
    path("i18n/", include("django.conf.urls.i18n")),
    # A proxy serves recordings better (docs/operations.md).
    path("media/<path:name>", recording, name="recording"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
