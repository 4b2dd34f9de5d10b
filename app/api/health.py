"""Whether the process lives, whether it may serve, and its measures."""

from fastapi import Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from app.api.doors import doors
from app.api.frame import Meters
from app.deps import Here, Now, open_door
from app.usecases import readiness

router = doors("", tag="health")


class HealthOut(BaseModel):
    """A sign of life of the process."""

    status: str = Field(examples=["ok"])


class ReadyOut(BaseModel):
    """Whether the service may be given requests, and why not."""

    status: str = Field(description="`ready` or `not_ready`.", examples=["ready"])
    checks: dict[str, str] = Field(
        description="database, schema, durability: `ok`, `failed` or `skipped`."
    )
    degraded: dict[str, object] = Field(
        description="What an operator should look at although the service is ready."
    )
    last_nightly: str | None = Field(description="The newest night that was done.")


@router.get(
    "/healthz",
    operation_id="getHealth",
    summary="Tell that the process lives",
    dependencies=[open_door],
)
async def get_health() -> HealthOut:
    """Tiến trình còn sống; không chạm tới cơ sở dữ liệu.

    The process lives; the database is not asked.
    """
    return HealthOut(status="ok")


@router.get(
    "/readyz",
    operation_id="getReadiness",
    summary="Tell whether the service may be given requests",
    dependencies=[open_door],
    response_model=ReadyOut,
    responses={503: {"model": ReadyOut, "description": "Not ready."}},
)
def get_readiness(here: Here, now: Now) -> Response:
    """Cơ sở dữ liệu, lược đồ và các thiết lập bảo đảm không mất dữ liệu; 503 khi chưa sẵn sàng.

    Database, schema and the settings on which durability rests; 503 when not ready. Everything
    else that is amiss is listed under `degraded`.
    """
    found = readiness.look(
        here.database, as_of=now, must_be_durable=here.environment == "production"
    )
    body = ReadyOut(
        status="ready" if found.is_ready else "not_ready",
        checks={check.value: verdict.value for check, verdict in found.checks.items()},
        degraded=dict(found.degraded),
        last_nightly=found.last_nightly,
    )
    return JSONResponse(body.model_dump(), status_code=200 if found.is_ready else 503)


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Give the measures in the format of Prometheus",
    dependencies=[open_door],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Measures."}},
)
def get_metrics(request: Request, here: Here, now: Now) -> Response:
    """Số đo vận hành cho Prometheus; nhãn không chứa mã hồ sơ hay đơn vị.

    Measures for Prometheus; no label holds a code of a dossier or a unit. The last night, its lag
    and the outbox are asked of the database; while it is away they are left out.
    """
    meters = request.app.state.meters
    if not isinstance(meters, Meters):
        raise TypeError("the application was not made by create_app")
    meters.tell(readiness.measures_of(here.database, as_of=now))
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)
