# The image: one static program, the public authorities' certificates, and nothing else. It is built on the architecture
# that it runs on (amd64, arm64): nothing here names one. `make image` builds it; `make reproducible` builds it twice.
#
# BuildKit is needed, and no frontend from elsewhere.

FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src

# glibc is linked in whole. Paths of this stage must not show in the program, else another place would make another one.
ENV RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo" \
    CARGO_INCREMENTAL=0

# The dependencies in a layer of their own: it is built anew only when Cargo.toml or Cargo.lock change. A target is named
# though it is the machine's own, because RUSTFLAGS would otherwise hold for procedural macros too, which cannot be static.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches \
    && echo 'fn main() {}' | tee src/main.rs benches/collect.rs \
    && touch src/lib.rs \
    && rustc -vV | sed -n 's/^host: //p' >/target \
    && cargo build --locked --release --target "$(cat /target)"

# A commit, for `--version` and token_expiry_exporter_build_info.
ARG REVISION=""
COPY src src
COPY README.md LICENSE ./
RUN touch src/main.rs src/lib.rs \
    && TOKEN_EXPIRY_EXPORTER_REVISION=$REVISION \
       cargo install --path . --locked --no-track --root /install --target "$(cat /target)"

# What the image holds, with one time on all of it, the commit's: the same input makes the same layer.
ARG SOURCE_DATE_EPOCH=0
RUN install -D /install/bin/token-expiry-exporter /image/token-expiry-exporter \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -D -m 644 LICENSE /image/usr/share/doc/token-expiry-exporter/LICENSE \
    && install -d -m 755 /image/etc/token-expiry-exporter \
    && install -d -m 700 -o 65532 -g 65532 /image/var/lib/token-expiry-exporter \
    && find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# The program alone, for the archives and packages: `docker build --target program --output DIR .`
FROM scratch AS program
COPY --from=build /image/token-expiry-exporter /

FROM scratch
COPY --from=build /image /
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="token-expiry-exporter" \
      org.opencontainers.image.description="Prometheus exporter that asks every place where API tokens live when they expire" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
USER 65532:65532
WORKDIR /etc/token-expiry-exporter
EXPOSE 10984
# Whoever listens elsewhere says so here too: `health ADDRESS`.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/token-expiry-exporter", "health"]
ENTRYPOINT ["/token-expiry-exporter"]
CMD ["serve", "--config.file=/etc/token-expiry-exporter/config.yaml", "--storage.path=/var/lib/token-expiry-exporter"]
