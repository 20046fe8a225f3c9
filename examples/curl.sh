#!/bin/sh
# Pushes events with curl: one event, a batch of two, and two more compressed with gzip. Prints the three answers.
#
#     YANGGUANG_API_KEY=yg_... ./curl.sh
#
# Environment: YANGGUANG_API_KEY (needed), YANGGUANG_URL (http://127.0.0.1:8080 if not set).
set -eu
url=${YANGGUANG_URL:-http://127.0.0.1:8080}/v1/events
: "${YANGGUANG_API_KEY:?set it to the key that you were given}"

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

# One delivered order. Its id is the event's own: send the same id again, and it still counts once.
order() {
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  printf '{"specversion":"1.0","id":"%s","source":"/platform/jd","type":"yangguang.seal.order.v1","time":"%s","data":' \
    "$(cat /proc/sys/kernel/random/uuid)" "$now"
  printf '{"order_id":"%s","operator_id":"op-example-1","platform":"jd","town_code":"330681001","delivered_at":"%s",' \
    "$1" "$now"
  printf '"fulfilment":"delivered","packages":1,"sealed_packages":1,"seal_state":"intact","evidence_level":2}}\n'
}

# The key goes to curl on standard input, so that the list of processes does not show it.
push() {
  printf 'header = "Authorization: Bearer %s"\n' "$YANGGUANG_API_KEY" |
    curl --config - --silent --show-error --fail-with-body --max-time 30 "$url" "$@"
  echo
}

order o-curl-1 > "$folder/one.json"
push -H 'Content-Type: application/cloudevents+json' --data-binary "@$folder/one.json"

printf '[%s,%s]' "$(order o-curl-2)" "$(order o-curl-3)" > "$folder/batch.json"
push -H 'Content-Type: application/cloudevents-batch+json' --data-binary "@$folder/batch.json"

{ order o-curl-4; order o-curl-5; } | gzip > "$folder/lines.gz"
push -H 'Content-Type: application/x-ndjson' -H 'Content-Encoding: gzip' --data-binary "@$folder/lines.gz"
