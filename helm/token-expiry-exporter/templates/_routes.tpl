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
  {{- include "tee.matchers" $matchers | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A text that calls a template, with the definitions of the file under alerts/templates where that stands, so that Alertmanager
needs no file: (dict "root" $ "text" TEXT "short" BOOL). What stands outside of definitions is taken away, since a subject is one
line; for a short text those that take more than a line too. */}}
{{- define "tee.words" -}}
{{- $name := regexFind "template \"[^\"]+\"" .text | replace "template " "define " -}}
{{- range $path, $_ := .root.Files.Glob "files/templates/*.tmpl" -}}
{{- $words := regexReplaceAll "\\{\\{/\\*[^*]*\\*/\\}\\}" ($.root.Files.Get $path) "" -}}
{{- if and $name (contains $name $words) -}}
{{- if $.short }}{{ $words = regexFindAll "(?m)^\\{\\{ define .*\\{\\{ end \\}\\}$" $words -1 | join "" }}{{ end -}}
{{- regexReplaceAll "\\}\\}\\s*\\n\\s*\\{\\{(-?) define" $words "}}{{${1} define" | trim -}}
{{- end -}}
{{- end -}}
{{- .text -}}
{{- end -}}

{{/* A receiver, with the words of alerts/alertmanager.yaml where it has none of its own:
(dict "root" $ "name" NAME "given" VALUES "model" RECEIVER). */}}
{{- define "tee.receiver" -}}
{{- $receiver := deepCopy .given -}}
{{- $keys := dict "send_resolved" "sendResolved" "html" "html" "text" "text" "title" "title" "title_link" "titleLink" "to" "to" -}}
{{- range $theirs, $ours := dict "email_configs" "emailConfigs" "slack_configs" "slackConfigs" -}}
{{- $model := get $.model $theirs | default list | first | default dict -}}
{{- range $config := get $receiver $ours | default list -}}
{{- range $key, $ourKey := $keys -}}
{{- $value := get $model $key -}}
{{/* An address that is written out there is an example. */}}
{{- if and (hasKey $model $key) (not (hasKey $config $ourKey)) (or (ne $key "to") (contains "{{" (toString $value))) -}}
{{- if kindIs "string" $value }}{{ $value = include "tee.words" (dict "root" $.root "text" $value "short" (eq $key "title")) }}{{ end -}}
{{- $_ := set $config $ourKey $value -}}
{{- end -}}
{{- end -}}
{{- if and $model.headers (not $config.headers) -}}
{{- $headers := list -}}
{{- range $key, $value := $model.headers -}}
{{- $headers = append $headers (dict "key" $key "value" (include "tee.words" (dict "root" $.root "text" $value "short" true))) -}}
{{- end -}}
{{- $_ := set $config "headers" $headers -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge (dict "name" .name) $receiver) -}}
{{- end -}}
