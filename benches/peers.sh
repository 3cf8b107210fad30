#!/usr/bin/env bash
# The bound and the peers of the national store on PostgreSQL, in one run on one server: `make bench-peers ENTRIES=n`.
#
#   ours     entries journaled and judged: duplicates linked, rules applied, digests and audit kept; first one batch after
#            the other (incremental), then all of them again in bulk, which must find the same nation
#   bound    binary COPY of the very same rows into the very same tables, indexes on: those of batches, and those of bulk
#   pgloader one bare table of the same canonical bytes out of SQLite, the way Debian ships it
#   logical  PostgreSQL's own logical replication of that bare table into another database
#
# Runs beside a server that is its own (.ci/postgres); HOTICH_POSTGRES says where. The report goes to $2.
set -euo pipefail
shopt -s inherit_errexit
entries=$1
report=$2
bin=$(cd "$(dirname "$0")/.." && pwd)/target/release
folder=$(mktemp -d "${TMPDIR:-/tmp}/hotich-peers.XXXXXX")
trap 'rm -rf "$folder"' EXIT
chmod 0777 "$folder"
mkdir -p "$(dirname "$report")"

database() { echo "${HOTICH_POSTGRES%/*}/$1"; }
ask() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }
now() { date +%s.%N; }
rate() { awk -v n="$1" -v from="$2" -v to="$3" 'BEGIN { printf "%.0f", n / (to - from) }'; }
say() { echo "$*" >&2; }

say "judging $entries entries"
ask "$HOTICH_POSTGRES" -c "CREATE DATABASE ours" -c "CREATE DATABASE bulk" -c "CREATE DATABASE pgloader" \
    -c "CREATE DATABASE logical"
wal() { ask "$HOTICH_POSTGRES" -c "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"; }
wal_before=$(wal)
"$bin/bench-judge" --store "$(database ours)" --entries "$entries" --rows "$folder/rows.db" --out "$folder/ours.json" \
    >/dev/null
wal_bytes=$(($(wal) - wal_before))
field() { sed -n "s/^ *\"$1\": \([0-9.]*\),\{0,1\}$/\1/p" "$folder/${2:-ours}.json"; }

say "judging the same in bulk"
wal_before=$(wal)
"$bin/bench-judge" --store "$(database bulk)" --only-bulk --entries "$entries" --out "$folder/bulk.json" >/dev/null
bulk_wal_bytes=$(($(wal) - wal_before))
digest() { ask "$(database "$1")" -c "SELECT section, sum, count FROM digest ORDER BY section"; }
[ "$(digest ours)" = "$(digest bulk)" ] || { say "the bulk path found another nation"; exit 70; }
count=$(field entries)

say "copying the same rows into the same tables"
tables="record past block block_page void_block member finding finding_record notice journal"
# How many entries a second COPY brings of the rows that one of the two has.
copied() {
    local bound="bound_$1" table from
    ask "$HOTICH_POSTGRES" -c "CREATE DATABASE $bound"
    pg_dump --schema-only --no-owner "$(database "$1")" | ask "$(database "$bound")" >/dev/null
    for table in $tables; do
        ask "$(database "$1")" -c "\\copy $table TO '$folder/$table' (FORMAT binary)"
    done
    from=$(now)
    for table in $tables; do
        ask "$(database "$bound")" -c "\\copy $table FROM '$folder/$table' (FORMAT binary)"
    done
    rate "$count" "$from" "$(now)"
    ask "$HOTICH_POSTGRES" -c "DROP DATABASE $bound"
}
copy_rps=$(copied ours)
bulk_copy_rps=$(copied bulk)
sizes() {
    ask "$(database "$1")" -c "SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)) FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
}
sizes=$(sizes ours)
bulk_sizes=$(sizes bulk)

say "the bare table by pgloader"
from=$(now)
if command -v pgloader >/dev/null; then
    pgloader --quiet "$folder/rows.db" "$(database pgloader)" >"$folder/pgloader.log" 2>&1 ||
        { tail -n 5 "$folder/pgloader.log" >&2; exit 70; }
    pgloader_rps=$(rate "$count" "$from" "$(now)")
    loaded=$(ask "$(database pgloader)" -c "SELECT count(*) FROM record")
    [ "$loaded" = "$count" ] || { say "pgloader brought $loaded rows of $count"; exit 70; }
else
    say "pgloader is missing: apt-get install pgloader"
    exit 69
fi

say "the bare table by logical replication"
if [ "$(ask "$HOTICH_POSTGRES" -c "SHOW wal_level")" = logical ]; then
    pg_dump --schema-only --no-owner --table record "$(database pgloader)" | ask "$(database logical)" >/dev/null
    ask "$(database pgloader)" -c "CREATE PUBLICATION rows FOR TABLE record" \
        -c "SELECT pg_create_logical_replication_slot('rows', 'pgoutput')" >/dev/null
    ask "$(database pgloader)" -c "CREATE TABLE held AS TABLE record" -c "TRUNCATE record" >/dev/null
    ask "$(database logical)" -c "CREATE SUBSCRIPTION rows CONNECTION '$(database pgloader)' PUBLICATION rows
        WITH (create_slot = false, slot_name = 'rows', copy_data = false)" >/dev/null
    from=$(now)
    ask "$(database pgloader)" -c "INSERT INTO record TABLE held"
    until [ "$(ask "$(database logical)" -c "SELECT count(*) FROM record")" = "$count" ]; do sleep 0.2; done
    logical_rps=$(rate "$count" "$from" "$(now)")
    ask "$(database logical)" -c "DROP SUBSCRIPTION rows"
else
    logical_rps=null
fi

awk -v ours="$(field reconciled_rps)" -v bulk="$(field bulk_rps bulk)" -v bulk_wal="$bulk_wal_bytes" -v journaled="$(field journaled_rps)" -v growth="$(field growth_ratio)" \
    -v n="$count" -v copy="$copy_rps" -v loader="$pgloader_rps" -v logical="$logical_rps" -v wal="$wal_bytes" \
    -v heap="${sizes%|*}" -v indexes="${sizes#*|}" -v bulk_copy="$bulk_copy_rps" \
    -v bulk_heap="${bulk_sizes%|*}" -v bulk_indexes="${bulk_sizes#*|}" 'BEGIN {
    printf "{\n  \"entries\": %d,\n  \"copy_bound_rps\": %d,\n  \"pgloader_rps\": %d,\n", n, copy, loader
    printf "  \"logical_replication_rps\": %s,\n  \"journaled_rps\": %d,\n  \"incremental_rps\": %d,\n", logical, journaled, ours
    printf "  \"incremental_to_copy\": %.3f,\n  \"incremental_to_pgloader\": %.3f,\n", ours / copy, ours / loader
    printf "  \"bulk_rps\": %d,\n  \"bulk_to_copy\": %.3f,\n", bulk, bulk / bulk_copy
    printf "  \"bulk_copy_bound_rps\": %d,\n", bulk_copy
    printf "  \"bulk_to_pgloader\": %.3f,\n", bulk / loader
    printf "  \"growth_ratio\": %.3f,\n  \"wal_bytes_per_entry\": %d,\n", growth, wal / n
    printf "  \"bulk_wal_bytes_per_entry\": %d,\n", bulk_wal / n
    printf "  \"bulk_table_bytes_per_entry\": %d,\n  \"bulk_index_bytes_per_entry\": %d,\n", bulk_heap / n, bulk_indexes / n
    printf "  \"table_bytes_per_entry\": %d,\n  \"index_bytes_per_entry\": %d\n}\n", heap / n, indexes / n
}' | tee "$report"
