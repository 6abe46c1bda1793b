# The service as one image: web server, job worker and command line are the same program, `repo`.
#   docker build -t repo . && docker run --init -p 8080:8080 -v repo:/var/lib/repo repo
# Debian's own Python, so that what runs here gets Debian's security updates.

FROM debian:trixie-slim AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/repo
WORKDIR /src
# The pinned packages first: they change less often than the sources.
COPY requirements.txt constraints.txt ./
RUN /opt/repo/bin/pip install --no-cache-dir --constraint constraints.txt --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY storage storage
COPY moodle_plugin_bridge moodle_plugin_bridge
COPY repo_client repo_client
COPY repo_service repo_service
RUN /opt/repo/bin/pip install --no-cache-dir --no-deps . \
    && /opt/repo/bin/pip uninstall --yes pip

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libmagic1t64 libseccomp2 python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /var/lib/repo --no-create-home --shell /usr/sbin/nologin repo \
    && install --directory --owner=repo --group=repo --mode=750 /var/lib/repo
COPY --from=build /opt/repo /opt/repo
ENV PATH=/opt/repo/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    REPO_HOST=0.0.0.0 \
    REPO_PORT=8080 \
    REPO_DATA_DIR=/var/lib/repo
USER repo
WORKDIR /var/lib/repo
VOLUME /var/lib/repo
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['REPO_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["repo"]
CMD ["run"]
