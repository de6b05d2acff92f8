{{/* Converts files/alertmanager.yaml, a copy of alerts/alertmanager.yaml, to an AlertmanagerConfig. */}}

{{/* Matchers: `alertname=~"Token.+"` becomes {name, matchType, value}. */}}
{{- define "tee.matchers" -}}
{{- range . }}
- name: {{ regexReplaceAll "^([a-zA-Z_]+).*$" . "${1}" }}
  matchType: {{ regexReplaceAll "^[a-zA-Z_]+(=~|!~|!=|=).*$" . "${1}" | quote }}
  value: {{ regexReplaceAll "^[a-zA-Z_]+[=!~]+\"(.*)\"$" . "${1}" | quote }}
{{- end }}
{{- end -}}

{{/* One route: (dict "route" ROUTE "receiver" NAME "team" NAME). */}}
{{- define "tee.route" -}}
receiver: {{ .receiver | quote }}
{{- range $theirs, $ours := dict "group_by" "groupBy" "group_wait" "groupWait" "group_interval" "groupInterval" "repeat_interval" "repeatInterval" "active_time_intervals" "activeTimeIntervals" "continue" "continue" }}
{{- if hasKey $.route $theirs }}
{{ $ours }}: {{ get $.route $theirs | toJson }}
{{- end }}
{{- end }}
{{- with .route.matchers }}
matchers:
  {{- $matchers := list }}
  {{- range . }}{{ $matchers = append $matchers (ternary (printf "team=%q" $.team) . (and (ne $.team "") (hasPrefix "team=" .))) }}{{ end }}
  {{- include "tee.matchers" $matchers | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Prepends the definitions of the template that a text calls, so that Alertmanager needs no template file:
(dict "root" $ "text" TEXT "short" BOOL). Text between definitions is removed, since a subject must be one line; for a short
text, definitions of several lines are removed too. */}}
{{- define "tee.inlineTemplates" -}}
{{- $text := replace "\r" "" .text -}}
{{- $name := regexFind "template \"[^\"]+\"" $text | replace "template " "define " -}}
{{- range $path, $_ := .root.Files.Glob "files/templates/*.tmpl" -}}
{{- $definitions := regexReplaceAll "\\{\\{/\\*[^*]*\\*/\\}\\}" (include "tee.file" (dict "root" $.root "path" $path)) "" -}}
{{- if and $name (contains $name $definitions) -}}
{{- if $.short }}{{ $definitions = regexFindAll "(?m)^\\{\\{ define .*\\{\\{ end \\}\\}$" $definitions -1 | join "" }}{{ end -}}
{{- regexReplaceAll "\\}\\}\\s*\\n\\s*\\{\\{(-?) define" $definitions "}}{{${1} define" | trim -}}
{{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{/* A receiver; missing subjects and texts come from alerts/alertmanager.yaml:
(dict "root" $ "name" NAME "given" VALUES "model" RECEIVER). */}}
{{- define "tee.receiver" -}}
{{- $receiver := deepCopy .given -}}
{{- $keys := dict "send_resolved" "sendResolved" "html" "html" "text" "text" "title" "title" "title_link" "titleLink" "to" "to" -}}
{{- range $theirs, $ours := dict "email_configs" "emailConfigs" "slack_configs" "slackConfigs" -}}
{{- $model := get $.model $theirs | default list | first | default dict -}}
{{- range $config := get $receiver $ours | default list -}}
{{- range $key, $ourKey := $keys -}}
{{- $value := get $model $key -}}
{{/* A literal address in alerts/alertmanager.yaml is an example and is not copied. */}}
{{- if and (hasKey $model $key) (not (hasKey $config $ourKey)) (or (ne $key "to") (contains "{{" (toString $value))) -}}
{{- if kindIs "string" $value }}{{ $value = include "tee.inlineTemplates" (dict "root" $.root "text" $value "short" (eq $key "title")) }}{{ end -}}
{{- $_ := set $config $ourKey $value -}}
{{- end -}}
{{- end -}}
{{- if and $model.headers (not $config.headers) -}}
{{- $headers := list -}}
{{- range $key, $value := $model.headers -}}
{{- $headers = append $headers (dict "key" $key "value" (include "tee.inlineTemplates" (dict "root" $.root "text" $value "short" true))) -}}
{{- end -}}
{{- $_ := set $config "headers" $headers -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge (dict "name" .name) $receiver) -}}
{{- end -}}
