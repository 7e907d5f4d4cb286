{{/* What values.schema.json cannot say of values that are fine one by one. */}}
{{- define "trading-fanout.checks" -}}
{{- $server := .Values.server -}}
{{- if and (include "trading-fanout.installsServer" .) (eq .Values.database.type "sqlite") (eq .Values.jobs.jobPer "partition") (gt (int .Values.worker.maxPartitionJobs) 10) -}}
{{- fail (printf "database.type=sqlite with worker.maxPartitionJobs=%d: SQLite lets one writer in at a time and times out under that many; set worker.maxPartitionJobs to 10 or less, jobs.jobPer to `symbol` or `run`, or database.type to `bundled`." (int .Values.worker.maxPartitionJobs)) -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.prefect.apiUrl (not .Values.live.enabled) -}}
{{- fail (printf "monitoring.serviceMonitor.enabled=true with prefect.apiUrl=%s: there is no server of this release to scrape; set monitoring.serviceMonitor.enabled to false." .Values.prefect.apiUrl) -}}
{{- end -}}
{{- if and $server.ingress.enabled .Values.prefect.apiUrl -}}
{{- fail (printf "server.ingress.enabled=true with prefect.apiUrl=%s: there is no server of this release to reach; set server.ingress.enabled to false." .Values.prefect.apiUrl) -}}
{{- end -}}
{{- if and .Values.storage.s3.credentialsBlock (include "trading-fanout.installsStore" .) -}}
{{- fail (printf "storage.s3.credentialsBlock=%s with storage.type=embedded: the embedded store has keys of its own; set storage.type to `s3` or leave the block out." .Values.storage.s3.credentialsBlock) -}}
{{- end -}}
{{- if .Values.live.enabled -}}
{{- include "trading-fanout.live.checks" . -}}
{{- end -}}
{{- end }}
