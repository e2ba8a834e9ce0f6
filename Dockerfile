# Two images: `database`, the official PostgreSQL with the extension preloaded, and `program`, which delivers webhooks and
# serves HTTP. CREATE EXTENSION remains to be run, in each database that needs it.
#
#   docker build --tag checkout-sessions .
#   docker build --tag checkout-sessions-program --target program .

ARG PG_MAJOR=15

FROM rust:1.95-bookworm AS build
ARG PG_MAJOR
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Debian has 15; the others are in PostgreSQL's own archive. Their versions are those of the official image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl nodejs npm \
    && install -d /usr/share/postgresql-common/pgdg \
    && curl --fail --silent --show-error --output /usr/share/postgresql-common/pgdg/apt.postgresql.org.asc \
        https://www.postgresql.org/media/keys/ACCC4CF8.asc \
    && echo "deb [signed-by=/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc] \
        https://apt.postgresql.org/pub/repos/apt bookworm-pgdg main" >/etc/apt/sources.list.d/pgdg.list \
    && apt-get update \
    && apt-get install --yes --no-install-recommends "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
ENV PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
RUN make build pages && DESTDIR=/installed scripts/install

FROM debian:bookworm-slim AS program
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin checkout
COPY --from=build /source/target/release/checkout-sessions /usr/bin/
COPY --from=build /source/pages /usr/share/checkout-sessions/pages
USER 10001
# The gateway.
EXPOSE 8080
ENV CHECKOUT_SESSIONS_GATEWAY_ADDRESS=0.0.0.0:8080
ENTRYPOINT ["checkout-sessions"]
CMD ["--help"]

FROM postgres:${PG_MAJOR}-bookworm AS database
COPY --from=build /installed /
# initdb makes postgresql.conf of this file, so that it holds whatever command the container is started with.
RUN echo "shared_preload_libraries = 'checkout_sessions'" >>/usr/share/postgresql/postgresql.conf.sample
# The user postgres of the image, whose entry point may start as this user.
USER 999
