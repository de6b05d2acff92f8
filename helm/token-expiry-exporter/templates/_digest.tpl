{{/* At most 52 characters, since Kubernetes appends a time to the names of jobs. */}}
{{- define "tee.digestName" -}}
{{- printf "%s-digest" (include "tee.fullname" . | trunc 45 | trimSuffix "-") -}}
{{- end -}}

{{- define "tee.digestSelector" -}}
{{ include "tee.selector" . }}
app.kubernetes.io/component: digest
{{- end -}}

{{/* The URLs whose API is read, as a JSON list: the Service, or with shards a pod of each, which only a headless Service names. */}}
{{- define "tee.digestExporters" -}}
{{- $host := printf "%s.%s.svc" (include "tee.fullname" .) (include "tee.namespace" .) -}}
{{- $scheme := include "tee.scheme" . -}}
{{- $port := ternary .Values.web.port .Values.service.port (eq .Values.service.clusterIP "None") | int -}}
{{- $urls := list -}}
{{- if .Values.digest.exporter.url -}}
{{- $urls = list .Values.digest.exporter.url -}}
{{- else if gt (int .Values.shards) 1 -}}
{{- range $shard := until (int .Values.shards) -}}
{{- $urls = append $urls (printf "%s://%s-%d.%s:%d/" $scheme (include "tee.fullname" $) $shard $host $port) -}}
{{- end -}}
{{- else -}}
{{- $urls = list (printf "%s://%s:%d/" $scheme $host $port) -}}
{{- end -}}
{{- toJson $urls -}}
{{- end -}}

{{/* The Secret with the CA of the exporter's certificate and its key, as JSON; empty if the CAs of the image are enough. */}}
{{- define "tee.digestCa" -}}
{{- $given := .Values.digest.exporter.caSecret -}}
{{- if $given.name -}}
{{- toJson $given -}}
{{- else if and .Values.web.tls.certManager.enabled (not .Values.digest.exporter.url) -}}
{{- dict "name" (include "tee.tlsSecret" .) "key" "ca.crt" | toJson -}}
{{- end -}}
{{- end -}}

