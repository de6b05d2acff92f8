{{/* Rules and dashboards that are restricted to this release. */}}

{{/* The job that the enabled monitor gives to the series; empty if it is unknown. */}}
{{- define "tee.job" -}}
{{- $name := include "tee.fullname" . -}}
{{- $qualified := printf "%s/%s" (include "tee.namespace" .) $name -}}
{{- if .Values.scope.job -}}
{{- .Values.scope.job -}}
{{- else if (get .Values (include "tee.monitor" .) | default dict).jobLabel -}}
{{- else if or .Values.serviceMonitor.enabled .Values.vmServiceScrape.enabled .Values.podMonitoring.enabled -}}
{{- $name -}}
{{- else if .Values.podMonitor.enabled -}}
{{- printf "%s/%s" (.Values.podMonitor.namespace | default (include "tee.namespace" .)) $name -}}
{{- else if .Values.scrapeConfig.enabled -}}
{{- $qualified -}}
{{- end -}}
{{- end -}}

{{/* The kind of monitor that is enabled. */}}
{{- define "tee.monitor" -}}
{{- range list "serviceMonitor" "podMonitor" "vmServiceScrape" "scrapeConfig" "podMonitoring" -}}
{{- if (get $.Values .).enabled }}{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Matchers of the series of this release. */}}
{{- define "tee.scope" -}}
namespace={{ .Values.scope.namespace | default (include "tee.namespace" .) | quote }}, job={{ include "tee.job" . | quote }}
{{- end -}}

{{/* Adds matchers to every selector of an expression: (dict "text" EXPRESSION "matchers" MATCHERS). Names of metrics and of labels
differ, so a name is enough to find a selector. */}}
{{- define "tee.scoped" -}}
{{- $metric := "up|process_[a-z_]+|token_(?:info|finding|location_info|renewal_info|renewal_info|(?:expiry|due|created|last_used|source)_[a-z_]+)" -}}
{{- $text := regexReplaceAll (printf "\\b(%s)\\{" $metric) .text (printf "${1}{%s, " .matchers) -}}
{{- regexReplaceAll (printf "\\b(%s)([^a-z_{=!]|$)" $metric) $text (printf "${1}{%s}${2}" .matchers) -}}
{{- end -}}

{{/* Restricts a dashboard in place, and removes links to dashboards that are switched off:
(dict "root" $ "node" VALUE "gone" LIST-OF-NAMES). */}}
{{- define "tee.restrict" -}}
{{- $given := . -}}
{{- if kindIs "slice" .node -}}
{{- range .node }}{{ include "tee.restrict" (dict "root" $given.root "node" . "gone" $given.gone) }}{{ end -}}
{{- else if kindIs "map" .node -}}
{{- range $key, $value := .node -}}
{{- if and (kindIs "string" $value) $given.root.Values.scope.dashboards -}}
{{- if has $key (list "expr" "query" "definition") -}}
{{- $matchers := include "tee.scope" $given.root -}}
{{- $_ := set $given.node $key (include "tee.scoped" (dict "text" $value "matchers" $matchers)) -}}
{{- else if eq $key "url" -}}
{{- $_ := set $given.node $key (regexReplaceAll "^/d/(token-expiry-[a-z]+)" $value (printf "/d/${1}-%s" (include "tee.scopeId" $given.root))) -}}
{{- end -}}
{{- else if and (kindIs "slice" $value) (or (eq $key "links") (eq (printf "%s %v" $key $given.node.id) "value links")) -}}
{{- $links := list -}}
{{- range $link := $value -}}
{{- $target := regexFind "^/d/token-expiry-[a-z]+" (toString $link.url) | trimPrefix "/d/token-expiry-" -}}
{{- if not (has $target $given.gone) -}}
{{- include "tee.restrict" (dict "root" $given.root "node" $link "gone" $given.gone) -}}
{{- $links = append $links $link -}}
{{- end -}}
{{- end -}}
{{- $_ := set $given.node $key $links -}}
{{- else -}}
{{- include "tee.restrict" (dict "root" $given.root "node" $value "gone" $given.gone) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Part of the uid of a restricted dashboard, which has at most 40 characters. */}}
{{- define "tee.scopeId" -}}
{{- printf "%s/%s" (include "tee.namespace" .) (include "tee.fullname" .) | sha256sum | trunc 10 -}}
{{- end -}}

{{/* The text of a dashboard: (dict "root" $ "path" PATH). */}}
{{- define "tee.dashboard" -}}
{{- $text := include "tee.file" . -}}
{{- $gone := list -}}
{{- range list "tokens" "inventory" "exporter" }}{{ if not (get $.root.Values.dashboards .) }}{{ $gone = append $gone . }}{{ end }}{{ end -}}
{{- if or $gone .root.Values.scope.dashboards -}}
{{- $dashboard := fromJson $text -}}
{{- include "tee.restrict" (dict "root" .root "node" $dashboard "gone" $gone) -}}
{{- if .root.Values.scope.dashboards -}}
{{- $_ := set $dashboard "uid" (printf "%s-%s" $dashboard.uid (include "tee.scopeId" .root)) -}}
{{- $_ := set $dashboard "title" (printf "%s (%s/%s)" $dashboard.title (include "tee.namespace" .root) (include "tee.fullname" .root)) -}}
{{- end -}}
{{- $text = toPrettyJson $dashboard -}}
{{- end -}}
{{- $text -}}
{{- end -}}
