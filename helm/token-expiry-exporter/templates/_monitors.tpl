{{/* How the client trusts what cert-manager has issued; what is given goes before. */}}
{{- define "tee.tlsConfig" -}}
{{- if .monitor.tlsConfig -}}
{{- toYaml .monitor.tlsConfig -}}
{{- else if .root.Values.web.tls.certManager.enabled -}}
ca: {secret: {name: {{ include "tee.tlsSecret" .root }}, key: ca.crt}}
serverName: {{ include "tee.fullname" .root }}.{{ .root.Release.Namespace }}.svc
{{- end -}}
{{- end -}}

{{/* What an endpoint has in every kind of monitor: (dict "root" $ "monitor" VALUES). */}}
{{- define "tee.endpoint" -}}
port: http-metrics
path: {{ .root.Values.web.telemetryPath }}
scheme: {{ include "tee.scheme" .root }}
{{- with .monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
honorLabels: {{ .monitor.honorLabels }}
{{- with include "tee.tlsConfig" . }}
tlsConfig:
  {{- . | nindent 2 }}
{{- end }}
{{- with .monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tee.monitorMetadata" -}}
{{- include "tee.metadata" (dict "root" .root "namespace" .monitor.namespace "labels" .monitor.labels "annotations" .monitor.annotations) -}}
{{- end -}}

{{/* (dict "root" $ "labels" LABELS) */}}
{{- define "tee.monitorSelector" -}}
namespaceSelector: {matchNames: [{{ .root.Release.Namespace }}]}
selector:
  matchLabels:
    {{- .labels | nindent 4 }}
{{- end -}}
