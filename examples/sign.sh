#!/bin/sh
# Pushes one request that is signed as Standard Webhooks has it, with openssl and curl, for a key made with --signed.
#
#     YANGGUANG_API_KEY=yg_... YANGGUANG_SIGNING_SECRET=whsec_... ./sign.sh orders.ndjson
#
# Environment: YANGGUANG_API_KEY and YANGGUANG_SIGNING_SECRET (needed), YANGGUANG_URL (http://127.0.0.1:8080 if not set).
# While openssl runs, the list of processes shows the secret: where others use the machine, take sign.py.
set -eu
: "${YANGGUANG_API_KEY:?set it to the key that you were given}"
: "${YANGGUANG_SIGNING_SECRET:?set it to the secret that came with the key}"

id=$(cat /proc/sys/kernel/random/uuid)
moment=$(date +%s)
key=$(printf '%s' "${YANGGUANG_SIGNING_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
signature=$({ printf '%s.%s.' "$id" "$moment"; cat "$1"; } |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 -w0)

printf 'header = "Authorization: Bearer %s"\n' "$YANGGUANG_API_KEY" |
  curl --config - --silent --show-error --fail-with-body --max-time 30 \
    -H 'Content-Type: application/x-ndjson' \
    -H "webhook-id: $id" -H "webhook-timestamp: $moment" -H "webhook-signature: v1,$signature" \
    --data-binary "@$1" "${YANGGUANG_URL:-http://127.0.0.1:8080}/v1/events"
echo
