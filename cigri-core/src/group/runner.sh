#!/bin/bash
# Runs the tasks of one remote job of CiGri, and writes down what becomes of each as it happens.
#
#   run PLACE NAME BATCH WALLTIME BEFORE SIGNAL SIDE COMMAND [TASK ATTEMPT PARAMETER]...
#
# At most SIDE tasks run at once; none begins later than BATCH seconds after the first, or runs longer than WALLTIME
# seconds; BEFORE seconds before that end it gets SIGNAL (a number; 0: none). Each is
# `bash -c "COMMAND TASK ATTEMPT PARAMETER"`, as a job of its own would be. Exit: 0 every task ended with 0;
# 64 look into the journal (lines `1 S TASK BEGAN #SUM`, `1 E TASK BEGAN ENDED STATUS STDERR #SUM`; STATUS 65536 is the
# end by WALLTIME). Bash 4.4 and coreutils are enough.

place=$1 name=$2 batch=$3 walltime=$4 before=$5 warning=$6 side=$7 command=$8
shift 8
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

# Passes a signal on to the places.
pass() {
  interrupted=1
  kill -s "$1" "${places[@]}" 2>/dev/null
}

# A signal that comes from outside: nothing more is begun.
deliver() {
  stopping=1 interrupted=1
  if [ -z "$warned" ] || [ "$1" != "$(kill -l "$warning")" ]; then tell "$1"; fi
}

# The signal is for the program, not for the shell that waits for it, unless the program takes the shell's place.
tell() {
  local program=
  [ -n "$child" ] || return
  case $command in
  *'; shift 2; exec bash -c '*) ;;
  *) read -r program 2>/dev/null <"/proc/$child/task/$child/children" ;;
  esac
  kill -s "$1" ${program:-$child} 2>/dev/null
}

# The clock of a place: sends ALRM to process $1 when the seconds that it was told last have passed. It ends with the
# place, whatever ends that.
alarm() {
  local seconds='' status
  while :; do
    read -r ${seconds:+-t "$seconds"} seconds
    status=$?
    if [ "$status" -gt 128 ]; then
      seconds=
      kill -s ALRM "$1"
    elif [ "$status" -ne 0 ]; then
      exit
    fi
  done 2>/dev/null
}

# Sets the clock of this place; without seconds, stops it.
alarm_in() {
  { printf '%s\n' "$1" >&"$timer"; } 2>/dev/null
}

# The clock went off: warns the task, then ends it, if it is the one that the clock was set for.
overrun() {
  interrupted=1
  local now
  [ -n "$child" ] || return
  clock
  if [ "$warning" -ne 0 ] && [ -z "$warned" ] && [ "$now" -ge $((deadline - before * 1000)) ]; then
    warned=1
    [ -n "$stopping" ] || tell "$warning"
  fi
  if [ "$now" -lt "$deadline" ]; then
    alarm_in $(((deadline - now + 999) / 1000))
  else
    over=1
    processes=()
    stop "$child"
    kill -s KILL "${processes[@]}" 2>/dev/null
  fi
}

# Stops a process and what it started, so that nothing more is started, into $processes.
stop() {
  local child
  kill -s STOP "$1" 2>/dev/null || return
  processes+=("$1")
  for child in $(cat "/proc/$1/task"/*/children 2>/dev/null); do
    stop "$child"
  done
}

# Waits for a process, into $code. A signal interrupts: then it has not ended.
await() {
  interrupted=
  wait "$1"
  code=$?
  while [ -n "$interrupted" ]; do
    interrupted=
    wait "$1"
    code=$?
  done
}

# One task, into $code: FILES TASK ATTEMPT PARAMETER.
run() {
  local begun tail over='' warned='' status deadline
  clock
  begun=$now deadline=$((now + walltime * 1000))
  note "1 S $2 $begun"
  bash -c "$command $2 $3 $4" >|"$1.out" 2>|"$1.err" </dev/null &
  child=$!
  alarm_in $((walltime - before))
  await "$child"
  child=
  alarm_in ''
  clock
  status=$((code * 256))
  [ -z "$over" ] || status=65536
  if [ "$code" -eq 0 ]; then
    note "1 E $2 $begun $now 0 -"
  # A program that the passed signal ended did not fail: whoever ended the job knows why.
  elif [ -z "$stopping" ] || [ -n "$over" ] || [ "$code" -lt 128 ]; then
    tail=$(tail -c 2048 -- "$1.err" | base64 -w 0)
    note "1 E $2 $begun $now $status ${tail:--}"
  fi
}

# One place: runs the tasks that no other place has taken, one after the other. 0: all that it saw went well.
work() {
  local slot files child='' stopping='' interrupted='' warned='' code failed=0 timer self=$BASHPID
  on_signals deliver
  trap overrun ALRM
  trap : PIPE
  coproc alarm "$self"
  timer=${COPROC[1]}
  # Without clobbering, who creates a task's output has taken the task.
  set -C
  for ((slot = 0; $#; slot++)); do
    files=$results/$OAR_JOB_ID.$slot
    if { : >"$files.out"; } 2>/dev/null; then
      clock
      if [ -n "$stopping" ]; then exit 1; fi
      if [ "$now" -gt "$last" ] && [ "$slot" -ge "$side" ]; then exit 1; fi
      run "$files" "$1" "$2" "$3"
      [ "$code" -eq 0 ] || failed=1
    elif [ ! -e "$files.out" ]; then
      failed=1
    fi
    shift 3
  done
  exit "$failed"
}

clock
last=$((now + batch * 1000)) places=() failed=0
on_signals pass
for ((place = 0; place < side && place < $# / 3; place++)); do
  work "$@" &
  places+=($!)
done
for place in "${places[@]}"; do
  await "$place"
  [ "$code" -eq 0 ] || failed=64
done
sync -- "$journal" 2>/dev/null

empty=()
for file in "$results/$OAR_JOB_ID".*.out "$results/$OAR_JOB_ID".*.err; do
  [ -s "$file" ] || empty+=("$file")
done
[ ${#empty[@]} -eq 0 ] || rm -f -- "${empty[@]}"
exit "$failed"
