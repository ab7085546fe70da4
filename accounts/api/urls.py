"""The addresses of log-ins and tokens, below /api/v1/."""

from django.urls import path

from .views import LogInView, TokensView, TokenView

urlpatterns = [
    path("auth/token/", LogInView.as_view(), name="auth-token"),
    path("auth/tokens/", TokensView.as_view(), name="auth-tokens"),
    path("auth/tokens/<int:pk>/", TokenView.as_view(), name="auth-token-detail"),
]
