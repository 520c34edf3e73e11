# A PostgreSQL server for one test process: answers on a socket in its own folder, and goes with whoever holds its
# standard input, however that one ends. The line `restart` there makes it crash and come back.
# Arguments: folder, program folder, fsync (on or off), then the words that run a program as the server's user.
# The user `cigri` logs in with the password of the environment; with CIGRI_TEST_TLS_PORT it also listens there on
# 127.0.0.1, with TLS by the folder's tls.crt and tls.key.
set -eu
folder=$1 programs=$2 fsync=$3
shift 3
echo "$CIGRI_TEST_PASSWORD" >"$folder/password"
"$@" "$programs/initdb" -D "$folder/data" -U cigri -A scram-sha-256 --pwfile="$folder/password" \
    -E UTF8 --locale=C.UTF-8 -N >"$folder/initdb.log" 2>&1
network="-c listen_addresses="
if [ -n "${CIGRI_TEST_TLS_PORT:-}" ]; then
    network="-c listen_addresses=127.0.0.1 -p $CIGRI_TEST_TLS_PORT -c ssl=on"
    network="$network -c ssl_cert_file=$folder/tls.crt -c ssl_key_file=$folder/tls.key"
fi
serve() {
    # shellcheck disable=SC2086 # words
    "$@" "$programs/postgres" -D "$folder/data" -k "$folder" $network -c max_connections=200 \
        -c fsync="$fsync" >>"$folder/server.log" 2>&1 &
    server=$!
}
serve "$@"
while read -r line; do
    [ "$line" = restart ] || continue
    kill -QUIT "$server"
    wait "$server" || :
    serve "$@"
done
# Before the server has its handlers, SIGTERM ends it; afterwards, SIGINT makes it end without waiting for clients.
kill -TERM "$server" 2>/dev/null || :
kill -INT "$server" 2>/dev/null || :
wait "$server" || :
rm -rf "$folder"
