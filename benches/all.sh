#!/usr/bin/env bash
# Everything that is measured on a national store, on one server in one run: the bound and the peers, and a nation of real
# programs. `make bench ENTRIES=n`; the report goes to $2.
set -euo pipefail
here=$(dirname "$0")
report=$2
mkdir -p "$(dirname "$report")"
"$here/peers.sh" "$1" "$report.peers" >/dev/null
"$here/nation.sh" "$1" "$report.nation" >/dev/null
inside() { sed -e '1d;$d' "$1"; }
{
    echo "{"
    inside "$report.peers" | sed -e '$s/$/,/'
    # What both count is the same country.
    inside "$report.nation" | grep -v '"entries"\|"wal_bytes_per_entry"'
    echo "}"
} >"$report"
rm "$report.peers" "$report.nation"
cat "$report"
