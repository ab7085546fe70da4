"""The addresses of programs, clips and talks, below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from .views import ProgramTalksView, ProgramViewSet, TalkView

router = SimpleRouter(use_regex_path=False)
router.register("programs", ProgramViewSet, basename="program")

urlpatterns = [
    *router.urls,
    path("programs/<int:program_id>/talks/", ProgramTalksView.as_view(), name="program-talks"),
    path("talks/<int:pk>/", TalkView.as_view(), name="talk-detail"),
]
