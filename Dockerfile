# One image for web, worker and beat; what it does is its command. Holds no data, no secret and no model weights.
FROM python:3.11-slim AS build
# An index that serves the CPU build of torch keeps CUDA's 3 GB out of the image:
#   docker build --build-arg TORCH_INDEX_URL=…
# Web and worker only embed with it; the chat model runs in vLLM's own container.
ARG TORCH_INDEX_URL=""
WORKDIR /build
COPY pyproject.toml requirements.lock ./
COPY deploy/install.sh deploy/
RUN VENV=/venv TORCH_INDEX_URL="${TORCH_INDEX_URL}" deploy/install.sh

FROM python:3.11-slim
# llama.cpp's wheel links to the system's OpenMP.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin ragapp \
    && install -d -o ragapp -g ragapp -m 0700 /data
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py pyproject.toml ./
COPY ragapp ragapp
COPY ingestion ingestion
COPY templates templates
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    RAGAPP_DATA_DIR=/data \
    HF_HUB_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=1
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Liveness alone: a model that is loading makes the server not ready, and no reason to restart it.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python", "-c", \
    "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); assert c.getresponse().status < 400"]
ENTRYPOINT ["python", "manage.py"]
CMD ["up", "--host", "0.0.0.0", "--port", "8000"]
