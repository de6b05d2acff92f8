{{/* Container fields shared by the exporter and `helm test`: image, environment, resources. */}}
{{- define "tee.container" -}}
image: {{ include "tee.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- $store := ternary .Values.storage.env (dict) (ne .Values.storage.url "") }}
{{- if or .Values.env $store (gt (int .Values.shards) 1) }}
env:
  {{- range $name, $value := $store }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
  {{- if gt (int .Values.shards) 1 }}
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- $secret := ternary .Values.storage.existingSecret "" (ne .Values.storage.url "") }}
{{- if or .Values.envFrom $secret }}
envFrom:
  {{- with $secret }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
  {{- with .Values.envFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tee.fileArguments" -}}
- --config.file=/etc/token-expiry-exporter/config/config.yaml
{{- if .Values.definitions }}
- --providers.dir=/etc/token-expiry-exporter/providers
{{- end }}
{{- end -}}

{{/* Mount directories, not single files: Kubernetes does not update ConfigMap files mounted with subPath. */}}
{{- define "tee.mounts" -}}
- {name: config, mountPath: /etc/token-expiry-exporter/config, readOnly: true}
{{- if .Values.definitions }}
- {name: providers, mountPath: /etc/token-expiry-exporter/providers, readOnly: true}
{{- end }}
{{- if include "tee.projected" . }}
- {name: credentials, mountPath: /run/secrets/token-expiry-exporter, readOnly: true}
{{- end }}
{{- range $name, $credential := .Values.credentials }}
{{- if $credential.csi }}
- {name: {{ printf "csi-%s" $name }}, mountPath: /run/secrets/csi/{{ $name }}, readOnly: true}
{{- end }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tee.volumes" -}}
- name: config
  {{- with .Values.existingConfigSecret }}
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
  {{- else }}
  configMap: {name: {{ include "tee.configMap" . | quote }}}
  {{- end }}
{{- if .Values.definitions }}
- name: providers
  configMap: {name: {{ printf "%s-providers" (include "tee.fullname" .) | quote }}}
{{- end }}
{{- with include "tee.projected" . }}
- name: credentials
  projected:
    defaultMode: 0440
    sources:
      {{- trim . | nindent 6 }}
{{- end }}
{{- range $name, $credential := .Values.credentials }}
{{- with $credential.csi }}
- name: csi-{{ $name }}
  csi:
    driver: {{ .driver | default "secrets-store.csi.k8s.io" | quote }}
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ .secretProviderClass | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The credentials that are mounted as files, in one directory. */}}
{{- define "tee.projected" -}}
{{- range $name, $credential := .Values.credentials -}}
{{- with $credential.secret }}
- secret:
    name: {{ .name | quote }}
    items: [{key: {{ .key | quote }}, path: {{ $name | quote }}}]
    {{- if .optional }}
    optional: true
    {{- end }}
{{- end }}
{{- with $credential.externalSecret }}
- secret:
    name: {{ printf "%s-%s" (include "tee.fullname" $) $name | quote }}
    items: [{key: value, path: {{ $name | quote }}}]
    {{- if .optional }}
    optional: true
    {{- end }}
{{- end }}
{{- with $credential.serviceAccountToken }}
- serviceAccountToken:
    path: {{ $name | quote }}
    {{- with .audience }}
    audience: {{ . | quote }}
    {{- end }}
    expirationSeconds: {{ int (.expirationSeconds | default 3600) }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "tee.serveArguments" -}}
- serve
{{ include "tee.fileArguments" . }}
{{- if .Values.storage.url }}
- {{ printf "--storage.url=%s" .Values.storage.url | quote }}
- {{ printf "--storage.installation=%s" (default (printf "%s/%s" (include "tee.namespace" .) (include "tee.fullname" .)) .Values.storage.installation) | quote }}
{{- if ne .Values.storage.whenLost "collect" }}
- --storage.when-lost={{ .Values.storage.whenLost }}
{{- end }}
{{- else }}
- --storage.path=/var/lib/token-expiry-exporter
{{- end }}
- --web.listen-address=:{{ int .Values.web.port }}
- --web.probe-listen-address=:{{ int .Values.probes.port }}
- {{ printf "--web.telemetry-path=%s" .Values.web.telemetryPath | quote }}
{{- /* Both have the same path if both are enabled. */}}
{{- with ternary .Values.httpRoute .Values.ingress .Values.httpRoute.enabled }}
{{- /* Skips the path of a single page, which is not a prefix, and patterns, which a controller rewrites. */}}
{{- $pages := append (include "tee.pages" $ | fromJsonArray) $.Values.web.telemetryPath }}
{{- $prefix := regexReplaceAll "/+$" .path "" }}
{{- if and .enabled $prefix (not (has $prefix $pages)) (regexMatch "^/[A-Za-z0-9/_.~-]*$" .path) }}
- {{ printf "--web.route-prefix=%s" .path | quote }}
{{- end }}
{{- end }}
{{- with include "tee.externalUrl" . }}
- {{ printf "--web.external-url=%s" . | quote }}
{{- end }}
{{- if or (include "tee.web" .) .Values.web.existingSecret.name }}
- {{ printf "--web.config.file=/etc/token-expiry-exporter/web/%s" (ternary .Values.web.existingSecret.key "web.yaml" (ne .Values.web.existingSecret.name "")) | quote }}
{{- end }}
{{- if .Values.web.enableLifecycle }}
- --web.enable-lifecycle
{{- end }}
- --log.level={{ .Values.log.level }}
- --log.format={{ .Values.log.format }}
{{- if gt (int .Values.shards) 1 }}
- --shard=$(POD_NAME)/{{ int .Values.shards }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The paths of the exporter, as a JSON list; tests/suite/helm/program.rs compares them with the program. None can be the path of the metrics or
a prefix. */}}
{{- define "tee.pages" -}}
{{- list "/" "/token" "/owner" "/finding" "/source" "/api/v1/tokens" "/api/v1/sources" "/api/v1/findings" "/api/v1/openapi.json" "/calendar.ics" "/-/healthy" "/-/ready" "/-/reload" | toJson -}}
{{- end -}}

{{/* The URL at which people reach the exporter; empty if it is not known. The default is that of an Ingress with TLS: neither an HTTPRoute
nor an Ingress without TLS has the scheme, and a wrong link in a mail is worse than none. */}}
{{- define "tee.externalUrl" -}}
{{- $url := .Values.web.externalUrl -}}
{{- if and (not $url) .Values.ingress.enabled (not (include "tee.externalUrlArgument" .)) -}}
{{- $host := first .Values.ingress.hosts | toString | lower -}}
{{- $path := regexReplaceAll "/+$" .Values.ingress.path "" -}}
{{- range .Values.ingress.tls -}}
{{- $covers := or (not .hosts) (has $host .hosts) (has (regexReplaceAll "^[^.]+" $host "*") (.hosts | default list)) -}}
{{- if and $covers (not (hasPrefix "*" $host)) (regexMatch "^[A-Za-z0-9/_.~-]*$" $path) (not (has $path (append (include "tee.pages" $ | fromJsonArray) $.Values.web.telemetryPath))) -}}
{{- $url = printf "https://%s%s/" $host $path -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $url -}}
{{- end -}}

{{/* Whether `extraArgs` has the URL. */}}
{{- define "tee.externalUrlArgument" -}}
{{- range .Values.extraArgs }}{{ if hasPrefix "--web.external-url" . }}true{{ end }}{{ end -}}
{{- end -}}

{{- define "tee.restart" -}}
{{- if .Values.restartOnChange }}
checksum/config: {{ include "tee.config" . | sha256sum }}
checksum/definitions: {{ include "tee.definitions" . | sha256sum }}
{{- end }}
{{- end -}}

{{/* Pod fields shared by the workload and `helm test`. */}}
{{- define "tee.podSettings" -}}
serviceAccountName: {{ include "tee.serviceAccount" . | quote }}
automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
{{- with include "tee.pullSecrets" . }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- range $key := list "runtimeClassName" "priorityClassName" "nodeSelector" "tolerations" "affinity" "hostAliases" "dnsConfig" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.podSpec }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tee.pod" -}}
metadata:
  # Without the versions of chart and program: an upgrade that changes nothing else must not restart pods.
  labels:
    {{- toYaml (merge (include "tee.podSelector" . | fromYaml) .Values.podLabels .Values.commonLabels) | nindent 4 }}
  annotations:
    {{- $own := dict "kubectl.kubernetes.io/default-container" "exporter" }}
    {{- toYaml (merge $own (include "tee.restart" . | fromYaml) .Values.podAnnotations .Values.commonAnnotations) | nindent 4 }}
spec:
  {{- include "tee.podSettings" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $selector := dict "labelSelector" (dict "matchLabels" (include "tee.podSelector" $ | fromYaml)) }}
    - {{ toYaml (merge (dict) . $selector) | indent 6 | trim }}
    {{- end }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: exporter
      {{- include "tee.container" . | nindent 6 }}
      args:
        {{- include "tee.serveArguments" . | nindent 8 }}
      ports:
        - {name: http-metrics, containerPort: {{ int .Values.web.port }}}
        - {name: probes, containerPort: {{ int .Values.probes.port }}}
      {{- range $probe, $path := dict "livenessProbe" "/-/healthy" "readinessProbe" "/-/ready" "startupProbe" "/-/healthy" }}
      {{ $probe }}:
        httpGet: {path: {{ $path }}, port: probes}
        {{- toYaml (get $.Values.probes (trimSuffix "Probe" $probe)) | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "tee.mounts" . | nindent 8 }}
        {{- if not .Values.storage.url }}
        - {name: storage, mountPath: /var/lib/token-expiry-exporter}
        {{- end }}
        {{- if or (include "tee.web" .) .Values.web.existingSecret.name }}
        - {name: web, mountPath: /etc/token-expiry-exporter/web, readOnly: true}
        {{- end }}
        {{- if include "tee.tlsSecret" . }}
        - {name: tls, mountPath: /etc/token-expiry-exporter/tls, readOnly: true}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "tee.volumes" . | nindent 4 }}
    {{- if .Values.web.existingSecret.name }}
    - name: web
      secret: {secretName: {{ .Values.web.existingSecret.name | quote }}, defaultMode: 0440}
    {{- else if include "tee.web" . }}
    - name: web
      configMap: {name: {{ printf "%s-web" (include "tee.fullname" .) | quote }}}
    {{- end }}
    {{- with include "tee.tlsSecret" . }}
    - name: tls
      secret: {secretName: {{ . | quote }}, defaultMode: 0440}
    {{- end }}
    {{- if .Values.storage.url }}
    {{- /* No volume: the inventory is in the shared store. */}}
    {{- else if not .Values.persistence.enabled }}
    - name: storage
      emptyDir: {sizeLimit: {{ .Values.persistence.size | quote }}}
    {{- else if .Values.persistence.existingClaim }}
    - name: storage
      persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim | quote }}}
    {{- end }}
{{- end -}}
