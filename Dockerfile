# The image: one static program and the public CA certificates. It is built natively for the machine's architecture (amd64,
# arm64). `make image` builds it; `make reproducible` builds it twice and compares.
#
# Needs BuildKit, but no external frontend.

FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src

# jemalloc is built with it; any version makes the same program.
# hadolint ignore=DL3008
RUN command -v make || (apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*)

# glibc is linked statically. Build paths must not occur in the program: it would differ by the directory of the build.
ENV RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo" \
    CARGO_INCREMENTAL=0

# Dependencies have their own layer, which is rebuilt only if Cargo.toml or Cargo.lock changes. The explicit target keeps
# RUSTFLAGS away from procedural macros, which cannot be static.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches \
    && echo 'fn main() {}' | tee src/main.rs benches/collect.rs \
    && touch src/lib.rs \
    && rustc -vV | sed -n 's/^host: //p' >/target \
    && cargo build --locked --features object-store --profile dist --target "$(cat /target)"

# The commit that `--version` and token_expiry_exporter_build_info report.
ARG REVISION=""
COPY build.rs ./
COPY src src
COPY README.md LICENSE ./
RUN touch src/main.rs src/lib.rs \
    && TOKEN_EXPIRY_EXPORTER_REVISION=$REVISION \
       cargo install --path . --features object-store --profile dist --locked --no-track --root /install --target "$(cat /target)"

# The content of the image. All files have the time of the commit, so that the same input makes the same layer.
ARG SOURCE_DATE_EPOCH=0
RUN install -D /install/bin/token-expiry-exporter /image/token-expiry-exporter \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -D -m 644 LICENSE /image/usr/share/doc/token-expiry-exporter/LICENSE \
    && install -d -m 755 /image/etc/token-expiry-exporter \
    && install -d -m 700 -o 65532 -g 65532 /image/var/lib/token-expiry-exporter \
    && find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# Only the program, for archives and packages: `docker build --target program --output DIR .`
FROM scratch AS program
COPY --from=build /image/token-expiry-exporter /

FROM scratch
COPY --from=build /image /
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="token-expiry-exporter" \
      org.opencontainers.image.description="Prometheus exporter for API token expiry" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
USER 65532:65532
WORKDIR /etc/token-expiry-exporter
EXPOSE 10984
# With another --web.listen-address, override this with `health ADDRESS`.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/token-expiry-exporter", "health"]
ENTRYPOINT ["/token-expiry-exporter"]
CMD ["serve", "--config.file=/etc/token-expiry-exporter/config.yaml", "--storage.path=/var/lib/token-expiry-exporter"]
