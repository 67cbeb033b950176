# shellcheck shell=sh
# Runs the program given as arguments and ties its life to standard input, the lifeline: when it ends, however that comes
# about (the demo closed it, exited, crashed, was killed), the program is told to end.
set -u

# A terminal's Ctrl-C is for the demo, which ends its programs in order.
trap '' HUP INT TERM

exec 3<&0 </dev/null
(
  trap - HUP INT TERM
  exec "$@"
) 3<&- &
program=$!

# Asked several times: a request that comes before the program listens for signals is lost.
{
  while read -r _; do :; done
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -s TERM "$program" || exit
    sleep 1
  done
  kill -s KILL "$program"
} <&3 >/dev/null 2>&1 &
watcher=$!

exec 3<&-
wait "$program"
status=$?
kill -s KILL "$watcher" 2>/dev/null
exit "$status"
