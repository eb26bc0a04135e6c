# Build: docker build -t tollgate .
# Run:   docker run -v ./my.yaml:/etc/tollgate/config.yaml:ro -v tollgate:/var/lib/tollgate \
#          -e WECHAT_APP_KEY -e WECHAT_C1_KEY -p 8080:8080 tollgate
# where my.yaml says listen: 0.0.0.0:8080, an upstream that the container reaches, and
# journal: { path: /var/lib/tollgate/tollgate.db }, the one directory that this user may write. The config.yaml in the
# image says so already; it listens on 127.0.0.1, which nobody outside the container reaches.
#
# The image has what production needs. The simulated WeChat Pay and the demo are left out; to have them, as
# deploy/compose does:
#   docker build --build-arg FEATURES=mimalloc,otlp,sandbox -t tollgate:sandbox .      (make image FEATURES=...)
# The label tollgate.features says which an image has, and so does `docker run --rm tollgate --help`.
ARG FEATURES=mimalloc,otlp
# Of Cargo.toml, as `make image` says it.
ARG VERSION=unknown

# The Rust version of Cargo.toml: what is tested is what is shipped.
FROM rust:1.95-slim-bookworm AS builder
ARG FEATURES
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# The dependencies in a layer of their own, so that a change of ours does not build them again.
RUN mkdir -p src benches tests/gate && echo "fn main() {}" | tee src/main.rs benches/gate.rs benches/journal.rs benches/bill.rs benches/list.rs tests/gate/main.rs > src/lib.rs \
    && cargo build --release --locked --no-default-features --features "$FEATURES" && rm -r src benches tests target/release/deps/*tollgate* target/release/tollgate*
COPY . .
RUN cargo build --release --locked --no-default-features --features "$FEATURES"
# An empty directory for the journal, and the shipped configuration with the journal there.
RUN mkdir -p /image/lib/tollgate \
    && sed 's#^journal: { path: tollgate.db,#journal: { path: /var/lib/tollgate/tollgate.db,#' config.yaml > /image/config.yaml \
    && grep -q '^journal: { path: /var/lib/tollgate/tollgate.db,' /image/config.yaml \
    && target/release/tollgate check --config /image/config.yaml

FROM gcr.io/distroless/cc-debian12
ARG FEATURES
ARG VERSION
LABEL tollgate.features="$FEATURES" org.opencontainers.image.version="$VERSION"
COPY --from=builder /src/target/release/tollgate /usr/local/bin/tollgate
COPY --from=builder /image/config.yaml /etc/tollgate/config.yaml
# nobody, by number: the image has no shell and needs no passwd
COPY --from=builder --chown=65534:65534 /image/lib/ /var/lib/
VOLUME /var/lib/tollgate
WORKDIR /var/lib/tollgate
USER 65534:65534
ENV TOLLGATE_CONFIG=/etc/tollgate/config.yaml
EXPOSE 8080 8081
HEALTHCHECK --interval=30s --timeout=3s CMD ["/usr/local/bin/tollgate", "health"]
ENTRYPOINT ["/usr/local/bin/tollgate"]
CMD ["run"]
