# curbstop: `make` lists the targets. Works with GNU make 3.81, which macOS ships.

.DEFAULT_GOAL := help
.PHONY: help demo run build product temporald need test race bench bench-herd bench-intake lint lint-tools vuln clean

TOOL := go tool -modfile=tools/go.mod

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: build ## show the system at work with invented cases, everything on this machine
	bin/curbstop demo

run: build ## run PostgreSQL, the Temporal server, its UI, the API and the worker until Ctrl-C
	bin/curbstop up

# The Temporal server takes minutes the first time, so the two programs are built side by side.
build: need ## build bin/curbstop and bin/temporald
	@$(MAKE) --no-print-directory -j2 product temporald

product:
	@echo 'building curbstop'
	@mkdir -p bin
	@go build -o bin/curbstop ./cmd/curbstop
	@echo 'built bin/curbstop'

# The program itself is in the user's cache folder, where other source trees and the tests find it too.
temporald:
	@mkdir -p bin
	@path=$$(go run ./devstack/buildtemporald) && ln -sf "$$path" bin/temporald
	@echo 'built bin/temporald'

# Checks what this machine has and installs what is missing.
need:
	@scripts/need.sh

test: need temporald ## run all tests, against a real PostgreSQL and a real Temporal server
	go test ./...

race: need temporald ## run all tests with the race detector, which takes several times as long
	@scripts/need.sh cc
	CGO_ENABLED=1 go test -race ./...

bench: need temporald ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

# How many limits run out at one moment in bench-herd.
N ?= 20000

bench-herd: need temporald ## measure how late time acts on N limits due at one moment (N=20000 takes half an hour to an hour)
	go run ./bench/herd -n $(N)

# How fast bench-intake sends requests, for how long, beside how many open cases.
RATE ?= 100
SECONDS ?= 60
OPEN ?= 1000

bench-intake: need temporald ## measure how requests are taken in at a fixed rate beside open cases (RATE, SECONDS, OPEN; takes about five minutes)
	go run ./bench/intake -rate $(RATE) -seconds $(SECONDS) -open $(OPEN)

lint: ## check style, imports between the rooms, and the determinism of workflows
	$(TOOL) golangci-lint run
	$(TOOL) workflowcheck -config .workflowcheck.yaml -test=false ./workflows/...

lint-tools: ## build the linters ahead, which `make lint` otherwise does the first time
	$(TOOL) golangci-lint version
	$(TOOL) workflowcheck -V=full

vuln: ## look for known vulnerabilities in what the program calls
	$(TOOL) govulncheck ./...
	cd devstack/temporald && go tool -modfile=../../tools/go.mod govulncheck ./...

clean: ## remove what was built here; data folders and the cache of temporald stay
	rm -rf bin out
