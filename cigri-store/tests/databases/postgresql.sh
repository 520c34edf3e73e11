# A PostgreSQL server for one test process: answers on a socket in its own folder, and goes with whoever holds its
# standard input, however that one ends.
# Arguments: folder, program folder, fsync (on or off), then the words that run a program as the server's user.
# The user `cigri` logs in with the password of the environment.
set -eu
folder=$1 programs=$2 fsync=$3
shift 3
echo "$CIGRI_TEST_PASSWORD" >"$folder/password"
"$@" "$programs/initdb" -D "$folder/data" -U cigri -A scram-sha-256 --pwfile="$folder/password" \
    -E UTF8 --locale=C.UTF-8 -N >"$folder/initdb.log" 2>&1
"$@" "$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=200 \
    -c fsync="$fsync" >"$folder/server.log" 2>&1 &
server=$!
while read -r _; do :; done
# Before the server has its handlers, SIGTERM ends it; afterwards, SIGINT makes it end without waiting for clients.
kill -TERM "$server" 2>/dev/null || :
kill -INT "$server" 2>/dev/null || :
wait "$server" || :
rm -rf "$folder"
