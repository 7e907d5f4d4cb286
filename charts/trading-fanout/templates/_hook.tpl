{{/*
A Job that Helm runs and waits for. It is there to be looked at for a day when it failed, and gone at
once when it succeeded: `helm uninstall` does not know of hooks.

Input: root, component, suffix, hook (events), weight, deadline (seconds), account, container, volumes.
*/}}
{{- define "trading-fanout.hook" -}}
{{- $annotations := dict
  "helm.sh/hook" .hook
  "helm.sh/hook-weight" (.weight | toString)
  "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded"
  "helm.sh/hook-output-log-policy" "hook-failed" -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "trading-fanout.metadata" (dict "root" .root "component" .component "suffix" .suffix "annotations" $annotations) | nindent 2 }}
spec:
  # The command retries what can be retried; a second pod would only hide the first one's message.
  backoffLimit: 0
  activeDeadlineSeconds: {{ .deadline }}
  ttlSecondsAfterFinished: 86400
  template:
    {{- include "trading-fanout.pod" (merge (dict "settings" .root.Values.hooks "restartPolicy" "Never") .) | nindent 4 }}
{{- end }}

{{/* Seconds after which Kubernetes ends the Job of `helm test`, and minutes for its `--timeout`. */}}
{{- define "trading-fanout.testDeadline" -}}
{{- add .Values.hooks.testSeconds 300 -}}
{{- end }}

{{- define "trading-fanout.testMinutes" -}}
{{- div (add (include "trading-fanout.testDeadline" . | int) 59) 60 -}}
{{- end }}
