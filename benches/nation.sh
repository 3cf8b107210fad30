#!/usr/bin/env bash
# A nation of real programs on one machine: backlogs of some provinces stream into a hub on PostgreSQL and are judged, while
# a clerk registers births. `make bench-nation ENTRIES=n`; TLS=0 leaves TLS out, to see what it costs.
#
#   received    from the first agent's start until every change is journaled and acknowledged
#   reconciled  until every change is judged
#
# Runs beside a server that is its own (.ci/postgres); HOTICH_POSTGRES says where. The report goes to $2.
set -euo pipefail
entries=$1
report=$2
provinces=${PROVINCES:-4}
bin=$(cd "$(dirname "$0")/.." && pwd)/target/release
folder=$(mktemp -d "${TMPDIR:-/tmp}/hotich-nation.XXXXXX")
programs=()
finish() {
    for program in "${programs[@]}"; do kill "$program" 2>/dev/null || true; done
    wait 2>/dev/null || true
    if [ -z "${KEEP:-}" ]; then rm -rf "$folder"; else echo "kept: $folder" >&2; fi
}
trap finish EXIT
mkdir -p "$(dirname "$report")"

session() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$HOTICH_POSTGRES" "$@"; }
ask() { session -c "$1"; }
now() { date +%s.%N; }
say() { echo "$*" >&2; }
peak_mb() { awk '/^VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$1/status"; }

say "making a country of about $entries entries"
"$bin/fixtures" generate --people $((entries * 10 / 16)) --provinces "$provinces" --backlog 1000 --out "$folder/country" >/dev/null

port=$((20000 + RANDOM % 40000))
hub="$bin/central-hub"
export HOTICH_NATIONAL_STORE=$HOTICH_POSTGRES
scheme=https door=(--pki "$folder/pki")
if [ "${TLS:-1}" = 0 ]; then scheme=http door=(--insecure-loopback); else "$hub" pki init --pki "$folder/pki" >/dev/null; fi
TMPDIR=${TMPDIR:-/tmp} "$hub" serve --listen "127.0.0.1:$port" "${door[@]}" >"$folder/hub.log" 2>&1 &
hub_pid=$!
programs+=("$hub_pid")
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done

say "importing the backlogs into the provinces' stores"
from=$(now)
for province in "$folder"/country/*/; do
    origin=$(basename "$province" | tr _ @)
    if [ "$scheme" = https ]; then
        "$hub" pki enrol "$origin" --pki "$folder/pki" --token-file "$province/token" >/dev/null
        secret=(--enrol "$province/token" --identity "$province/identity")
    else
        "$hub" provinces enrol "$origin" --token-file "$province/token" >/dev/null
        secret=(--token-file "$province/token")
    fi
    "$bin/sync-agent" init --store "$province/store.db" --province "$origin" --hub "$scheme://127.0.0.1:$port" \
        --config "$province/agent.toml" "${secret[@]}" >/dev/null
    for file in "$province"/backlog-*.xlsx "$province"/backlog-*.csv; do
        case $file in *'*'* | *.rejects.csv) continue ;; esac
        mapping=(); if [ -f "${file%.csv}.toml" ]; then mapping=(--mapping "${file%.csv}.toml"); fi
        "$bin/sync-agent" import "$file" --config "$province/agent.toml" "${mapping[@]}" >/dev/null 2>>"$folder/import.log" ||
            [ $? -le 2 ] || { tail -n 3 "$folder/import.log" >&2; exit 70; }
    done
done
imported=$(for store in "$folder"/country/*/store.db; do sqlite3 "$store" "SELECT count(*) FROM change_log"; done |
    awk '{ n += $1 } END { print n }')
import_seconds=$(awk -v a="$from" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }')
# A server that has run for a day writes over the WAL files that it has. A new one makes each while commits wait for it, so
# it makes as many as it keeps (min_wal_size) before anything is measured.
say "$imported changes in the stores; making WAL files"
session >/dev/null <<'EOF'
SELECT count(pg_logical_emit_message(false, 'files', repeat('x', bytes)))
FROM (SELECT pg_size_bytes(current_setting('wal_segment_size'))::int AS bytes) AS of_file,
  generate_series(1, pg_size_bytes(current_setting('min_wal_size')) / bytes);
CHECKPOINT;
EOF
say "streaming"

wal() { ask "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"; }
wal_before=$(wal)
from=$(now)
agents=()
for province in "$folder"/country/*/; do
    "$bin/sync-agent" run --config "$province/agent.toml" >"$province/agent.log" 2>&1 &
    agents+=($!)
    programs+=($!)
done
# The clerk begins when every backlog streams: before that an entry waits for its agent to begin.
until [ "$(ask "SELECT count(*) FROM cursor WHERE lane = 3 AND seq > 0")" -ge "${#agents[@]}" ]; do sleep 0.05; done
first=$(ls -d "$folder"/country/*/ | head -n 1)
office=$(basename "$first" | cut -c1-2).00001
"$bin/bench-clerk" --store "$first/store.db" --office "$office" --until "$folder/done" >"$folder/clerk.json" 2>"$folder/clerk.log" &
clerk=$!
programs+=("$clerk")
received=""
# One session that looks ten times a second: a new one each time would take a tenth of a processor.
look='SELECT coalesce(sum(seq), 0), coalesce(sum(applied_seq), 0) FROM cursor WHERE lane = 3 \watch 0.1'
while IFS='|' read -r seq applied; do
    case $applied in '' | *[!0-9]*) continue ;; esac
    if [ -z "$received" ] && [ "$seq" -ge "$imported" ]; then received=$(now); say "received"; fi
    if [ "$applied" -ge "$imported" ]; then break; fi
done < <(echo "$look" | session)
judged=$(now)
[ -n "$received" ] && [ "${applied:-0}" -ge "$imported" ] || { say "the server ended before everything was judged"; exit 70; }
touch "$folder/done"
wait "$clerk"
wal_bytes=$(($(wal) - wal_before))
hub_mb=$(peak_mb "$hub_pid")
agent_mb=$(for agent in "${agents[@]}"; do peak_mb "$agent"; echo; done | sort -n | tail -n 1)
digest=$("$hub" digest --output json | sed -n 's/.*"national_digest": *"\([0-9a-f]*\)".*/\1/p' | head -n 1)
field() { sed -n "s/^ *\"$1\": \([0-9.]*\),\{0,1\}$/\1/p" "$folder/clerk.json"; }
awk -v n="$imported" -v from="$from" -v received="$received" -v judged="$judged" -v import="$import_seconds" \
    -v hub="$hub_mb" -v agent="$agent_mb" -v wal="$wal_bytes" -v live="$(field live_entries)" -v p50="$(field live_p50_ms)" \
    -v p99="$(field live_p99_ms)" -v most="$(field live_max_ms)" -v digest="$digest" -v tls="${TLS:-1}" 'BEGIN {
    printf "{\n  \"entries\": %d,\n  \"tls\": %s,\n  \"imported_rps\": %d,\n", n, tls ? "true" : "false", n / import
    printf "  \"received_rps\": %d,\n  \"reconciled_rps\": %d,\n", n / (received - from), n / (judged - from)
    printf "  \"wal_bytes_per_entry\": %d,\n  \"hub_peak_mb\": %d,\n  \"agent_peak_mb\": %d,\n", wal / n, hub, agent
    printf "  \"live_entries\": %d,\n  \"live_p50_ms\": %.1f,\n  \"live_p99_ms\": %.1f,\n  \"live_max_ms\": %.1f,\n", live, p50, p99, most
    printf "  \"national_digest\": \"%s\"\n}\n", digest
}' | tee "$report"
