# syntax=docker/dockerfile:1
#
# The service in a small image, run by an unprivileged user.
#
#   docker build --tag shopkeeper .
#   docker run --stop-timeout 30 --publish 127.0.0.1:8080:8080 --volume shopkeeper:/data \
#     --env SHOPKEEPER__AUTH__ADMIN_KEYS="$(openssl rand -hex 24)" shopkeeper
#
# A container listens on all of its addresses, and Shopkeeper refuses to do that without keys:
# SHOPKEEPER__AUTH__ADMIN_KEYS (or INGEST_KEYS, STOREFRONT_KEYS) must hold one of at least 16
# characters, or the container stops at once and says so. Every other key of config/default.toml can
# be set in the same way. /data holds the snapshots and, unless SHOPKEEPER__DATABASE__URL names a
# Postgres, the database too: keep it on a volume.
#
# The image names no HEALTHCHECK, because orchestrators bring their own: ask GET /health/live whether
# to restart and GET /health/ready whether to send requests. docker-compose.yml shows one.

FROM rust:1.94-slim-bookworm AS build
WORKDIR /src
# .dockerignore lets in only what the build reads.
COPY . .
# The cache mounts keep downloaded and compiled dependencies from one build to the next. Cargo tells
# changes by file times, which a copied file keeps from its checkout and which may be older than the
# cache: touching our own sources makes sure that they are compiled.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    find src -name '*.rs' -exec touch {} + \
    && cargo build --locked --release --bin shopkeeper \
    && mkdir -p /out/data \
    && strip --strip-debug -o /out/shopkeeper target/release/shopkeeper

FROM debian:bookworm-slim
# A number, so that an orchestrator can check that it is not root's.
ARG APP_UID=10001
RUN groupadd --gid "$APP_UID" shopkeeper \
    && useradd --uid "$APP_UID" --gid "$APP_UID" --no-create-home --home-dir /data --shell /usr/sbin/nologin shopkeeper
COPY --from=build /out/shopkeeper /usr/local/bin/shopkeeper
# A fresh volume takes over this folder's owner.
COPY --from=build --chown=$APP_UID:$APP_UID /out/data /data
ENV SHOPKEEPER__SERVER__LISTEN=0.0.0.0:8080 \
    SHOPKEEPER__STORAGE__DIR=/data
WORKDIR /data
VOLUME /data
EXPOSE 8080
USER $APP_UID:$APP_UID
ENTRYPOINT ["shopkeeper"]
