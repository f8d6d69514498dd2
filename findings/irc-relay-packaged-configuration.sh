#!/usr/bin/env bash
# The configuration that Debian's alertmanager-irc-relay (0.4.2-1+b9) comes with cannot format any alert. It sets
# `msg_once_per_alert_group: yes`, whose template is given the whole group, and a `msg_template` that asks for `.Labels`, which only a
# single alert has. For every body of Alertmanager the relay logs "can't evaluate field Labels", answers 200, and the channel gets
# raw JSON instead of a line. Without the first setting, or with `.GroupLabels` in the second, a line is told. Needs Debian 12, curl.
set -euo pipefail
work=$(mktemp -d)
relay=
trap 'kill ${relay:-} 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq alertmanager-irc-relay=0.4.2-1+b9 2>/dev/null
dpkg-deb -x ./*.deb .
labels='{"alertname":"A","instance":"i"}' times='"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"'
alert='{"status":"firing","labels":'$labels',"annotations":{},'$times',"generatorURL":"","fingerprint":"1"}'
body='{"receiver":"irc","status":"firing","alerts":['$alert'],"groupLabels":{"alertname":"A"},"commonLabels":'$labels',
  "commonAnnotations":{},"externalURL":"","version":"4","groupKey":"{}:{alertname=\"A\"}","truncatedAlerts":0}'
port=18123
# Only the addresses are changed: nobody listens at port 1, and a body is formatted before that matters.
sed -e "s/^http_port:.*/http_port: $port/" -e 's/^irc_host:.*/irc_host: 127.0.0.1/' -e 's/^irc_port:.*/irc_port: 1/' \
  etc/alertmanager-irc-relay.yml >packaged.yml
sed '/^msg_once_per_alert_group/d' packaged.yml >single.yml
for config in packaged single; do
  usr/bin/alertmanager-irc-relay --config $config.yml 2>$config.log &
  relay=$!
  curl -s --retry 20 --retry-connrefused --retry-delay 1 -o /dev/null -w "$config: HTTP %{http_code}, " -d "$body" "http://localhost:$port/slos"
  kill $relay
  wait $relay || true
  relay=
  grep -o "can't evaluate field Labels" $config.log || echo "formatted"
done >seen
cat seen
diff seen - <<'END'
packaged: HTTP 200, can't evaluate field Labels
single: HTTP 200, formatted
END
