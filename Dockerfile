# Build: docker build -t tollgate .
# Run:   docker run -v ./my.yaml:/etc/tollgate/config.yaml:ro -e WECHAT_APP_KEY -e WECHAT_C1_KEY -p 8080:8080 tollgate
# where my.yaml says listen: 0.0.0.0:8080 and an upstream that the container reaches. The config.yaml in the image listens
# on 127.0.0.1, which nobody outside the container reaches.

FROM rust:1-slim-bookworm AS builder
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# The dependencies in a layer of their own, so that a change of ours does not build them again.
RUN mkdir -p src benches tests/gate && echo "fn main() {}" | tee src/main.rs benches/gate.rs benches/journal.rs tests/gate/main.rs > src/lib.rs \
    && cargo build --release --locked && rm -r src benches tests target/release/deps/*tollgate* target/release/tollgate*
COPY . .
RUN cargo build --release --locked

FROM gcr.io/distroless/cc-debian12
COPY --from=builder /src/target/release/tollgate /usr/local/bin/tollgate
COPY --from=builder /src/config.yaml /etc/tollgate/config.yaml
WORKDIR /var/lib/tollgate
# nobody, by number: the image has no shell and needs no passwd
USER 65534:65534
ENV TOLLGATE_CONFIG=/etc/tollgate/config.yaml
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s CMD ["/usr/local/bin/tollgate", "health"]
ENTRYPOINT ["/usr/local/bin/tollgate"]
CMD ["run"]
