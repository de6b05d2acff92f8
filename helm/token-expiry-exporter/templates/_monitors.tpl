{{/* The TLS configuration of a scrape: the given one, else the CA of cert-manager. */}}
{{- define "tee.tlsConfig" -}}
{{- if .monitor.tlsConfig -}}
{{- toYaml .monitor.tlsConfig -}}
{{- else if .root.Values.web.tls.certManager.enabled -}}
ca: {secret: {name: {{ include "tee.tlsSecret" .root }}, key: ca.crt}}
serverName: {{ include "tee.fullname" .root }}.{{ .root.Release.Namespace }}.svc
{{- end -}}
{{- end -}}

{{/* The fields of an endpoint that all kinds of monitors share: (dict "root" $ "monitor" VALUES). */}}
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
