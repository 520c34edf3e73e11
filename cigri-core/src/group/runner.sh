#!/bin/bash
# Runs the tasks of one remote job of CiGri, and writes down what becomes of each as it happens.
#
#   run PLACE NAME BATCH SIDE COMMAND [TASK ATTEMPT PARAMETER]...
#
# At most SIDE tasks run at once; none begins later than BATCH seconds after the first. Each is
# `bash -c "COMMAND TASK ATTEMPT PARAMETER"`, as a job of its own would be. Exit: 0 every task ended with 0;
# 64 look into the journal. Bash 4.4 and coreutils are enough.

place=$1 name=$2 batch=$3 side=$4 command=$5
shift 5
case $place in
home) results=$HOME/.cigri/results/$name ;;
*) results=$PWD/.cigri/$name ;;
esac
mkdir -p -- "$results" || exit 64
journal=$results/$OAR_JOB_ID.r

# Epoch milliseconds into $now.
clock() {
  if [ -n "${EPOCHREALTIME-}" ]; then
    now=${EPOCHREALTIME//[!0-9]/}
    now=${now%???}
  else
    printf -v now '%(%s)T000' -1
  fi
}

# Each line goes out in one write and begins a line of its own: what is torn spoils nothing but itself.
note() {
  local LC_ALL=C text=$1 sum=0 at code
  for ((at = 0; at < ${#text}; at++)); do
    printf -v code %d "'${text:at:1}"
    sum=$(((sum * 31 + code) & 0xffffffff))
  done
  printf '\n%s #%08x\n' "$text" "$sum" >>"$journal"
}

# Calls a function for each signal that tells of a near end.
on_signals() {
  local signal
  for signal in HUP INT TERM USR1 USR2; do
    trap "$1 $signal" "$signal"
  done
}

# Nothing more is begun, and what runs is told.
stop() {
  stopping=1 interrupted=1
  local running
  running=$(jobs -rp)
  [ -z "$running" ] || kill -s "$1" $running 2>/dev/null
}

# The signal is for the program, not for the shell that waits for it.
deliver() {
  told=1 interrupted=1
  local program
  read -r program 2>/dev/null <"/proc/$child/task/$child/children"
  kill -s "$1" ${program:-$child} 2>/dev/null
}

# One task, in a process of its own: SLOT TASK ATTEMPT PARAMETER.
run() {
  local files=$results/$OAR_JOB_ID.$1 child='' told='' interrupted='' code begun tail
  on_signals deliver
  clock
  begun=$now
  note "1 S $2 $begun"
  bash -c "$command $2 $3 $4" >"$files.out" 2>"$files.err" </dev/null &
  child=$!
  wait "$child"
  code=$?
  while [ -n "$interrupted" ]; do
    interrupted=
    wait "$child"
    code=$?
  done
  clock
  if [ "$code" -eq 0 ]; then
    note "1 E $2 $begun $now 0 -"
    exit 0
  fi
  # A program that the passed signal ended did not fail: whoever ended the job knows why.
  if [ -z "$told" ] || [ "$code" -lt 128 ]; then
    tail=$(tail -c 2048 -- "$files.err" | base64 -w 0)
    note "1 E $2 $begun $now $((code * 256)) ${tail:--}"
  fi
  exit 1
}

# Waits for the end of one task. A signal interrupts: then none has ended.
reap() {
  interrupted=
  wait -n
  local code=$?
  [ -n "$interrupted" ] && [ "$code" -gt 128 ] && return
  [ "$code" -eq 0 ] && well=$((well + 1))
  [ "$code" -eq 127 ] && running=0 || running=$((running - 1))
}

stopping='' interrupted='' slot=0 running=0 well=0 total=$(($# / 3))
on_signals stop
clock
last=$((now + batch * 1000))
while [ $# -gt 0 ]; do
  while [ "$running" -ge "$side" ]; do reap; done
  clock
  if [ -n "$stopping" ] || [ "$now" -gt "$last" ]; then break; fi
  run "$slot" "$1" "$2" "$3" &
  running=$((running + 1)) slot=$((slot + 1))
  shift 3
done
while [ "$running" -gt 0 ]; do reap; done
note "1 X $slot $((slot - well))"
sync -- "$journal" 2>/dev/null

empty=()
for file in "$results/$OAR_JOB_ID".*.out "$results/$OAR_JOB_ID".*.err; do
  [ -s "$file" ] || empty+=("$file")
done
[ ${#empty[@]} -eq 0 ] || rm -f -- "${empty[@]}"
[ "$well" -eq "$total" ] || exit 64
