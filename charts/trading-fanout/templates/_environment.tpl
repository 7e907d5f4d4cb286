{{/* How a client finds the Prefect API and who it is there. */}}
{{- define "trading-fanout.clientEnv" -}}
- name: PREFECT_API_URL
  value: {{ include "trading-fanout.apiUrl" . | quote }}
{{- with .Values.prefect.apiKey.existingSecret }}
- name: PREFECT_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.prefect.apiKey.key }}
{{- end }}
{{- with include "trading-fanout.authSecret" . }}
- name: PREFECT_API_AUTH_STRING
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ include "trading-fanout.authKey" $ }}
{{- end }}
{{- include "trading-fanout.uiUrlEnv" . }}
# Nothing is reported to Prefect's makers.
- name: DO_NOT_TRACK
  value: "1"
{{- end }}

{{/* What links to the UI start with. The worker passes it on to flow runs. */}}
{{- define "trading-fanout.uiUrlEnv" -}}
{{- with include "trading-fanout.uiUrl" . }}
- name: PREFECT_UI_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Where flow runs, hooks and console get the settings of the pipeline and the keys of the store from. */}}
{{- define "trading-fanout.flowRunEnvFrom" -}}
- configMapRef:
    name: {{ include "trading-fanout.fullname" . }}-settings
{{- with include "trading-fanout.storeSecret" . }}
- secretRef:
    name: {{ . }}
{{- end }}
{{- end }}

{{- define "trading-fanout.databaseEnv" -}}
{{- $database := .Values.database -}}
{{- if eq $database.type "bundled" }}
- name: PREFECT_SERVER_DATABASE_DRIVER
  value: postgresql+asyncpg
- name: PREFECT_SERVER_DATABASE_HOST
  value: {{ include "trading-fanout.fullname" . }}-postgres
- name: PREFECT_SERVER_DATABASE_PORT
  value: "5432"
- name: PREFECT_SERVER_DATABASE_USER
  value: prefect
- name: PREFECT_SERVER_DATABASE_NAME
  value: prefect
- name: PREFECT_SERVER_DATABASE_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "trading-fanout.postgresSecret" . }}
      key: {{ include "trading-fanout.postgresKey" . }}
{{- else if eq $database.type "external" }}
- name: PREFECT_SERVER_DATABASE_CONNECTION_URL
  valueFrom:
    secretKeyRef:
      name: {{ $database.external.existingSecret }}
      key: {{ $database.external.key }}
{{- else }}
- name: PREFECT_SERVER_DATABASE_CONNECTION_URL
  value: sqlite+aiosqlite:////data/prefect.db
{{- end }}
{{- end }}

{{/* What API server and background services have in common. */}}
{{- define "trading-fanout.serverEnv" -}}
{{- $server := .Values.server -}}
{{- with include "trading-fanout.authSecret" . }}
- name: PREFECT_SERVER_API_AUTH_STRING
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ include "trading-fanout.authKey" $ }}
{{- end }}
{{- include "trading-fanout.databaseEnv" . }}
{{- include "trading-fanout.uiUrlEnv" . }}
- name: PREFECT_SERVER_ANALYTICS_ENABLED
  value: "false"
- name: DO_NOT_TRACK
  value: "1"
- name: PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED
  value: events,flow_runs
- name: PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD
  value: {{ mul $server.flowRunRetentionDays 86400 | quote }}
- name: PREFECT_SERVER_EVENTS_RETENTION_PERIOD
  value: P{{ $server.eventRetentionDays }}D
- name: PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS
  value: {{ $server.lateRunsAfterSeconds | quote }}
# Looking every 20 s at each unfinished child, whether its parent was cancelled, costs more than
# running it where there are thousands. Parents cancel their children themselves.
- name: PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS
  value: "300"
{{- if include "trading-fanout.serverIsReplicated" . }}
# What servers in the plural share: messages, leases and the work of the background services.
- name: PREFECT_SERVER_EVENTS_MESSAGING_BROKER
  value: prefect_redis.messaging
- name: PREFECT_SERVER_EVENTS_MESSAGING_CACHE
  value: prefect_redis.messaging
- name: PREFECT_SERVER_EVENTS_CAUSAL_ORDERING
  value: prefect_redis.ordering
- name: PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE
  value: prefect_redis.lease_storage
- name: PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE
  value: prefect_redis.cleanup_queue
{{- range list "PREFECT_REDIS_MESSAGING_URL" "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL" "PREFECT_SERVER_DOCKET_URL" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.redis.existingSecret }}
      key: {{ $.Values.redis.key }}
{{- end }}
# One process migrates the database: the background services' init container.
- name: PREFECT_SERVER_DATABASE_MIGRATE_ON_START
  value: "false"
{{- end }}
{{- end }}

{{/* Address of the API as browsers see it. */}}
{{- define "trading-fanout.uiApiUrl" -}}
{{- $server := .Values.server -}}
{{- if $server.uiApiUrl -}}
{{- $server.uiApiUrl -}}
{{- else if $server.ingress.enabled -}}
{{- printf "%s://%s/api" (ternary "https" "http" (ne $server.ingress.tlsSecret "")) $server.ingress.host -}}
{{- else -}}
http://localhost:4200/api
{{- end -}}
{{- end }}

{{/* Address of the UI as browsers see it; empty where Prefect makes it of the API's. */}}
{{- define "trading-fanout.uiUrl" -}}
{{- if .Values.prefect.uiUrl -}}
{{- .Values.prefect.uiUrl | trimSuffix "/" -}}
{{- else if include "trading-fanout.installsServer" . -}}
{{- include "trading-fanout.uiApiUrl" . | trimSuffix "/" | trimSuffix "/api" -}}
{{- end -}}
{{- end }}
