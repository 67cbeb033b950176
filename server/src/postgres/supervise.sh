# shellcheck shell=sh
# Runs the postmaster given as arguments and ties its life to standard input, the lifeline.
#
# Each line on the lifeline is the name of a signal for the postmaster. The end of the lifeline, however it comes about
# (the owner closed it, exited, crashed, was killed with SIGKILL), means a fast shutdown.
set -u
umask 077

# A terminal's Ctrl-C or a service manager's SIGTERM is for the owner, who stops the postmaster when it is done with it.
trap '' HUP INT TERM

exec 3<&0 </dev/null
"$@" 3<&- &
postmaster=$!

# At the end it is asked several times: a request that comes before the postmaster listens for signals is lost.
{
  while read -r signal; do
    kill -s "$signal" "$postmaster"
  done
  for _ in 1 2 3 4 5; do
    kill -s INT "$postmaster" || break
    sleep 1
  done
} <&3 >/dev/null 2>&1 &
watcher=$!

exec 3<&-
wait "$postmaster"
status=$?
kill -s KILL "$watcher" 2>/dev/null
exit "$status"
