"""The peer: a Django REST Framework service that keeps dossiers in the same PostgreSQL.

It does less than the service does: one table, no history, no clock, no readings, no rights. A
record is validated by a serializer and upserted; the list route takes a batch with a list
serializer and ``bulk_create(update_conflicts=True)``, which is the fastest that its ORM offers.

    DRF_DSN=… gunicorn -w 1 --threads 4 bench.peers.drf:application
"""

import os
from typing import ClassVar

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
    DATA_UPLOAD_MAX_MEMORY_SIZE=64 * 2**20,
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"here": {"class": "logging.StreamHandler"}},
        "loggers": {"django": {"handlers": ["here"], "level": "ERROR"}},
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
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
from django.db import connection, models, transaction  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Dossier(models.Model):
    """What the sender says now, and nothing else."""

    code = models.CharField(max_length=100, unique=True)
    unit = models.CharField(max_length=100, db_index=True)
    procedure = models.CharField(max_length=100)
    channel = models.CharField(max_length=20, null=True)
    applicant_type = models.CharField(max_length=20, null=True)
    applicant_key = models.CharField(max_length=100, null=True)
    submitted_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(null=True, db_index=True)
    due_at = models.DateTimeField(null=True, db_index=True)
    status = models.CharField(max_length=30, null=True)
    outcome = models.CharField(max_length=20, null=True)
    finished_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    return_method = models.CharField(max_length=20, null=True)
    official = models.CharField(max_length=100, null=True)
    pauses = models.JSONField(default=list)
    source_updated_at = models.DateTimeField()

    class Meta:
        """One table of its own, beside those of the service."""

        app_label = "rest_framework"
        db_table = "peer_dossier"


META = Dossier._meta  # noqa: SLF001  # the public way to the fields of a model
FIELDS = [field.name for field in META.concrete_fields if field.name not in {"id", "code"}]


class DossierSerializer(serializers.ModelSerializer[Dossier]):
    """Every field, validated by its type; the upsert looks after what is there already."""

    class Meta:
        """The fields of the model, without the question for uniqueness."""

        model = Dossier
        exclude = ("id",)
        extra_kwargs: ClassVar = {"code": {"validators": []}}


def upsert(rows: list[dict[str, object]]) -> None:
    """Insert or update, one transaction; of two rows of one code the later one counts.

    Rows go in the order of their codes: batches that come together would lock each other out.
    """
    last = {row["code"]: Dossier(**row) for row in rows}
    with transaction.atomic():
        Dossier.objects.bulk_create(
            [last[code] for code in sorted(last)],
            update_conflicts=True,
            unique_fields=["code"],
            update_fields=FIELDS,
        )


class Batch(APIView):
    """POST a list of dossiers."""

    def post(self, request: object) -> Response:
        """Take a batch."""
        serializer = DossierSerializer(data=request.data["dossiers"], many=True)  # type: ignore[attr-defined]
        serializer.is_valid(raise_exception=True)
        upsert(serializer.validated_data)
        return Response({"accepted": len(serializer.validated_data)})


class One(APIView):
    """PUT one dossier."""

    def put(self, request: object, code: str) -> Response:
        """Take one record."""
        serializer = DossierSerializer(data=request.data | {"code": code})  # type: ignore[attr-defined]
        serializer.is_valid(raise_exception=True)
        upsert([serializer.validated_data])
        return Response({"code": code})


def make_table() -> None:
    """Make the table, empty."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS peer_dossier")
    with connection.schema_editor() as editor:
        editor.create_model(Dossier)


urlpatterns = [path("batch", Batch.as_view()), path("dossiers/<code>", One.as_view())]
application = get_wsgi_application()
if os.environ.get("DRF_MAKE_TABLE"):
    make_table()
