{{/*
A pod template that the `restricted` Pod Security Standard admits: every pod of the chart is made
here, so that they differ only in what they run.

Input:
  root, component
  settings          the component's values: `resources` and `pod`
  account           role of its service account (server, worker or jobs)
  apiAccess         whether it talks to the Kubernetes API (optional)
  restartPolicy, gracePeriod (optional)
  activeDeadline    seconds after which Kubernetes ends it (optional)
  keepsLabels       whether its labels stay the same from version to version (optional)
  container         the container without security and resources; its image is the release's unless
                    it has another
  initContainers    list of the same (optional)
  volumes           list (optional)
  annotations       map (optional)
  metadata          of a pod that is made as it is, without a workload (optional)
*/}}
{{- define "trading-fanout.pod" -}}
{{- $root := .root -}}
{{- $pod := mustMergeOverwrite (deepCopy $root.Values.pods) (deepCopy .settings.pod) -}}
{{- $selector := include "trading-fanout.selectorLabels" . | fromYaml -}}
{{- $labels := include "trading-fanout.labels" . | fromYaml -}}
{{- if .keepsLabels }}
{{- $labels = omit $labels "helm.sh/chart" "app.kubernetes.io/version" }}
{{- end -}}
{{- $metadata := .metadata | default dict -}}
metadata:
  {{- with omit $metadata "labels" "annotations" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  labels:
    {{- toYaml (merge (dict) $selector (get $metadata "labels" | default dict) $pod.labels $labels) | nindent 4 }}
  {{- /* Named, so that kubectl does not tell of the other containers each time it takes this one. */}}
  {{- $main := dict "kubectl.kubernetes.io/default-container" .container.name }}
  annotations:
    {{- toYaml (merge (dict) (get $metadata "annotations" | default dict) $pod.annotations (.annotations | default dict) $root.Values.commonAnnotations $main) | nindent 4 }}
spec:
  serviceAccountName: {{ include "trading-fanout.serviceAccount" (dict "root" $root "role" .account) }}
  automountServiceAccountToken: {{ .apiAccess | default false }}
  # A Service called prefect-server would set PREFECT_SERVER_PORT to tcp://..., which Prefect reads.
  enableServiceLinks: false
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with .activeDeadline }}
  activeDeadlineSeconds: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .gracePeriod | default 30 }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $pod.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{- toYaml (hasKey . "labelSelector" | ternary . (merge (dict "labelSelector" (dict "matchLabels" $selector)) .)) | nindent 6 }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- toYaml $pod.securityContext | nindent 4 }}
  {{- with .initContainers }}
  initContainers:
    {{- range . }}
    - {{- include "trading-fanout.container" (dict "root" $root "pod" $pod "resources" $.settings.resources "container" .) | nindent 6 }}
    {{- end }}
  {{- end }}
  containers:
    - {{- include "trading-fanout.container" (dict "root" $root "pod" $pod "resources" .settings.resources "container" .container) | nindent 6 }}
  volumes:
    # The only place of the container's own file system that can be written.
    - name: tmp
      emptyDir:
        sizeLimit: {{ dig "limits" "ephemeral-storage" "1Gi" .settings.resources }}
    {{- with concat (.volumes | default list) $pod.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* One container of it. Input: root, pod (its settings), resources, container. */}}
{{- define "trading-fanout.container" -}}
{{- $container := omit .container "image" "env" "envFrom" "volumeMounts" -}}
{{- toYaml $container }}
image: {{ .container.image | default (include "trading-fanout.image" .root) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: ["ALL"]
  seccompProfile:
    type: RuntimeDefault
resources:
  {{- toYaml .resources | nindent 2 }}
{{- with concat (.container.env | default list) .pod.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat (.container.envFrom | default list) .pod.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- with concat (.container.volumeMounts | default list) .pod.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
