{{/*
A Job that Helm runs and waits for. It is there to be looked at for a day when it failed, and gone at
once when it succeeded: `helm uninstall` does not know of hooks.

Input: root, component, suffix, hook (events), weight, deadline (seconds), account, container, volumes.
*/}}
{{- define "trading-fanout.hook" -}}
{{- $policy := dict "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "trading-fanout.hookMetadata" (merge (dict "annotations" $policy) .) | nindent 2 }}
spec:
  # The command retries what can be retried; a second pod would only hide the first one's message.
  backoffLimit: 0
  activeDeadlineSeconds: {{ .deadline }}
  ttlSecondsAfterFinished: 86400
  template:
    {{- include "trading-fanout.pod" (merge (dict "settings" .root.Values.hooks "restartPolicy" "Never") .) | nindent 4 }}
{{- end }}

{{/*
The pod of `helm test`, with the same input. A pod and no Job, because `--logs` reads that of a pod of the
hook's name; it stays until the next test, because that reads it after hooks that succeeded are deleted.
*/}}
{{- define "trading-fanout.testHook" -}}
{{- $policy := dict "helm.sh/hook-delete-policy" "before-hook-creation" -}}
{{- $metadata := include "trading-fanout.hookMetadata" (merge (dict "annotations" $policy) .) | fromYaml -}}
{{- $settings := dict "settings" .root.Values.hooks "restartPolicy" "Never" "activeDeadline" .deadline -}}
apiVersion: v1
kind: Pod
{{ include "trading-fanout.pod" (merge $settings (dict "metadata" $metadata) .) }}
{{- end }}

{{/* With a label by which the runbook's command finds what hooks leave. Input: that of the hook, annotations. */}}
{{- define "trading-fanout.hookMetadata" -}}
{{- $annotations := merge (dict
  "helm.sh/hook" .hook
  "helm.sh/hook-weight" (.weight | toString)
  "helm.sh/hook-output-log-policy" "hook-failed") .annotations -}}
{{- $metadata := include "trading-fanout.metadata" (merge (dict "annotations" $annotations) .) | fromYaml -}}
{{- toYaml (merge (dict "labels" (dict "trading-fanout/release" .root.Release.Name)) $metadata) -}}
{{- end }}

{{/* Seconds after which Kubernetes ends the pod of `helm test`, and minutes for its `--timeout`. */}}
{{- define "trading-fanout.testDeadline" -}}
{{- add .Values.hooks.testSeconds 300 -}}
{{- end }}

{{- define "trading-fanout.testMinutes" -}}
{{- div (add (include "trading-fanout.testDeadline" . | int) 59) 60 -}}
{{- end }}
