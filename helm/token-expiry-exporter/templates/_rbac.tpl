{{/* The objects that sources of the provider `kubernetes` list, as a JSON list, with the listings of each. Other listings read Secrets. */}}
{{- define "tee.objects" -}}
{{- toJson (list (dict "resource" "secrets" "group" "" "listing" "") (dict "resource" "certificates" "group" "cert-manager.io" "listing" "certificate") (dict "resource" "externalsecrets" "group" "external-secrets.io" "listing" "external-secret")) -}}
{{- end -}}

{{/* The sources that list an object of this cluster, as JSON: {"used": BOOL, "namespaces": LIST, "everywhere": SOURCE, "values": BOOL}.
"everywhere" is a source that reads all namespaces, and "values" is true if it searches their values. A source that names another cluster,
with the URL of its API server or with a kubeconfig, needs no permission here. Takes {root, listing}. */}}
{{- define "tee.readers" -}}
{{- $found := dict "used" false "namespaces" list "everywhere" "" "values" false -}}
{{- $custom := list "certificate" "external-secret" -}}
{{- range $source := .root.Values.config.sources -}}
{{- $host := regexReplaceAll "^[^:]+://([^:/]*).*$" (toString ($source.url | default "https://kubernetes.default.svc")) "${1}" -}}
{{- $listings := list "secret" -}}
{{- if and $source.listings (kindIs "slice" $source.listings) }}{{ $listings = $source.listings }}{{ end -}}
{{- $reads := has $.listing $listings -}}
{{- if not $.listing -}}
{{- range $listings }}{{ if not (has . $custom) }}{{ $reads = true }}{{ end }}{{ end -}}
{{- end -}}
{{- if and $reads (eq (toString $source.provider) "kubernetes") (not $source.kubeconfig) (or (not $source.cluster) (include "tee.isOwnApiServer" $host)) -}}
{{- $_ := set $found "used" true -}}
{{- if $source.namespaces -}}
{{- $_ := set $found "namespaces" (concat $found.namespaces $source.namespaces | uniq) -}}
{{- else -}}
{{- $_ := set $found "everywhere" (toString $source.name) -}}
{{- if or (has "use" $listings) (has "secret-content" $listings) }}{{ $_ := set $found "values" true }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The permissions to list objects, as a JSON list: {"resource": NAME, "group": NAME, "scopes": LIST of namespaces}, where "" is the whole cluster. */}}
{{- define "tee.access" -}}
{{- $access := list -}}
{{- $rbac := .Values.rbac -}}
{{- $create := toString $rbac.create -}}
{{- range include "tee.objects" . | fromJsonArray -}}
{{- $readers := include "tee.readers" (dict "root" $ "listing" .listing) | fromJson -}}
{{- $isSecret := not .listing -}}
{{- $requested := ternary (or $rbac.readSecrets (eq $create "true")) (has .resource $rbac.customResources) $isSecret -}}
{{- if and (ne $create "false") (or $requested $readers.used) -}}
{{- $namespaces := $rbac.namespaces -}}
{{- if and (not $namespaces) (not $readers.everywhere) }}{{ $namespaces = $readers.namespaces }}{{ end -}}
{{- if and $isSecret (eq $rbac.readSecrets "cluster") }}{{ $namespaces = list }}{{ end -}}
{{- $access = append $access (dict "resource" .resource "group" .group "scopes" ($namespaces | default (list "") | uniq)) -}}
{{- end -}}
{{- end -}}
{{- toJson $access -}}
{{- end -}}

{{/* Errors in the values of `rbac`, as a JSON list. */}}
{{- define "tee.rbacErrors" -}}
{{- $errors := list -}}
{{- $readers := include "tee.readers" (dict "root" . "listing" "") | fromJson -}}
{{- with .Values.rbac -}}
{{- if and .readSecrets (eq (toString .create) "false") -}}
{{- $errors = append $errors "rbac: create is false, so readSecrets has no effect; remove one" -}}
{{- end -}}
{{- if and .customResources (eq (toString .create) "false") -}}
{{- $errors = append $errors "rbac: create is false, so customResources has no effect; remove one" -}}
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
