{{/* What of the live side would start and do nothing, or do what was not meant. */}}
{{- define "trading-fanout.live.checks" -}}
{{- $live := .Values.live -}}
{{- range $kind := list "database" "bus" -}}
{{- if not (get $live $kind).existingSecret -}}
{{- fail (printf "live.enabled=true without live.%s.existingSecret: the live processes keep what they know in a %s of yours; make a Secret with its URL and set live.%s.existingSecret to its name." $kind $kind $kind) -}}
{{- end -}}
{{- end -}}
{{- if and (include "trading-fanout.live.hasVendor" .) (not $live.stream.existingSecret) -}}
{{- fail (printf "live.source=%s without live.stream.existingSecret: the vendor asks for a key; make a Secret with it and set live.stream.existingSecret to its name, or live.source to `synthetic`." $live.source) -}}
{{- end -}}
{{- include "trading-fanout.live.executorChecks" . -}}
{{- $scaling := $live.api.autoscaling -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "live.api.autoscaling.minReplicas=%d is more than live.api.autoscaling.maxReplicas=%d; set it to that or less." (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- end }}

{{- define "trading-fanout.live.executorChecks" -}}
{{- $live := .Values.live -}}
{{- $broker := $live.executor.broker -}}
{{- $strategy := include "trading-fanout.executor.strategy" . -}}
{{- if not (has $strategy $live.strategies) -}}
{{- fail (printf "live.executor.strategy=%s is none of live.strategies=%s, so it would never get a signal; set it to one of them or add it there." $strategy (join "," $live.strategies)) -}}
{{- end -}}
{{- $interval := include "trading-fanout.executor.interval" . -}}
{{- if not (has $interval $live.intervals) -}}
{{- fail (printf "live.executor.interval=%s is none of live.intervals=%s, so it would never get a signal; set it to one of them or add it there." $interval (join "," $live.intervals)) -}}
{{- end -}}
{{- if eq $broker.type "alpaca" -}}
{{- include "trading-fanout.live.brokerChecks" . -}}
{{- end -}}
{{- end }}

{{- define "trading-fanout.live.brokerChecks" -}}
{{- $live := .Values.live -}}
{{- $broker := $live.executor.broker -}}
{{- if not (include "trading-fanout.live.hasVendor" .) -}}
{{- fail (printf "live.executor.broker.type=alpaca with live.source=%s: prices that are made up or of the past must not become orders; set live.source to `alpaca` or `polygon`, or live.executor.broker.type to `paper`." $live.source) -}}
{{- end -}}
{{- if not $broker.existingSecret -}}
{{- fail "live.executor.broker.type=alpaca without live.executor.broker.existingSecret: the broker asks for keys; make a Secret with TRADING_ALPACA_KEY_ID and TRADING_ALPACA_SECRET_KEY and set live.executor.broker.existingSecret to its name." -}}
{{- end -}}
{{- $isPaper := hasPrefix "https://paper-api." $broker.url -}}
{{- if and (not $isPaper) (not (and $broker.allowLive $broker.confirmAccount)) -}}
{{- fail (printf "live.executor.broker.url=%s trades with real money: set live.executor.broker.allowLive to true and live.executor.broker.confirmAccount to the account's number, or live.executor.broker.url to https://paper-api.alpaca.markets." $broker.url) -}}
{{- end -}}
{{- end }}
