{{/* The TLS configuration of a scrape: the given one, else the CA of cert-manager. */}}
{{- define "tee.tlsConfig" -}}
{{- if .monitor.tlsConfig -}}
{{- toYaml .monitor.tlsConfig -}}
{{- else if .root.Values.web.tls.certManager.enabled -}}
ca: {secret: {name: {{ include "tee.tlsSecret" .root | quote }}, key: ca.crt}}
serverName: {{ printf "%s.%s.svc" (include "tee.fullname" .root) (include "tee.namespace" .root) | quote }}
{{- end -}}
{{- end -}}

{{/* The fields of an endpoint that all kinds of monitors share: (dict "root" $ "monitor" VALUES). */}}
{{- define "tee.endpoint" -}}
port: http-metrics
path: {{ .root.Values.web.telemetryPath | quote }}
scheme: {{ .monitor.scheme | default (include "tee.scheme" .root) }}
{{- with .monitor.interval }}
interval: {{ . | quote }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . | quote }}
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
namespaceSelector: {matchNames: [{{ include "tee.namespace" .root | quote }}]}
selector:
  matchLabels:
    {{- .labels | nindent 4 }}
{{- end -}}
