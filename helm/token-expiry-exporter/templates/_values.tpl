{{/* Sets the default of every key that is missing or null, and reads a configuration that is given as text. Every template begins with
it: helm removes a key that is set to null, also if it has a default. */}}
{{- define "tee.defaults" -}}
{{- if not (hasKey .Values "configText") -}}
{{- range $path, $default := include "tee.file" (dict "root" . "path" "files/defaults.yaml") | fromYaml -}}
{{- $keys := splitList "." $path -}}
{{- $map := $.Values -}}
{{- range initial $keys -}}
{{- if not (kindIs "map" (get $map .)) }}{{ $_ := set $map . dict }}{{ end -}}
{{- $map = get $map . -}}
{{- end -}}
{{- $value := get $map (last $keys) -}}
{{- if or (not (hasKey $map (last $keys))) (kindIs "invalid" $value) }}{{ $_ := set $map (last $keys) $default }}{{ end -}}
{{- end -}}
{{- include "tee.dropNulls" (dict "map" .Values "keep" (list "config" "definitions" "global")) -}}
{{- include "tee.dropNulls" (dict "map" .Values.definitions "keep" (keys .Values.definitions)) -}}
{{- $_ := set .Values "configText" "" -}}
{{- if kindIs "string" .Values.config -}}
{{- $_ := set .Values "configText" .Values.config -}}
{{- $_ := set .Values "config" (fromYaml .Values.configText) -}}
{{- if hasKey .Values.config "Error" }}{{ fail (printf "\n\n- config: not a map in YAML: %s" .Values.config.Error) }}{{ end -}}
{{- $sources := .Values.config.sources | default list -}}
{{- if not (kindIs "slice" $sources) }}{{ fail "\n\n- config.sources: not a list" }}{{ end -}}
{{- range $sources -}}
{{- if not (kindIs "map" .) }}{{ fail "\n\n- config.sources: not a list of maps" }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Removes keys that are null from a map, also inside of it, except in the keys to keep as they are:
(dict "map" MAP "keep" LIST-OF-KEYS). A key without a default in the chart reaches the templates, such as a label that another file of
values has set. */}}
{{- define "tee.dropNulls" -}}
{{- $given := . -}}
{{- range $key, $value := .map -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $given.map $key -}}
{{- else if and (kindIs "map" $value) (not (has $key $given.keep)) -}}
{{- include "tee.dropNulls" (dict "map" $value "keep" list) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A file of the chart: (dict "root" $ "path" PATH). Without the carriage returns of a checkout on Windows. */}}
{{- define "tee.file" -}}
{{- .root.Files.Get .path | replace "\r" "" -}}
{{- end -}}

{{/* A duration of Prometheus or Go in seconds. */}}
{{- define "tee.seconds" -}}
{{- $units := dict "ms" 0.001 "s" 1 "m" 60 "h" 3600 "d" 86400 "w" 604800 "y" 31536000 -}}
{{- $seconds := 0.0 -}}
{{- range regexFindAll "[0-9]+[a-z]+" . -1 -}}
{{- $seconds = addf $seconds (mulf (regexFind "[0-9]+" . | float64) (get $units (regexFind "[a-z]+" .))) -}}
{{- end -}}
{{- $seconds -}}
{{- end -}}


{{/* A quantity of Kubernetes, such as 64Mi or 10m, as a number. */}}
{{- define "tee.quantity" -}}
{{- $units := dict "" 1.0 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- $suffix := regexFind "([KMGTPE]i|[kMGTPEmun])$" (toString .) -}}
{{- mulf (trimSuffix $suffix (toString .) | float64) (get $units $suffix) -}}
{{- end -}}
