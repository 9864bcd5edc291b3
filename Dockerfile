# syntax=docker/dockerfile:1
# The image of Clipqueue: one binary, without a shell, as a user without rights.

FROM rust:1.94-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin clipqueue \
    && cp target/release/clipqueue /clipqueue \
    && mkdir -p /data/media

# glibc, certificates, and a /tmp; the same Debian as the build.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /clipqueue /usr/local/bin/clipqueue
COPY config /etc/clipqueue
# A new volume takes over the owner of the directory that it covers.
COPY --from=build --chown=65532:65532 /data /var/lib/clipqueue
WORKDIR /var/lib/clipqueue
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/clipqueue", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/clipqueue"]
CMD ["serve"]
