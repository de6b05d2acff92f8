{{/* The rules of files/token-expiry.rules.yaml, a copy of alerts/token-expiry.rules.yaml, with the overrides of the values. */}}
{{- define "tee.rules" -}}
{{- $values := .Values.prometheusRule -}}
{{- $thresholds := include "tee.thresholds" . | fromYaml -}}
{{- $text := include "tee.file" (dict "root" . "path" "files/token-expiry.rules.yaml") -}}
{{- with $values.runbookUrl }}{{ $text = replace "https://runbooks.example.com/" (printf "%s/" (trimSuffix "/" .)) $text }}{{ end -}}
{{- with $values.grafanaUrl }}{{ $text = replace "https://grafana.example.com/" (printf "%s/" (trimSuffix "/" .)) $text }}{{ end -}}
{{- $scope := include "tee.scope" . -}}
{{/* The result of absent(), or of an expression of the values, may have no label, and the operator routes only alerts with the namespace
of the AlertmanagerConfig. */}}
{{- $namespaceLabel := "" -}}
{{- if .Values.alertmanagerConfig.enabled -}}
{{- $namespaceLabel = printf "{{ or $labels.namespace %q }}" (.Values.alertmanagerConfig.namespace | default (include "tee.namespace" .)) -}}
{{- end -}}
{{- $groups := list -}}
{{- range $group := (fromYaml $text).groups -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- $change := get $values.alerts $rule.alert | default dict -}}
{{- if ne (toString $change.enabled) "false" -}}
{{- if not $values.runbookUrl }}{{ $_ := unset $rule.annotations "runbook_url" }}{{ end -}}
{{- if not $values.grafanaUrl }}{{ $_ := unset $rule.annotations "dashboard_url" }}{{ end -}}
{{- with get $thresholds $rule.alert -}}
{{- if hasKey $change "threshold" -}}
{{- $_ := set $rule "expr" (replace . (regexReplaceAll "[0-9.]+" . (toString $change.threshold)) $rule.expr) -}}
{{- $description := get $rule.annotations "description" -}}
{{- $_ := set $rule.annotations "description" (replace "less than half of yesterday's" (printf "less than %v of yesterday's" $change.threshold) $description) -}}
{{- end -}}
{{- end -}}
{{- if $.Values.scope.rules }}{{ $_ := set $rule "expr" (include "tee.scoped" (dict "text" $rule.expr "matchers" $scope)) }}{{ end -}}
{{- with $change.expr }}{{ $_ := set $rule "expr" . }}{{ end -}}
{{- with $change.severity }}{{ $_ := set $rule.labels "severity" . }}{{ end -}}
{{- with $change.for }}{{ $_ := set $rule "for" . }}{{ end -}}
{{- with $change.keepFiringFor }}{{ $_ := set $rule "keep_firing_for" . }}{{ end -}}
{{- if and $namespaceLabel (or $change.expr (contains "absent(" $rule.expr)) }}{{ $_ := set $rule.labels "namespace" $namespaceLabel }}{{ end -}}
{{- if $.Values.scope.dashboards -}}
{{- with get $rule.annotations "dashboard_url" -}}
{{- $_ := set $rule.annotations "dashboard_url" (regexReplaceAll "/d/(token-expiry-[a-z]+)" . (printf "/d/${1}-%s" (include "tee.scopeId" $))) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $rule "labels" (merge (dict) ($change.labels | default dict) $values.additionalLabels $rule.labels) -}}
{{- $_ := set $rule "annotations" (merge (dict) ($change.annotations | default dict) $rule.annotations) -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules }}{{ $groups = append $groups (set $group "rules" $rules) }}{{ end -}}
{{- end -}}
{{- range $group := deepCopy $values.extraGroups -}}
{{- range $rule := $group.rules -}}
{{- if and $namespaceLabel $rule.alert }}{{ $_ := set $rule "labels" (merge (dict) ($rule.labels | default dict) (dict "namespace" $namespaceLabel)) }}{{ end -}}
{{- end -}}
{{- $groups = append $groups $group -}}
{{- end -}}
{{- toYaml (dict "groups" $groups) -}}
{{- end -}}

{{/* All alert names, in order. */}}
{{- define "tee.alertNames" -}}
{{- $names := list -}}
{{- range (include "tee.file" (dict "root" . "path" "files/token-expiry.rules.yaml") | fromYaml).groups -}}
{{- range .rules }}{{ $names = append $names .alert }}{{ end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{/* Whether an object with rules is created, of either operator. */}}
{{- define "tee.hasRules" -}}
{{- if or .Values.prometheusRule.enabled .Values.vmRule.enabled }}true{{ end -}}
{{- end -}}

{{/* The comparison of each alert whose threshold can be set, as in its expression. */}}
{{- define "tee.thresholds" -}}
TokenExporterStorageFailing: "> 0"
TokenSourceDataOmitted: "> 0"
TokenSourceIncomplete: "> 0"
TokenSourceRateLimited: "< 0.1"
TokenSourceRowsUnreadable: "> 0"
TokenSourceShrank: "< 0.5"
TokenSourceStale: "> 3"
TokenSourceTokensDropped: "> 0"
{{- end -}}
