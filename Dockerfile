# One image for the server, its database, the worker, the hooks and every job.
#
#   docker build --tag trading-fanout:0.1.0 .
#
# It needs the base image and the package index, nothing else, and no BuildKit either.
ARG PYTHON_VERSION=3.11


FROM python:${PYTHON_VERSION}-slim AS dependencies

# Bytecode belongs to the image: a read-only root cannot keep what a process compiles, and without
# it every start takes more than twice as long. Unchecked, because some builders rewrite the times
# of files, which bytecode is otherwise compared with.
ENV UV_COMPILE_BYTECODE=1 \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never

RUN pip install --no-cache-dir uv==0.13.9

WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-editable --no-install-project \
        --extra kubernetes --extra s3-demo --extra live --extra kafka

# An empty Postgres cluster: initdb refuses to run as root, and as a user id without a name, which
# is what many clusters give to a pod. The built-in locale does not depend on the base image's C
# library, so an upgrade of that leaves the indexes valid.
# Who may connect is written at every start, before the server opens a port.
RUN ln -s "$(find /app/.venv/lib -type d -name pginstall)" .venv/postgres \
    && useradd --uid 10001 --gid 0 --no-create-home trading \
    && setpriv --reuid 10001 --regid 0 --clear-groups .venv/postgres/bin/initdb \
        --pgdata=/tmp/cluster --username=postgres --encoding=UTF8 \
        --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C \
        --auth=trust --no-sync --no-instructions \
    && tar --create --gzip --file=/app/postgres-template.tar.gz --directory=/tmp/cluster . \
    && rm -r /tmp/cluster


FROM dependencies AS project

COPY README.md ./
COPY storage storage
COPY trading trading
COPY adapters adapters
COPY lake lake
COPY database database
COPY fanout fanout
COPY flows flows
COPY live live
COPY api api
COPY servers servers
COPY cli cli
COPY prefect.yaml ./
COPY input input
# What this adds to the environment becomes a layer of its own: a new version of the project is
# then a small download for nodes that have the old one.
RUN touch /tmp/before \
    && UV_COMPILE_BYTECODE=0 \
        uv sync --locked --no-dev --no-editable --extra kubernetes --extra s3-demo \
            --extra live --extra kafka \
    && mkdir /layer \
    && find .venv -type f -cnewer /tmp/before -exec cp --archive --parents '{}' /layer ';' \
    && python -m compileall -q --invalidation-mode unchecked-hash \
        -s /layer -p /app /layer/.venv/lib \
    && cp --recursive prefect.yaml input /layer \
    # Whatever mask the checkout was made with, every user id can read it.
    && chmod --recursive a+rX /layer


FROM python:${PYTHON_VERSION}-slim

# The base image ships its standard library without bytecode, and with pip, which nothing needs.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel \
    && python -m compileall -q --invalidation-mode unchecked-hash -x '/(test|lib2to3|site-packages)/' \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && useradd --uid 10001 --gid 0 --no-create-home --home-dir /tmp trading \
    # Where flow runs start: `prefect flow-run execute` copies the folder that it starts in.
    && mkdir --parents /app/empty \
    # A volume that Docker mounts here for the first time takes its owner.
    && install --directory --owner=10001 --group=0 --mode=0775 /data

WORKDIR /app
COPY --from=dependencies /app/.venv .venv
COPY --from=dependencies /app/postgres-template.tar.gz ./
COPY --from=project /layer ./

# Everything that is written goes below /tmp, the one place that a pod has to make writable.
ENV PATH=/app/.venv/bin:/app/.venv/postgres/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PREFECT_HOME=/tmp/prefect \
    PREFECT_UI_STATIC_DIRECTORY=/tmp/prefect-ui

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="trading-fanout" \
      org.opencontainers.image.description="A Prefect trading pipeline: server, worker and jobs" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"

# By number, so that a cluster can see that it is not root. Any other user id works as well.
USER 10001:0
CMD ["trading", "--help"]
