#!/bin/sh
# Publishes the events of a file (one a line) over MQTT 5 at QoS 1, and prints what the gateway answers to each of them.
#
#     YANGGUANG_MQTT_USER=jd YANGGUANG_MQTT_PASSWORD=... ./publish.sh seal orders.ndjson
#
# The first argument is the stream: registry, camera, banquet or seal. Needs mosquitto_pub and mosquitto_sub 2.0.
# Environment: YANGGUANG_MQTT_USER (the producer's name) and YANGGUANG_MQTT_PASSWORD (needed), YANGGUANG_MQTT
# (mqtt://127.0.0.1:1883 if not set; mqtts:// for TLS), YANGGUANG_MQTT_CA (a PEM file, where the broker's authority is its own).
set -eu
umask 077
stream=${1:?name the stream, such as seal} file=${2:?name the file}
producer=${YANGGUANG_MQTT_USER:?set it to your name as a producer}
broker=${YANGGUANG_MQTT:-mqtt://127.0.0.1:1883}
address=${broker#*://}
session=$producer-$(cat /proc/sys/kernel/random/uuid)
reply=yangguang/v1/answers/$producer/$session

# The clients read options from files, so that the list of processes does not show the password.
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
export XDG_CONFIG_HOME="$folder"
{
  printf -- '-V 5\n-q 1\n-h %s\n-p %s\n' "${address%:*}" "${address##*:}"
  printf -- '-u %s\n-P %s\n' "$producer" "${YANGGUANG_MQTT_PASSWORD:?set it to your password at the broker}"
  case $broker in mqtts://*) printf -- '--cafile %s\n' "${YANGGUANG_MQTT_CA:-/etc/ssl/certs/ca-certificates.crt}" ;; esac
} > "$folder/mosquitto_pub"
cp "$folder/mosquitto_pub" "$folder/mosquitto_sub"

# A session that the broker keeps for an hour: answers that come while nobody listens wait in it.
answers() { mosquitto_sub -i "$session" -c -x 3600 -t "$reply" "$@"; }

answers -E  # only subscribes
grep -v '^[[:space:]]*$' "$file" > "$folder/events"
mosquitto_pub -t "yangguang/v1/$stream/$producer" -l -D publish response-topic "$reply" \
  -D publish content-type application/cloudevents+json < "$folder/events"  # returns once the broker has all

published=$(wc -l < "$folder/events")
answers -C "$published" -W 60 -F '%p' > "$folder/answers" || true  # it ends with an error when the time is over
cat "$folder/answers"
answered=$(wc -l < "$folder/answers")
refused=$(grep -c -v '"accepted":1,"rejected":0' "$folder/answers" || true)
echo "$published published, $answered answered, $refused of these refused" >&2
[ "$answered" = "$published" ] || echo "the broker keeps the rest until a gateway takes it" >&2
[ "$answered" = "$published" ] && [ "$refused" = 0 ]