{{- define "tee.digestArguments" -}}
{{- with .Values.digest -}}
- digest
{{- range include "tee.digestExporters" $ | fromJsonArray }}
- {{ printf "--exporter.url=%s" . | quote }}
{{- end }}
{{- with .exporter.username }}
- {{ printf "--exporter.username=%s" . | quote }}
- --exporter.password-file=/run/secrets/digest/exporter-password
{{- end }}
{{- if include "tee.digestCa" $ }}
- --exporter.ca-file=/run/secrets/digest/exporter-ca
{{- end }}
{{- with include "tee.externalUrl" $ }}
- {{ printf "--web.external-url=%s" . | quote }}
{{- end }}
- --mail.by={{ .by }}
- {{ printf "--mail.from=%s" .from | quote }}
{{- range .allowedDomains }}
- {{ printf "--mail.allow-domain=%s" . | quote }}
{{- end }}
{{- range $team, $address := .teams }}
- {{ printf "--mail.team=%s=%s" $team $address | quote }}
{{- end }}
{{- with .fallback }}
- {{ printf "--mail.fallback=%s" . | quote }}
{{- end }}
- {{ printf "--smtp.server=%s" .smtp.server | quote }}
- --smtp.tls={{ .smtp.tls }}
{{- with .smtp.username }}
- {{ printf "--smtp.username=%s" . | quote }}
- --smtp.password-file=/run/secrets/digest/smtp-password
{{- end }}
- --state.file=/var/lib/digest/state.json
{{- with .extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The spec of the pod. It has no service account, environment or credential of the exporter: it only reads the API and sends mails. */}}
{{- define "tee.digestPod" -}}
{{- $settings := include "tee.podSettings" . | fromYaml -}}
{{- $_ := unset $settings "serviceAccountName" -}}
{{- $_ := unset $settings "readinessGates" -}}
{{- $_ := set $settings "automountServiceAccountToken" false -}}
{{- $_ := set $settings "restartPolicy" "Never" -}}
{{- $smtp := .Values.digest.smtp -}}
{{- $exporter := .Values.digest.exporter -}}
{{- $secrets := list -}}
{{- if $smtp.username }}{{ $secrets = append $secrets (dict "name" $smtp.existingSecret.name "key" $smtp.existingSecret.key "path" "smtp-password") }}{{ end -}}
{{- if $exporter.username }}{{ $secrets = append $secrets (dict "name" $exporter.existingSecret.name "key" $exporter.existingSecret.key "path" "exporter-password") }}{{ end -}}
{{- with include "tee.digestCa" . }}{{ $secrets = append $secrets (merge (dict "path" "exporter-ca") (fromJson .)) }}{{ end -}}
{{- toYaml $settings }}
containers:
  - name: digest
    image: {{ include "tee.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    args:
      {{- include "tee.digestArguments" . | nindent 6 }}
    {{- with .Values.digest.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - {name: state, mountPath: /var/lib/digest}
      {{- if $secrets }}
      - {name: secrets, mountPath: /run/secrets/digest, readOnly: true}
      {{- end }}
      {{- with .Values.digest.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: state
    persistentVolumeClaim: {claimName: {{ .Values.digest.state.existingClaim | default (include "tee.digestName" .) | quote }}}
  {{- with $secrets }}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range . }}
        - secret: {name: {{ .name | quote }}, items: [{key: {{ .key | quote }}, path: {{ .path | quote }}}]}
        {{- end }}
  {{- end }}
  {{- with .Values.digest.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Host and port of an exporter that is not that of the chart, as JSON; empty without one. */}}
{{- define "tee.digestOutside" -}}
{{- with .Values.digest.exporter.url -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- dict "host" (regexReplaceAll ":[0-9]+$" $url.host "") "port" (int $port) | toJson -}}
{{- end -}}
{{- end -}}

{{/* Host and port of the mail server, as JSON. */}}
{{- define "tee.digestServer" -}}
{{- $server := .Values.digest.smtp.server -}}
{{- $port := regexFind ":[0-9]+$" $server | trimPrefix ":" -}}
{{- $host := regexReplaceAll ":[0-9]+$" $server "" -}}
{{- dict "host" $host "port" (int ($port | default (get (dict "starttls" 587 "implicit" 465 "none" 25) .Values.digest.smtp.tls))) | toJson -}}
{{- end -}}

{{/* What a JSON Schema cannot express, as a JSON list of errors. */}}
{{- define "tee.digestErrors" -}}
{{- $errors := list -}}
{{- with .Values.digest -}}
{{- if .enabled -}}
{{- if not .from }}{{ $errors = append $errors "digest.from: empty; set the sender, such as tokens@example.com" }}{{ end -}}
{{- if not .smtp.server }}{{ $errors = append $errors "digest.smtp.server: empty; set the mail server, such as mail.example.com:587" }}{{ end -}}
{{- if not .allowedDomains }}{{ $errors = append $errors "digest.allowedDomains: empty; add the domains of the recipients, since a provider can report any address" }}{{ end -}}
{{- range $address := append (values .teams | sortAlpha) .fallback | compact | uniq -}}
{{- if not (has (regexReplaceAll "^.*@" $address "" | lower) $.Values.digest.allowedDomains) -}}
{{- $errors = append $errors (printf "digest.allowedDomains: lacks the domain of %s; add it" $address) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .by "team") (not .teams) -}}
{{- $errors = append $errors "digest.teams: empty, so that no team would receive a mail; add them, such as {platform: platform@example.com}, or set digest.by to owner" -}}
{{- end -}}
{{- if and (eq .by "owner") .teams -}}
{{- $errors = append $errors "digest.teams: not used with digest.by: owner; set digest.by to team, or remove them" -}}
{{- end -}}
{{- if and (eq .by "owner") $.Values.config.sources (not (($.Values.config.labels | default dict).owner_email)) -}}
{{- $errors = append $errors "digest: the API shows no addresses of owners; set config.labels to {owner: true, owner_email: true}" -}}
{{- end -}}
{{- range $name := list "smtp" "exporter" -}}
{{- $part := get $.Values.digest $name -}}
{{- if and $part.username (not $part.existingSecret.name) -}}
{{- $errors = append $errors (printf "digest.%s.existingSecret.name: empty; set the Secret with the password of %s" $name $part.username) -}}
{{- else if and $part.existingSecret.name (not $part.username) -}}
{{- $errors = append $errors (printf "digest.%s.username: empty; set the user whose password is in the Secret %s" $name $part.existingSecret.name) -}}
{{- end -}}
{{- end -}}
{{- if and .smtp.username (eq .smtp.tls "none") -}}
{{- $errors = append $errors "digest.smtp.tls: none would send the password unencrypted; set starttls or implicit" -}}
{{- end -}}
{{- if and (gt (int $.Values.shards) 1) (not .exporter.url) (ne $.Values.service.clusterIP "None") -}}
{{- $errors = append $errors "digest: with shards the Service leads to one of them; set service.clusterIP to None, so that each has a name" -}}
{{- end -}}
{{- if and (eq (include "tee.scheme" $) "https") (not .exporter.url) (not (include "tee.digestCa" $)) -}}
{{- $errors = append $errors "digest.exporter.caSecret: empty; set the Secret with the CA of the exporter's certificate, whose names must include that of the Service, or set digest.exporter.url" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $errors -}}
{{- end -}}
