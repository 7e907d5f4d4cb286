{{- define "trading-fanout.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Prefix of all names; short enough for the suffixes that follow it (longest: StatefulSets' hashes). */}}
{{- define "trading-fanout.fullname" -}}
{{- $name := include "trading-fanout.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* metadata of a resource. Input: root, component, suffix of its name (optional), annotations (optional). */}}
{{- define "trading-fanout.metadata" -}}
name: {{ include "trading-fanout.fullname" .root }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "trading-fanout.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "trading-fanout.labels" -}}
{{ $own := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_")
  "app.kubernetes.io/version" (.root.Chart.AppVersion | toString)
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" "trading-fanout" -}}
{{- $selector := include "trading-fanout.selectorLabels" . | fromYaml -}}
{{- toYaml (merge (dict) $selector $own .root.Values.commonLabels) -}}
{{- end }}

{{- define "trading-fanout.selectorLabels" -}}
app.kubernetes.io/name: {{ include "trading-fanout.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of our own that flow runs' pods carry: Prefect sets app.kubernetes.io/name and others. */}}
{{- define "trading-fanout.flowRunLabels" -}}
trading-fanout/component: flow-run
trading-fanout/release: {{ .Release.Name }}
{{- end }}

{{- define "trading-fanout.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* Name of a service account. Input: root, role (worker, jobs or server, or a hook's own). */}}
{{- define "trading-fanout.serviceAccount" -}}
{{- $account := get .root.Values.serviceAccounts .role | default dict -}}
{{- $account.name | default (printf "%s-%s" (include "trading-fanout.fullname" .root) .role) -}}
{{- end }}

{{/* "true" or nothing: whether this release installs a Prefect server. */}}
{{- define "trading-fanout.installsServer" -}}
{{- if not .Values.prefect.apiUrl }}true{{ end -}}
{{- end }}

{{- define "trading-fanout.serverIsReplicated" -}}
{{- if and (include "trading-fanout.installsServer" .) (gt (int .Values.server.replicas) 1) }}true{{ end -}}
{{- end }}

{{- define "trading-fanout.installsPostgres" -}}
{{- if and (include "trading-fanout.installsServer" .) (eq .Values.database.type "bundled") }}true{{ end -}}
{{- end }}

{{- define "trading-fanout.installsStore" -}}
{{- if eq .Values.storage.type "embedded" }}true{{ end -}}
{{- end }}

{{- define "trading-fanout.preparesStorage" -}}
{{- if or (include "trading-fanout.installsStore" .) .Values.sampleData.enabled }}true{{ end -}}
{{- end }}

{{/* What `kubectl exec` has to be told for a command. */}}
{{- define "trading-fanout.commandPod" -}}
{{- printf "deployment/%s-%s" (include "trading-fanout.fullname" .) (ternary "console" "worker" .Values.console.enabled) -}}
{{- end }}

{{- define "trading-fanout.apiUrl" -}}
{{- $own := printf "http://%s-server:%d/api" (include "trading-fanout.fullname" .) (int .Values.server.service.port) -}}
{{- .Values.prefect.apiUrl | default $own -}}
{{- end }}

{{- define "trading-fanout.storeUrl" -}}
{{- printf "http://%s-store:8333" (include "trading-fanout.fullname" .) -}}
{{- end }}

{{- define "trading-fanout.authSecret" -}}
{{- $auth := .Values.prefect.auth -}}
{{- if $auth.enabled -}}
{{- $generated := printf "%s-auth" (include "trading-fanout.fullname" .) -}}
{{- $auth.existingSecret | default (ternary $generated "" (eq (include "trading-fanout.installsServer" .) "true")) -}}
{{- end -}}
{{- end }}

{{- define "trading-fanout.authKey" -}}
{{- ternary .Values.prefect.auth.key "auth-string" (ne .Values.prefect.auth.existingSecret "") -}}
{{- end }}

{{- define "trading-fanout.postgresSecret" -}}
{{- .Values.database.bundled.existingSecret | default (printf "%s-postgres" (include "trading-fanout.fullname" .)) -}}
{{- end }}

{{- define "trading-fanout.postgresKey" -}}
{{- ternary .Values.database.bundled.key "password" (ne .Values.database.bundled.existingSecret "") -}}
{{- end }}

{{/* Secret with the keys that the embedded store knows. */}}
{{- define "trading-fanout.embeddedSecret" -}}
{{- .Values.storage.embedded.existingSecret | default (printf "%s-store" (include "trading-fanout.fullname" .)) -}}
{{- end }}

{{/* Secret with the AWS_ variables of the store; empty when a role or a block gives access. */}}
{{- define "trading-fanout.storeSecret" -}}
{{- if include "trading-fanout.installsStore" . -}}
{{- include "trading-fanout.embeddedSecret" . -}}
{{- else -}}
{{- .Values.storage.s3.existingSecret -}}
{{- end -}}
{{- end }}

{{/* The port of a URL, the scheme's own when it names none. */}}
{{- define "trading-fanout.port" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $port | default (ternary "80" "443" (eq $url.scheme "http")) -}}
{{- end }}

{{/* A password: what the Secret in the cluster holds, else a new one. Input: root, name, key, length. */}}
{{- define "trading-fanout.kept" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .name | default dict -}}
{{- $data := get $secret "data" | default dict -}}
{{- if hasKey $data .key -}}
{{- get $data .key | b64dec -}}
{{- else -}}
{{- randAlphaNum .length -}}
{{- end -}}
{{- end }}
