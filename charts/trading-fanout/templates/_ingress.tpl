{{/* An Ingress to a component's Service. Input: root, component, ingress (its values). */}}
{{- define "trading-fanout.ingress" -}}
{{- $ingress := .ingress -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "trading-fanout.metadata" (dict "root" .root "component" .component "suffix" .component "annotations" $ingress.annotations) | nindent 2 }}
spec:
  {{- with $ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $ingress.tlsSecret }}
  tls:
    - hosts: [{{ $ingress.host | quote }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ $ingress.host | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ include "trading-fanout.fullname" .root }}-{{ .component }}
                port:
                  name: http
{{- end }}
