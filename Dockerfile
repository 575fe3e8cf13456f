# One static binary in an empty image. Build it with:
#
#   docker build --build-arg VERSION="$(git describe --tags --always --dirty)" -t curbstop .
#
# `curbstop up` starts a private PostgreSQL and Temporal and is meant for a bare machine; an image runs
# `api`, `worker` or `migrate` against the ones it is given: docker-compose.yml.
FROM golang:1.26-bookworm AS build
WORKDIR /src
ENV CGO_ENABLED=0

# The modules change less often than the code: a layer of their own.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG VERSION=devel
# timetzdata puts the time zones into the binary, so that the image needs no files for them.
RUN go build -trimpath -tags timetzdata -ldflags "-s -w -X main.version=${VERSION}" -o /out/curbstop ./cmd/curbstop

# What an empty image lacks: a place for temporary files, and a folder for documents that our user may write.
# A named volume that is mounted there for the first time takes over its owner.
RUN mkdir -p /out/tmp /out/data/documents && chmod 1777 /out/tmp && \
    echo 'curbstop:x:65532:65532:curbstop:/var/lib/curbstop:/sbin/nologin' > /out/passwd

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/passwd /etc/passwd
COPY --from=build /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/data /var/lib/curbstop
COPY --from=build /out/curbstop /curbstop
USER 65532:65532
ENV CURBSTOP_LISTEN=0.0.0.0:8080 \
    CURBSTOP_DATA=/var/lib/curbstop \
    CURBSTOP_BLOB_URL=file:///var/lib/curbstop/documents?no_tmp_dir=true
EXPOSE 8080
ENTRYPOINT ["/curbstop"]
