#!/bin/sh
# Gathers the results of all tasks into sweep.csv, sorted by angle and damping. It can be run at any time and again:
# it writes the whole table anew, and says how many of the parameters have no result yet.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C

trap 'rm -f sweep.csv.$$' EXIT
missing=0
echo "angle,damping,period,energy_left" >sweep.csv.$$
while read -r angle damping; do
    if [ -f "results/$angle-$damping.csv" ]; then
        cat "results/$angle-$damping.csv"
    else
        missing=$((missing + 1))
    fi
done <parameters.txt >>sweep.csv.$$
mv sweep.csv.$$ sweep.csv

echo "sweep.csv: $(($(wc -l <sweep.csv) - 1)) results, $missing missing"
[ "$missing" -eq 0 ]
