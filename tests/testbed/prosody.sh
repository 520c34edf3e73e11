#!/bin/sh
# A Jabber server for the domain `localhost` on a port of this machine, for tests: TLS (tls.crt, tls.key of FOLDER), the
# accounts cigri (password hunter2) and alice. Messages for alice, who is away, are kept below FOLDER/data.
# It ends when the standard input does.
# usage: prosody.sh FOLDER PORT
set -eu
folder=$1 port=$2
mkdir -p "$folder/data" "$folder/log" "$folder/certs"
cat > "$folder/prosody.cfg.lua" <<EOF
data_path = "$folder/data"
certificates = "$folder/certs"
pidfile = "$folder/data/prosody.pid"
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "offline" }
modules_disabled = { "s2s" }
c2s_require_encryption = true
authentication = "internal_hashed"
c2s_ports = { $port }
c2s_interfaces = { "127.0.0.1" }
s2s_ports = {}
log = { info = "$folder/log/prosody.log" }
VirtualHost "localhost"
  ssl = { key = "$folder/tls.key", certificate = "$folder/tls.crt" }
EOF
cd "$folder"
prosodyctl --config prosody.cfg.lua register cigri localhost hunter2 > log/out 2>&1
prosodyctl --config prosody.cfg.lua register alice localhost wonderland >> log/out 2>&1
prosody --config prosody.cfg.lua -F >> log/out 2>&1 < /dev/null &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null' EXIT
trap 'exit 0' TERM INT
cat > /dev/null
