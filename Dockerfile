# SPDX-License-Identifier: Apache-2.0
# docker build -t penstock:0.1.0-dev .
FROM debian:12 AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        build-essential pkg-config libcurl4-openssl-dev libuv1-dev libjansson-dev libyaml-dev \
        libssl-dev zlib1g-dev
WORKDIR /src
COPY Makefile ./
COPY pkg pkg
COPY cmd cmd
RUN make FLAVOUR=release programs && strip build/release/penstock

FROM debian:12-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates libcurl4 libjansson4 libssl3 libuv1 libyaml-0-2 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/penstock /usr/local/bin/penstock
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/penstock"]
