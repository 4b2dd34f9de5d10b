"""The peer that reports: a Django REST Framework service over one plain indexed table.

What a team would write first: a model with a row for each dossier, a view that counts it through
the ORM with filtered aggregates. It has no history, no clock and no rights: the instants that judge
a dossier are columns that were worked out for it.

    DRF_HOST=… DRF_USER=… DRF_DATABASE=… gunicorn -w 1 --threads 4 ….figures_drf:application
"""

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a key of the benchmark",
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    USE_TZ=True,
    TIME_ZONE="UTC",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["DRF_DATABASE"],
            "USER": os.environ["DRF_USER"],
            "HOST": os.environ["DRF_HOST"],
            "CONN_MAX_AGE": None,
        }
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402  # after the settings
from django.db import connection, models  # noqa: E402
from django.db.models import Count, F, Q  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dossier(models.Model):
    """A dossier, with the two instants that judge it."""

    unit = models.CharField(max_length=100)
    province = models.CharField(max_length=100)
    procedure = models.CharField(max_length=100, null=True)
    channel = models.CharField(max_length=20)
    received_at = models.DateTimeField(db_index=True)
    early_before = models.DateTimeField(null=True)
    on_time_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, db_index=True)
    outcome = models.CharField(max_length=20, null=True)

    class Meta:
        """One table, indexed for the questions that are asked of it."""

        app_label = "rest_framework"
        db_table = "peer_figure"
        indexes = (
            models.Index(fields=["unit", "received_at"], name="peer_figure_unit"),
            models.Index(fields=["province", "received_at"], name="peer_figure_province"),
        )


def counts(begins: datetime, ends: datetime) -> dict[str, Count]:
    """Return every count of a period as a filtered aggregate."""
    came = Q(received_at__gte=begins)
    finished = Q(outcome="finished", ended_at__lt=ends, ended_at__gte=begins)
    early, in_time = Q(ended_at__lt=F("early_before")), Q(ended_at__lte=F("on_time_until"))
    held = Q(ended_at__isnull=True) | Q(ended_at__gte=ends)
    overdue = Q(on_time_until__lt=ends - timedelta(microseconds=1))
    wanted = {
        "received": came,
        "received_online": came & Q(channel="online"),
        "received_in_person": came & Q(channel="in_person"),
        "received_by_post": came & Q(channel="post"),
        "received_unknown_channel": came & Q(channel="unknown"),
        "finished_early": finished & early,
        "finished_on_time": finished & ~early & in_time,
        "finished_late": finished & ~in_time,
        "withdrawn": Q(outcome="withdrawn", ended_at__lt=ends, ended_at__gte=begins),
        "carried_over": ~came,
        "in_hand": held & ~overdue,
        "open_overdue": held & overdue,
    }
    return {name: Count("id", filter=condition) for name, condition in wanted.items()}


class Figures(APIView):
    """GET the counts of periods, given as instants in microseconds with commas between."""

    def get(self, request: Request) -> Response:
        """Count."""
        told = request.query_params
        cuts = [EPOCH + timedelta(microseconds=int(cut)) for cut in told["cuts"].split(",")]
        scope = {name: told[name] for name in ("unit", "province") if told.get(name)}
        rows: list[dict[str, object]] = []
        for begins, ends in pairwise(cuts):
            found = Dossier.objects.filter(**scope, received_at__lt=ends).filter(
                Q(ended_at__gte=begins) | Q(ended_at__isnull=True)
            )
            if told.get("by_unit"):
                rows += found.values("unit").annotate(**counts(begins, ends)).order_by("unit")
            else:
                rows.append(found.aggregate(**counts(begins, ends)))
        return Response(rows)


def make_table() -> None:
    """Make the table, empty."""
    with connection.schema_editor() as editor:
        editor.create_model(Dossier)


urlpatterns = [path("figures", Figures.as_view())]
application = get_wsgi_application()
if os.environ.get("DRF_MAKE_TABLE"):
    make_table()
