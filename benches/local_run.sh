#!/usr/bin/env bash
# How fast `cigri run` gets through tasks that do nothing, beside the bare cost of starting a
# process and the usual tools, all in one interleaved run: on a shared machine only figures of the
# same minutes can be compared. Prints a table in Markdown.
#
# usage: benches/local_run.sh [TASKS] [ROUNDS]     (10000 tasks, 3 rounds)
set -euo pipefail
cd "$(dirname "$0")/.."

tasks=${1:-10000}
rounds=${2:-3}
# GNU parallel is slower by an order of magnitude; its rate does not depend on the number.
few=$((tasks >= 10 ? tasks / 10 : tasks))

say() { printf '%s\n' "$*" >&2; }

have_parallel() {
    command -v parallel >/dev/null && parallel --version 2>/dev/null | grep -q '^GNU parallel'
}
if ! have_parallel && [ "$(id -u)" = 0 ]; then
    say "installing GNU parallel (Debian package)"
    { apt-get update && apt-get install --yes --no-install-recommends parallel; } >/dev/null 2>&1 || true
fi
have_parallel || say "SKIPPED: GNU parallel is not installed (Debian package: parallel)"

say "building"
cargo build --quiet --release -p cigri-cli -p xtask
bin=${CARGO_TARGET_DIR:-$PWD/target}/release

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/campaign.json" <<JSON
{"name": "true", "nb_jobs": $tasks, "exec_file": "/bin/true", "clusters": {"local": {}}}
JSON

measure() { # LABEL TASKS PROGRAM [ARG]...
    local label=$1 count=$2
    shift 2
    "$bin/xtask" measure "$scratch/rows" "$label" "$count" -- "$@"
}

for round in $(seq "$rounds"); do
    say "round $round of $rounds"
    measure floor "$tasks" "$bin/xtask" spawn-floor "$tasks" 2
    measure "xargs -P2" "$tasks" sh -c "seq $tasks | xargs -P2 -n1 /bin/true"
    if have_parallel; then
        measure "parallel -j2" "$few" sh -c "seq $few | parallel --will-cite -j2 /bin/true"
    fi
    data=$(mktemp -d "$scratch/data.XXXXXX")
    measure "cigri run" "$tasks" "$bin/cigri" --data-dir "$data" \
        run "$scratch/campaign.json" --cores 2 --quiet
    rm -rf "$data"
done

printf '\n%s tasks of /bin/true, 2 at a time, %s rounds, %s processors, load %s; ' \
    "$tasks" "$rounds" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
printf 'medians, program start included\n\n'
"$bin/xtask" summarise "$scratch/rows"
