{{- define "tee.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters: a StatefulSet appends a number to pod names and a hash to their label. */}}
{{- define "tee.fullname" -}}
{{- $name := include "tee.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "tee.selector" -}}
app.kubernetes.io/name: {{ include "tee.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Selects the exporter pods, not the pod of `helm test`. */}}
{{- define "tee.podSelector" -}}
{{ include "tee.selector" . }}
app.kubernetes.io/component: exporter
{{- end -}}

{{- define "tee.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "tee.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The labels of an object: (dict "root" $ "own" MAP). Merged, so that no key is duplicated. */}}
{{- define "tee.allLabels" -}}
{{- toYaml (merge (dict) (.own | default dict) .root.Values.commonLabels (include "tee.labels" .root | fromYaml)) -}}
{{- end -}}

{{/* Metadata: (dict "root" $ "name" NAME "namespace" NAMESPACE "labels" MAP "annotations" MAP); all but root are optional. */}}
{{- define "tee.metadata" -}}
name: {{ .name | default (include "tee.fullname" .root) }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- include "tee.allLabels" (dict "root" .root "own" .labels) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tee.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "tee.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "tee.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the serving certificate; empty for plain HTTP. */}}
{{- define "tee.tlsSecret" -}}
{{- .Values.web.tls.secretName | default (ternary (printf "%s-tls" (include "tee.fullname" .)) "" .Values.web.tls.certManager.enabled) -}}
{{- end -}}

{{/* https if the chart configures TLS; TLS in web.existingSecret is not known here. */}}
{{- define "tee.scheme" -}}
{{- ternary "https" "http" (or (ne (include "tee.tlsSecret" .) "") (hasKey .Values.web.config "tls_server_config")) -}}
{{- end -}}
