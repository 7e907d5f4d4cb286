{{/*
A headless Service and a StatefulSet of one pod with one volume at /data. Input: what the pod takes,
storage (size, className, whenDeleted) and port.
*/}}
{{- define "trading-fanout.stateful" -}}
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
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "trading-fanout.metadata" (dict "root" .root "component" .component "suffix" .component) | nindent 2 }}
spec:
  replicas: 1
  serviceName: {{ include "trading-fanout.fullname" .root }}-{{ .component }}
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: {{ .storage.whenDeleted }}
    whenScaled: Retain
  selector:
    matchLabels:
      {{- include "trading-fanout.selectorLabels" . | nindent 6 }}
  template:
    {{- include "trading-fanout.pod" . | nindent 4 }}
  volumeClaimTemplates:
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
