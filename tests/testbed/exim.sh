#!/bin/sh
# A mail server on a port of this machine, for tests: TLS (tls.crt, tls.key of FOLDER), and the login cigri, hunter2
# without which it takes nothing. It knows every user of example.org but `stranger`; what it takes is in FOLDER/mailbox.
# It ends when the standard input does.
# usage: exim.sh FOLDER PORT
set -eu
folder=$1 port=$2
mkdir -p "$folder/spool" "$folder/log"
cat > "$folder/exim.conf" <<EOF
primary_hostname = localhost
keep_environment =
spool_directory = $folder/spool
log_file_path = $folder/log/%slog
pid_file_path = $folder/spool/exim.pid
daemon_smtp_ports = $port
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = $folder/tls.crt
tls_privatekey = $folder/tls.key
exim_user = $(id -un)
exim_group = $(id -gn)
never_users =
deliver_drop_privilege
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = recipient
begin acl
recipient:
  deny message = Authentication required
    !authenticated = *
  deny message = no such user
    local_parts = stranger
  accept domains = example.org
  deny
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = $folder/mailbox
  delivery_date_add
  user = $(id -un)
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and {{eq{\$auth2}{cigri}}{eq{\$auth3}{hunter2}}}}
  server_set_id = \$auth2
  server_advertise_condition = \${if def:tls_in_cipher}
EOF
chmod 644 "$folder/exim.conf"
/usr/sbin/exim4 -C "$folder/exim.conf" -bdf -q1m > "$folder/log/out" 2>&1 < /dev/null &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null' EXIT
trap 'exit 0' TERM INT
cat > /dev/null
