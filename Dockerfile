# One image for every role: `serve` (default), `worker`, or any other command of the service.
# The base is named by tag: pin it by digest (python:3.11-slim-bookworm@sha256:…) where you build,
# from the registry that you trust. This file is checked by a test that reads it; it is not built
# in the project's own CI, which has no container engine.

FROM python:3.11-slim-bookworm AS libraries
COPY requirements.txt /build/requirements.txt
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary=:all: \
      --require-hashes -r /build/requirements.txt \
 && /venv/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Đúng Hạn" \
      org.opencontainers.image.description="Judges whether administrative dossiers are returned on time" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
RUN groupadd --gid 10001 dunghan \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin dunghan \
 && install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=libraries /venv /venv
COPY alembic.ini /srv/
COPY migrations /srv/migrations
COPY app /srv/app
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/srv \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DUNGHAN_DATA_DIR=/data \
    DUNGHAN_HOST=0.0.0.0 \
    DUNGHAN_PORT=8000
WORKDIR /srv
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]
