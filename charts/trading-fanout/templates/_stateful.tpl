{{/*
A headless Service and a StatefulSet of one pod with one volume at /data. Input: what the pod takes,
storage (size, className, whenDeleted), port, and installs: "true", or nothing when the values no
longer ask for it. A StatefulSet that the release has all the same stays, without its pod: to delete it
would delete a volume that is to last until the release is uninstalled.
*/}}
{{- define "trading-fanout.stateful" -}}
{{- $name := printf "%s-%s" (include "trading-fanout.fullname" .root) .component -}}
{{- $there := include "trading-fanout.isThere" (dict "root" .root "api" "apps/v1" "kind" "StatefulSet" "name" $name) -}}
{{- if .installs }}
apiVersion: v1
kind: Service
metadata:
  {{- include "trading-fanout.metadata" (dict "root" .root "component" .component "suffix" .component) | nindent 2 }}
spec:
  clusterIP: None
  ports:
    - name: {{ .component }}
      port: {{ .port }}
      targetPort: {{ .component }}
  selector:
    {{- include "trading-fanout.selectorLabels" . | nindent 4 }}
---
{{- end }}
{{- if or .installs $there }}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "trading-fanout.metadata" (dict "root" .root "component" .component "suffix" .component) | nindent 2 }}
spec:
  replicas: {{ ternary 1 0 (eq .installs "true") }}
  serviceName: {{ $name }}
  # With OrderedReady a pod that never became ready, of a wrong image, is not replaced by the right one.
  podManagementPolicy: {{ include "trading-fanout.podManagementPolicy" (dict "root" .root "name" $name) }}
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: {{ .storage.whenDeleted }}
    whenScaled: Retain
  selector:
    matchLabels:
      {{- include "trading-fanout.selectorLabels" . | nindent 6 }}
  template:
    {{- include "trading-fanout.pod" . | nindent 4 }}
  volumeClaimTemplates:
    {{- if not .installs }}
    # As they are: they cannot be changed, and the values may speak of another volume by now.
    {{- toYaml (lookup "apps/v1" "StatefulSet" .root.Release.Namespace $name).spec.volumeClaimTemplates | nindent 4 }}
    {{- else }}
    - metadata:
        name: data
        labels:
          {{- include "trading-fanout.selectorLabels" . | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .storage.className }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ .storage.size }}
    {{- end }}
{{- end }}
{{- end }}

{{/*
Parallel, or what the StatefulSet in the cluster has: Kubernetes refuses to change it, and NOTES.txt says
what to do. Input: root, name.
*/}}
{{- define "trading-fanout.podManagementPolicy" -}}
{{- $there := lookup "apps/v1" "StatefulSet" .root.Release.Namespace .name | default dict -}}
{{- dig "spec" "podManagementPolicy" "Parallel" $there -}}
{{- end }}

{{/*
"true" or nothing: whether the cluster has that object of this release, and Helm would delete it when it
is no longer rendered. Input: root, api, kind, name.
*/}}
{{- define "trading-fanout.isThere" -}}
{{- $found := lookup .api .kind .root.Release.Namespace .name | default dict -}}
{{- $annotations := dig "metadata" "annotations" dict $found -}}
{{- $ours := eq (get $annotations "meta.helm.sh/release-name") .root.Release.Name -}}
{{- if and $ours (ne (get $annotations "helm.sh/resource-policy") "keep") }}true{{ end -}}
{{- end }}

{{/* Components whose StatefulSets are there without the values asking for them, a YAML list. */}}
{{- define "trading-fanout.stopped" -}}
{{- $installs := dict "postgres" (include "trading-fanout.installsPostgres" .) "store" (include "trading-fanout.installsStore" .) -}}
{{- range $component, $installed := $installs }}
{{- $name := printf "%s-%s" (include "trading-fanout.fullname" $) $component }}
{{- if and (not $installed) (include "trading-fanout.isThere" (dict "root" $ "api" "apps/v1" "kind" "StatefulSet" "name" $name)) }}
- {{ $component }}
{{- end }}
{{- end }}
{{- end }}
