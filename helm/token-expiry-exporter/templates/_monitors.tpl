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
{{- with .monitor.authorization }}
authorization:
  {{- toYaml (merge (dict) . (dict "type" "Bearer")) | nindent 2 }}
{{- end }}
{{- with .monitor.proxyUrl }}
{{ $.proxyKey | default "proxyUrl" }}: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The fields of a monitor in addition to its endpoints: (dict "monitor" VALUES). */}}
{{- define "tee.monitorLimits" -}}
{{- range $key := list "jobLabel" "targetLabels" "podTargetLabels" }}
{{- with get $.monitor $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- if int64 .monitor.sampleLimit }}
sampleLimit: {{ int64 .monitor.sampleLimit }}
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

{{/* A label of Kubernetes as Prometheus writes it. */}}
{{- define "tee.labelName" -}}
{{- regexReplaceAll "[^a-zA-Z0-9_]" . "_" -}}
{{- end -}}
