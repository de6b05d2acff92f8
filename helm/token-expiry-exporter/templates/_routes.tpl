{{/* alerts/alertmanager.yaml, of which files/ holds a copy, in the words of an AlertmanagerConfig. */}}

{{/* `alertname=~"Token.+"` as {name, matchType, value}. */}}
{{- define "tee.matchers" -}}
{{- range . }}
- name: {{ regexReplaceAll "^([a-zA-Z_]+).*$" . "${1}" }}
  matchType: {{ regexReplaceAll "^[a-zA-Z_]+(=~|!~|!=|=).*$" . "${1}" | quote }}
  value: {{ regexReplaceAll "^[a-zA-Z_]+[=!~]+\"(.*)\"$" . "${1}" | quote }}
{{- end }}
{{- end -}}

{{/* One route: (dict "route" ROUTE "receiver" NAME "team" NAME). */}}
{{- define "tee.route" -}}
receiver: {{ .receiver }}
{{- range $theirs, $ours := dict "group_by" "groupBy" "group_wait" "groupWait" "group_interval" "groupInterval" "repeat_interval" "repeatInterval" "active_time_intervals" "activeTimeIntervals" "continue" "continue" }}
{{- if hasKey $.route $theirs }}
{{ $ours }}: {{ get $.route $theirs | toJson }}
{{- end }}
{{- end }}
{{- with .route.matchers }}
matchers:
  {{- $matchers := list }}
  {{- range . }}{{ $matchers = append $matchers (ternary (printf "team=%q" $.team) . (and (ne $.team "") (hasPrefix "team=" .))) }}{{ end }}
  {{- include "tee.matchers" $matchers | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A receiver with the words of alerts/: (dict "root" $ "name" NAME "given" VALUES "model" RECEIVER). Its definitions stand in
each text, so that Alertmanager needs no file. What is written in them outside of definitions is taken away: a subject is one line. */}}
{{- define "tee.receiver" -}}
{{- $words := "" -}}
{{- range $path, $_ := .root.Files.Glob "files/templates/*.tmpl" }}{{ $words = print $words ($.root.Files.Get $path) }}{{ end -}}
{{- $words = regexReplaceAll "\\{\\{/\\*[^*]*\\*/\\}\\}" $words "" -}}
{{- $words = regexReplaceAll "\\}\\}\\s*\\n\\s*\\{\\{(-?) define" $words "}}{{${1} define" | trim -}}
{{- $receiver := deepCopy .given -}}
{{- $models := dict "emailConfigs" .model.email_configs "slackConfigs" .model.slack_configs -}}
{{- $keys := dict "send_resolved" "sendResolved" "html" "html" "text" "text" "title" "title" "title_link" "titleLink" "to" "to" -}}
{{- range $kind, $modelled := $models -}}
{{- if and $modelled (hasKey $receiver $kind) -}}
{{- $model := first $modelled -}}
{{- range $config := get $receiver $kind -}}
{{- range $theirs, $ours := $keys -}}
{{- $value := get $model $theirs -}}
{{/* An address that is written out there is an example. */}}
{{- if and (hasKey $model $theirs) (not (hasKey $config $ours)) (or (ne $theirs "to") (contains "{{" (toString $value))) -}}
{{- if contains "{{ template" (toString $value) }}{{ $value = print $words $value }}{{ end -}}
{{- $_ := set $config $ours $value -}}
{{- end -}}
{{- end -}}
{{- if and $model.headers (not $config.headers) -}}
{{- $headers := list -}}
{{- range $key, $value := $model.headers }}{{ $headers = append $headers (dict "key" $key "value" (print $words $value)) }}{{ end -}}
{{- $_ := set $config "headers" $headers -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge (dict "name" .name) $receiver) -}}
{{- end -}}
