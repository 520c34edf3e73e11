#!/usr/bin/env bash
# Memory of the real server: at its start, with a million tasks in the bag, and with ten thousand of
# them live on a cluster that speaks OAR's API on a port. The jobs are real processes that sleep: the
# meter sends as many as the cluster is seen to start. Prints a table in Markdown.
#
# usage: benches/server_memory.sh [TASKS] [LIVE] [sqlite|postgresql]     (1000000 tasks, 10000 live jobs, SQLite)
set -euo pipefail
cd "$(dirname "$0")/.."

tasks=${1:-1000000}
live=${2:-10000}
database=${3:-sqlite}
# The rest of them waits.
cores=$((live * 6 / 10))

say() { printf '%s\n' "$*" >&2; }

say "building"
cargo build --quiet --release -p cigri-cli -p cigri-server -p oar-local
bin=${CARGO_TARGET_DIR:-$PWD/target}/release

scratch=$(mktemp -d)
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

"$bin/oar-local" --listen 127.0.0.1:0 --state-dir "$scratch/oar" --cores "$cores" >"$scratch/oar.out" &
pids+=($!)
until grep -q http "$scratch/oar.out"; do sleep 0.1; done
url=$(grep -o 'http://.*' "$scratch/oar.out")

url_of_database=
if [ "$database" = postgresql ]; then
    # A private server, which only this user reaches. PostgreSQL refuses to run as root.
    programs=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres | tail -n 1)")
    as=()
    if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=nobody --regid=nogroup --clear-groups); fi
    mkdir "$scratch/pg"
    chmod 755 "$scratch"
    if [ "$(id -u)" = 0 ]; then chown nobody "$scratch/pg"; fi
    "${as[@]}" "$programs/initdb" -D "$scratch/pg/data" -U cigri -A trust -E UTF8 --locale=C.UTF-8 -N >"$scratch/initdb.log"
    "${as[@]}" "$programs/postgres" -D "$scratch/pg/data" -k "$scratch/pg" -c listen_addresses= >"$scratch/pg.log" 2>&1 &
    pids+=($!)
    until [ -S "$scratch/pg/.s.PGSQL.5432" ]; do sleep 0.1; done
    url_of_database="postgres://cigri@/postgres?host=$scratch/pg"
fi

cat >"$scratch/server.toml" <<TOML
data_dir = "$scratch/data"
database = "$url_of_database"
socket = "$scratch/cigri.sock"
[clusters.dahu]
url = "$url"
max_waiting = $live
max_live = $live
max_array = $live
period_s = 5
TOML
"$bin/cigri-server" --config "$scratch/server.toml" 2>"$scratch/server.log" &
server=$!
pids+=("$server")
until [ -S "$scratch/cigri.sock" ]; do sleep 0.1; done

cigri() { "$bin/cigri" --server "$scratch/cigri.sock" "$@"; }
megabytes() { awk -v field="$1:" '$1 == field { printf "%.0f", $2 / 1024 }' "/proc/$server/status"; }
row() { printf '| %s | %s MB | %s MB |\n' "$1" "$(megabytes VmRSS)" "$(megabytes VmHWM)"; }

printf '| server (%s) | memory | most so far |\n|---|---|---|\n' "$database"
row "at its start"
seq -f '--seed %.0f --temperature 293.15' "$tasks" >"$scratch/parameters.txt"
cat >"$scratch/campaign.json" <<JSON
{"name": "m", "param_file": "parameters.txt", "clusters": {"dahu":
 {"exec_file": "sh $scratch/task.sh", "exec_directory": "$scratch", "walltime": "10:0:0"}}}
JSON
echo 'exec sleep 36000' >"$scratch/task.sh"
before=$(date +%s.%N)
cigri submit "$scratch/campaign.json" --quiet
took=$(awk -v a="$before" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", b - a }')
row "$tasks tasks in the bag"
# Not our own login: clusters refuse root's jobs.
"$bin/oar-local" token --user alice --state-dir "$scratch/oar" | cigri token add dahu --quiet
count() { cigri jobs last --limit 1 --state "$1" --json | grep -o '"total": *[0-9]*' | grep -o '[0-9]*$'; }
deadline=$((SECONDS + 600))
while :; do
    now=$(($(count submitted) + $(count running)))
    [ "$now" -lt "$live" ] || break
    if [ "$SECONDS" -ge "$deadline" ]; then
        say "only $now jobs are live after ten minutes"
        break
    fi
    sleep 1
done
# Some rounds over them.
sleep 20
row "$now of them live"
printf '\nThe campaign was taken in, from the command to the answer, in %s s.\n' "$took"
