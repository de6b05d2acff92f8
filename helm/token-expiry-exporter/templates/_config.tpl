{{/* The configuration as it is mounted: `config`, with the leads that are set beside the alerts. */}}
{{- define "tee.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $leads := dict -}}
{{- range $alert, $band := dict "TokenExpiryWarning" "warning" "TokenExpiryCritical" "critical" -}}
{{- with (get $.Values.prometheusRule.alerts $alert | default dict).lead -}}
{{- $_ := set $leads $band . -}}
{{- end -}}
{{- end -}}
{{- if $leads -}}
{{- $_ := set $config "alert_lead" (merge $leads (get $config "alert_lead" | default dict)) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "tee.configMap" -}}
{{- .Values.existingConfigMap | default (include "tee.fullname" .) -}}
{{- end -}}

{{/* Each definition as text, by file name. */}}
{{- define "tee.definitions" -}}
{{- $texts := dict -}}
{{- range $name, $definition := .Values.definitions -}}
{{- $_ := set $texts $name (ternary $definition (toYaml $definition) (kindIs "string" $definition)) -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{/* What the exporter asks: a JSON list of {host, port}, from the sources' addresses, their proxies, and, where a source
names none, the addresses that its provider has by default (files/hosts.yaml, written by `make golden`, and `definitions`). */}}
{{- define "tee.hosts" -}}
{{- $known := .Files.Get "files/hosts.yaml" | fromYaml -}}
{{- range $text := include "tee.definitions" . | fromYaml -}}
{{- $definition := fromYaml $text -}}
{{- $defaults := dict -}}
{{- range $name, $setting := $definition.settings -}}
{{- if kindIs "map" $setting }}{{ with $setting.default }}{{ $_ := set $defaults $name . }}{{ end }}{{ end -}}
{{- end -}}
{{- $_ := set $known (toString $definition.provider) $defaults -}}
{{- end -}}
{{- $found := dict -}}
{{- range $source := .Values.config.sources -}}
{{- $urls := list -}}
{{- if $source.proxy -}}
{{- $urls = list $source.proxy -}}
{{- else -}}
{{- $settings := merge (dict) $source (get $known (toString $source.provider) | default dict) -}}
{{- range $setting := keys $settings | sortAlpha -}}
{{- $value := get $settings $setting -}}
{{- if and (kindIs "string" $value) (regexMatch "^https?://" (toString $value)) }}{{ $urls = append $urls $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $url := $urls -}}
{{- $authority := regexReplaceAll "^[a-z0-9]+://([^@/]*@)?([^/?#]*).*$" $url "${2}" -}}
{{- $host := regexReplaceAll ":[0-9]+$" $authority "" -}}
{{- $given := trimPrefix ":" (trimPrefix $host $authority) -}}
{{- $usual := ternary 80 (ternary 1080 443 (hasPrefix "socks" $url)) (hasPrefix "http:" $url) -}}
{{- $port := ternary (int $given) $usual (ne $given "") -}}
{{- $host = trimSuffix "]" (trimPrefix "[" $host) -}}
{{- $_ := set $found (printf "%s %d" $host $port) (dict "host" $host "port" $port) -}}
{{- end -}}
{{- end -}}
{{- $hosts := list -}}
{{- range $key := keys $found | sortAlpha }}{{ $hosts = append $hosts (get $found $key) }}{{ end -}}
{{- toJson $hosts -}}
{{- end -}}

{{/* An address as a CIDR; empty for a name. */}}
{{- define "tee.cidr" -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+){3}$" . }}{{ . }}/32{{ else if contains ":" . }}{{ . }}/128{{ end -}}
{{- end -}}

{{/* The web config: what is given, and the certificate. Empty: there is none. */}}
{{- define "tee.web" -}}
{{- $web := deepCopy .Values.web.config -}}
{{- if include "tee.tlsSecret" . -}}
{{- $files := dict "cert_file" "/etc/token-expiry-exporter/tls/tls.crt" "key_file" "/etc/token-expiry-exporter/tls/tls.key" -}}
{{- $_ := set $web "tls_server_config" (merge $files (get $web "tls_server_config" | default dict)) -}}
{{- end -}}
{{- if $web }}{{ toYaml $web }}{{ end -}}
{{- end -}}
