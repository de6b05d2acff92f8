{{/* The sources that read Secrets of this cluster, as JSON: {"used": BOOL, "namespaces": LIST, "everywhere": SOURCE, "values": BOOL}.
"everywhere" is a source that reads all namespaces, and "values" is true if it does so for locations. A source that names another cluster,
with the URL of its API server, needs no permission here. */}}
{{- define "tee.secretReaders" -}}
{{- $found := dict "used" false "namespaces" list "everywhere" "" "values" false -}}
{{- range $source := .Values.config.sources -}}
{{- $host := regexReplaceAll "^[^:]+://([^:/]*).*$" (toString ($source.url | default "https://kubernetes.default.svc")) "${1}" -}}
{{- if and (eq (toString $source.provider) "kubernetes") (or (not $source.cluster) (include "tee.isOwnApiServer" $host)) -}}
{{- $_ := set $found "used" true -}}
{{- if $source.namespaces -}}
{{- $_ := set $found "namespaces" (concat $found.namespaces $source.namespaces | uniq) -}}
{{- else -}}
{{- $_ := set $found "everywhere" (toString $source.name) -}}
{{- if and (kindIs "slice" $source.listings) (has "use" ($source.listings | default list)) }}{{ $_ := set $found "values" true }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The permission to list Secrets, as JSON: {"granted": BOOL, "namespaces": LIST}; no namespace means the whole cluster. */}}
{{- define "tee.secretAccess" -}}
{{- $readers := include "tee.secretReaders" . | fromJson -}}
{{- $create := toString .Values.rbac.create -}}
{{- $granted := or .Values.rbac.readSecrets (eq $create "true") (and (eq $create "auto") $readers.used) -}}
{{- $namespaces := .Values.rbac.namespaces -}}
{{- if and (not $namespaces) (not $readers.everywhere) }}{{ $namespaces = $readers.namespaces }}{{ end -}}
{{- if eq .Values.rbac.readSecrets "cluster" }}{{ $namespaces = list }}{{ end -}}
{{- toJson (dict "granted" (ternary true false (not (empty $granted))) "namespaces" ($namespaces | default list | uniq)) -}}
{{- end -}}

{{/* Errors in the values of `rbac`, as a JSON list. */}}
{{- define "tee.rbacErrors" -}}
{{- $errors := list -}}
{{- $readers := include "tee.secretReaders" . | fromJson -}}
{{- with .Values.rbac -}}
{{- if and .readSecrets (eq (toString .create) "false") -}}
{{- $errors = append $errors "rbac: create is false, so readSecrets has no effect; remove one" -}}
{{- end -}}
{{- if and (eq .readSecrets "cluster") .namespaces -}}
{{- $errors = append $errors "rbac: readSecrets is cluster, so namespaces has no effect; remove it, or set readSecrets to namespaces" -}}
{{- end -}}
{{- if eq .readSecrets "namespaces" -}}
{{- if and (not .namespaces) $readers.everywhere -}}
{{- $errors = append $errors (printf "rbac.readSecrets: the source %s reads Secrets of every namespace; set its namespaces, or rbac.namespaces, or readSecrets to cluster" $readers.everywhere) -}}
{{- else if not (or .namespaces $readers.namespaces) -}}
{{- $errors = append $errors "rbac.namespaces: empty; add the namespaces whose Secrets the exporter may read" -}}
{{- end -}}
{{- end -}}
{{- if and $readers.values (eq (toString .create) "auto") (not .readSecrets) (not .namespaces) -}}
{{- $errors = append $errors (printf "rbac.readSecrets: the source %s searches the values of all Secrets of the cluster; set its namespaces, or readSecrets to cluster to permit that, or rbac.create to false if you permit it yourself" $readers.everywhere) -}}
{{- end -}}
{{- end -}}
{{- toJson $errors -}}
{{- end -}}
