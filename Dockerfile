# One image for every service; docker-compose.yml says which one a container runs.
FROM python:3.11-slim-bookworm

# A number, so that a cluster can forbid root without looking inside; a name, because initdb asks for one.
RUN useradd --uid 10001 --create-home tsunagu
WORKDIR /app
COPY . /app
# The same lock and the same steps as `make run`; caches would only make the image larger.
RUN PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 sh bootstrap/environment.sh core
# A named volume takes the owner of the folder it covers.
RUN for name in gateway ledger feeds planner payments partners dispatch sales ticketing settlement demand; do \
        install -d -o tsunagu -g tsunagu "/data/$name"; \
    done

USER 10001
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    MAAS_HOST=0.0.0.0 \
    MAAS_PORT=8080 \
    MAAS_DATA=/data/gateway
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
CMD ["maas", "up"]
