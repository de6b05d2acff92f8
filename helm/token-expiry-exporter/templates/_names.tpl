{{/* The chart's name, or its alias in a parent chart, which may have capitals. */}}
{{- define "tee.name" -}}
{{- default (.Chart.Name | kebabcase | regexFind "[a-z].*") .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters: a StatefulSet appends a number to pod names and a hash to their label. A release may have dots and begin
with a digit; a Service may not. */}}
{{- define "tee.fullname" -}}
{{- $name := include "tee.name" . -}}
{{- $release := replace "." "-" .Release.Name -}}
{{- $full := ternary $release (printf "%s-%s" $release $name) (contains $name $release) -}}
{{- if regexMatch "^[0-9]" $full }}{{ $full = printf "%s-%s" $name $release }}{{ end -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "tee.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "tee.selector" -}}
app.kubernetes.io/name: {{ include "tee.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Selects the exporter pods, not the pod of `helm test`. */}}
{{- define "tee.podSelector" -}}
{{ include "tee.selector" . }}
app.kubernetes.io/component: exporter
{{- end -}}

{{- define "tee.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{ include "tee.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end -}}

{{/* The labels of an object: (dict "root" $ "own" MAP). Merged, so that no key is duplicated; those that select always win. */}}
{{- define "tee.allLabels" -}}
{{- toYaml (merge (include "tee.selector" .root | fromYaml) (.own | default dict) .root.Values.commonLabels (include "tee.labels" .root | fromYaml)) -}}
{{- end -}}

{{/* Metadata: (dict "root" $ "name" NAME "namespace" NAMESPACE "labels" MAP "annotations" MAP); all but root are optional. */}}
{{- define "tee.metadata" -}}
name: {{ .name | default (include "tee.fullname" .root) | quote }}
namespace: {{ .namespace | default (include "tee.namespace" .root) | quote }}
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

{{/* With global.imageRegistry in place of the registry, if it is set. */}}
{{- define "tee.image" -}}
{{- with .Values.image -}}
{{- $repository := .repository -}}
{{- with ($.Values.global | default dict).imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") -}}
{{- end -}}
{{- if .digest }}{{ $repository }}@{{ .digest }}{{ else }}{{ $repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "tee.pullSecrets" -}}
{{- $secrets := list -}}
{{- range concat (($.Values.global | default dict).imagePullSecrets | default list) .Values.image.pullSecrets -}}
{{- $secrets = append $secrets (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- with $secrets | uniq }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* The Secret with the serving certificate; empty for plain HTTP. */}}
{{- define "tee.tlsSecret" -}}
{{- .Values.web.tls.secretName | default (ternary (printf "%s-tls" (include "tee.fullname" .)) "" .Values.web.tls.certManager.enabled) -}}
{{- end -}}

{{/* https if the chart configures TLS; TLS in web.existingSecret is not known here. */}}
{{- define "tee.scheme" -}}
{{- ternary "https" "http" (or (ne (include "tee.tlsSecret" .) "") (hasKey .Values.web.config "tls_server_config")) -}}
{{- end -}}
