{{/* The live processes that have no port but that of their metrics. */}}
{{- define "trading-fanout.live.processes" -}}
{{- if .Values.live.enabled }}
- stream
- windows
- signals
- alerts
- executor
{{- end }}
{{- end }}

{{- define "trading-fanout.live.hasApi" -}}
{{- if and .Values.live.enabled .Values.live.api.enabled }}true{{ end -}}
{{- end }}

{{/* All components of the live side that run all day. */}}
{{- define "trading-fanout.live.components" -}}
{{- include "trading-fanout.live.processes" . }}
{{- if include "trading-fanout.live.hasApi" . }}
- api
{{- end }}
{{- end }}

{{/* Whether ticks come from a vendor, as they happen, and not from the past. */}}
{{- define "trading-fanout.live.hasVendor" -}}
{{- if has .Values.live.source (list "alpaca" "polygon") }}true{{ end -}}
{{- end }}

{{/* Whose time it is, for those that compare it with prices: where these are of the past, it is theirs. */}}
{{- define "trading-fanout.live.clock" -}}
--clock={{ ternary "wall" "events" (eq (include "trading-fanout.live.hasVendor" .) "true") }}
{{- end }}

{{/* What `kubectl exec` has to be told for a command that needs the database. */}}
{{- define "trading-fanout.live.commandPod" -}}
{{- printf "deployment/%s-%s" (include "trading-fanout.fullname" .) (ternary "console" "windows" .Values.console.enabled) -}}
{{- end }}

{{/* "true" or nothing: whether a component reads or writes the lake. Input: root, component. */}}
{{- define "trading-fanout.live.usesLake" -}}
{{- $replays := and (eq .component "stream") (eq .root.Values.live.source "replay") -}}
{{- if or $replays (has .component (list "windows" "signals" "api")) }}true{{ end -}}
{{- end }}

{{- define "trading-fanout.live.databaseEnv" -}}
{{- with .Values.live.database }}
- name: TRADING_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key }}
{{- end }}
{{- end }}

{{/* Where the platform's database and the bus are; nothing without the live side. */}}
{{- define "trading-fanout.live.env" -}}
{{- if .Values.live.enabled }}
{{- include "trading-fanout.live.databaseEnv" . }}
{{- with .Values.live.bus }}
- name: TRADING_BUS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- end }}

{{/* Settings, and for who uses the lake the keys of the store. Input: root, component. */}}
{{- define "trading-fanout.live.envFrom" -}}
{{- if include "trading-fanout.live.usesLake" . }}
{{- include "trading-fanout.flowRunEnvFrom" .root }}
{{- else }}
- configMapRef:
    name: {{ include "trading-fanout.fullname" .root }}-settings
{{- end }}
{{- end }}

{{/* The account of flow runs for who uses the lake: its role gives access to S3. */}}
{{- define "trading-fanout.live.account" -}}
{{- ternary "jobs" "server" (eq (include "trading-fanout.live.usesLake" .) "true") -}}
{{- end }}

{{/*
A Deployment of one process, which ends before the next one begins.

Input: root, component, args (of `trading`), env and envFrom (YAML lists, may be empty).
*/}}
{{- define "trading-fanout.live.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "trading-fanout.metadata" (merge (dict "suffix" .component) .) | nindent 2 }}
spec:
  replicas: 1
  # One at a time: a second one would wait for the first, and never be ready.
  strategy:
    type: Recreate
  selector:
    matchLabels:
      {{- include "trading-fanout.selectorLabels" . | nindent 6 }}
  template:
    {{- include "trading-fanout.pod" (dict
      "root" $root
      "component" .component
      "settings" (get $root.Values.live .component)
      "account" (include "trading-fanout.live.account" .)
      "gracePeriod" 15
      "container" (include "trading-fanout.live.container" . | fromYaml)) | nindent 4 }}
{{- end }}

{{- define "trading-fanout.live.container" -}}
name: {{ .component }}
args:
  - trading
  - live
  - {{ .component }}
  {{- with .args }}
  {{- . | nindent 2 }}
  {{- end }}
ports:
  - name: metrics
    containerPort: 9100
startupProbe:
  httpGet:
    path: /live
    port: metrics
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 36
# It answers 503 by itself once its loop has not turned for a minute.
livenessProbe:
  httpGet:
    path: /live
    port: metrics
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 4
readinessProbe:
  httpGet:
    path: /ready
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 10
env:
  {{- include "trading-fanout.live.env" .root | nindent 2 }}
  - name: TRADING_METRICS_PORT
    value: "9100"
  - name: TRADING_METRICS_HOST
    value: 0.0.0.0
  # Where a command would keep what is of this machine; nothing else can be written.
  - name: TRADING_SERVER_DIR
    value: /tmp/trading
  {{- with .env }}
  {{- . | nindent 2 }}
  {{- end }}
envFrom:
  {{- include "trading-fanout.live.envFrom" . | nindent 2 }}
  {{- with .envFrom }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end }}
