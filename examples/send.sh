#!/bin/sh
# For bad networks: keeps each event in a folder until it is taken. Its id is made once, so however often it is sent
# again, it counts once. What is refused is set aside with the reason, and the rest goes on.
#
#     ./send.sh put yangguang.seal.order.v1 < data.json     # into the folder; returns at once
#     ./send.sh push                                        # until the folder is empty; from cron, say
#
# Environment: YANGGUANG_API_KEY (needed to push), YANGGUANG_SOURCE (needed to put, such as /platform/jd),
# YANGGUANG_URL (http://127.0.0.1:8080 if not set), YANGGUANG_SPOOL (the folder, ./spool if not set).
set -eu
umask 077
url=${YANGGUANG_URL:-http://127.0.0.1:8080}/v1/events
spool=${YANGGUANG_SPOOL:-./spool}
mkdir -p "$spool/waiting" "$spool/refused"

put() {
  id=$(date -u +%Y%m%dT%H%M%SZ)-$(cat /proc/sys/kernel/random/uuid)
  {
    printf '{"specversion":"1.0","id":"%s","source":"%s","type":"%s","time":"%s","data":' \
      "$id" "${YANGGUANG_SOURCE:?set it to your source}" "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    tr -d '\n'
    printf '}\n'
  } > "$spool/$id.new"
  sync "$spool/$id.new"
  mv "$spool/$id.new" "$spool/waiting/$id.json"  # whole or not at all
  echo "$id"
}

# Sends one event. Done with it: 0. To be sent again: 1, and $pause says after how many seconds.
deliver() {
  status=$(printf 'header = "Authorization: Bearer %s"\n' "$YANGGUANG_API_KEY" |
    curl --config - --silent --show-error --max-time 30 --output "$spool/answer" --dump-header "$spool/head" \
      --write-out '%{http_code}' -H 'Content-Type: application/cloudevents+json' --data-binary "@$1" "$url") || status=000
  case $status in
    202) rm -f "$1" ;;
    400 | 413 | 415 | 422)
      name=$(basename "$1" .json)
      mv "$spool/answer" "$spool/refused/$name.answer.json"
      mv "$1" "$spool/refused/"
      echo "refused: $spool/refused/$name.json: $(grep -o '"detail":"[^"]*"' "$spool/refused/$name.answer.json")" >&2 ;;
    000 | 408 | 429 | 5??)
      asked=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9][0-9]*\).*/\1/p' "$spool/head")
      pause=${asked:-$((pause < 32 ? pause * 2 : 60))}
      return 1 ;;
    *)
      echo "answered $status, all that waits stays in $spool/waiting: $(cat "$spool/answer")" >&2
      exit 1 ;;
  esac
}

push() {
  : "${YANGGUANG_API_KEY:?set it to the key that you were given}"
  exec 9> "$spool/lock"
  flock -n 9 || exit 0  # another push is at it
  for event in "$spool"/waiting/*.json; do
    [ -e "$event" ] || continue  # nothing waits
    pause=1
    until : > "$spool/head" && deliver "$event"; do
      sleep "$pause"
    done
  done
}

case ${1:-} in
  put) put "${2:?name the type, such as yangguang.seal.order.v1}" ;;
  push) push ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
