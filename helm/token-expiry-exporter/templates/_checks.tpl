{{/* Checks that a JSON Schema cannot express. All errors are reported at once, each with its remedy. */}}
{{- define "tee.checks" -}}
{{- $errors := list -}}
{{- $directory := "/run/secrets/token-expiry-exporter/" -}}

{{- if and (not .Values.existingConfigMap) (not .Values.config.sources) -}}
{{- $errors = append $errors "config.sources: empty; add a source, such as {name: gitlab, provider: gitlab, credential: {file: /run/secrets/token-expiry-exporter/gitlab}}, or set existingConfigMap" -}}
{{- end -}}
{{- if and .Values.existingConfigMap .Values.config -}}
{{- $errors = append $errors "config and existingConfigMap: both set, but only one can be mounted; remove one" -}}
{{- end -}}

{{- range $source := .Values.config.sources -}}
{{- $credential := $source.credential | default dict -}}
{{- $parts := ternary (list $credential) (values $credential) (or (kindIs "string" $credential.file) (kindIs "string" $credential.env)) -}}
{{- range $part := $parts -}}
{{- $file := toString ($part.file | default "") -}}
{{- if hasPrefix $directory $file -}}
{{- $name := trimPrefix $directory $file -}}
{{- $entry := get $.Values.credentials $name | default dict -}}
{{- if not $entry -}}
{{- $errors = append $errors (printf "config.sources: %s reads %s, but credentials has no %q; available: %s" $source.name $file $name (keys $.Values.credentials | sortAlpha | join ", " | default "none")) -}}
{{- else if $entry.csi -}}
{{- $errors = append $errors (printf "config.sources: %s reads %s, but credentials.%s is a CSI volume; use a file in /run/secrets/csi/%s" $source.name $file $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "/var/run/secrets/kubernetes.io/" $file) (not $.Values.serviceAccount.automountToken) -}}
{{- $errors = append $errors (printf "config.sources: %s reads the service account token, which is not mounted; set serviceAccount.automountToken, or better credentials.NAME.serviceAccountToken with an audience" $source.name) -}}
{{- end -}}
{{- if $part.env -}}
{{- range $variable := $.Values.env -}}
{{- if and (eq $variable.name $part.env) (hasKey $variable "value") -}}
{{- $errors = append $errors (printf "env: the value of %s, a credential of %s, would be stored in the release; use valueFrom.secretKeyRef" $variable.name $source.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $pods := mul (int .Values.replicas) (int .Values.shards) -}}
{{- if and .Values.persistence.existingClaim (gt $pods 1) -}}
{{- $errors = append $errors (printf "persistence.existingClaim: cannot be shared by %d pods; leave it empty to give each pod its own claim" $pods) -}}
{{- end -}}
{{- if .Values.storage.url -}}
{{- if gt (int .Values.shards) 1 -}}
{{- $errors = append $errors "shards: the replicas of storage.url already divide the sources; set replicas instead, and remove shards" -}}
{{- end -}}
{{- if .Values.persistence.existingClaim -}}
{{- $errors = append $errors "persistence.existingClaim: not used with storage.url; remove it" -}}
{{- end -}}
{{- range $name, $_ := .Values.storage.env -}}
{{- if regexMatch "(SECRET|PASSWORD|TOKEN|SAS|SIGNATURE|ACCESS_KEY|ACCOUNT_KEY|MASTER_KEY|SERVICE_ACCOUNT_KEY)" (regexReplaceAll "_TOKEN_FILE$" $name "") -}}
{{- $errors = append $errors (printf "storage.env: the value of %s would be stored in the release; put it into a Secret and set storage.existingSecret" $name) -}}
{{- end -}}
{{- end -}}
{{- else if or .Values.storage.env .Values.storage.existingSecret -}}
{{- $errors = append $errors "storage.url: empty, so storage.env and storage.existingSecret are not used; set it or remove them" -}}
{{- end -}}
{{- if eq (int .Values.web.port) (int .Values.probes.port) -}}
{{- $errors = append $errors "web.port and probes.port: must differ; the probes have their own listener" -}}
{{- end -}}
{{- if and .Values.web.existingSecret.name .Values.web.config -}}
{{- $errors = append $errors "web.config and web.existingSecret: both set; remove one" -}}
{{- end -}}
{{- if and .Values.web.tls.certManager.enabled (not .Values.web.tls.certManager.issuerRef) -}}
{{- $errors = append $errors "web.tls.certManager.issuerRef: empty; set it, such as {name: internal, kind: ClusterIssuer}" -}}
{{- end -}}

{{- $monitors := list -}}
{{- range list "serviceMonitor" "podMonitor" "vmServiceScrape" "scrapeConfig" -}}
{{- if (get $.Values .).enabled }}{{ $monitors = append $monitors . }}{{ end -}}
{{- end -}}
{{- if gt (len $monitors) 1 -}}
{{- $errors = append $errors (printf "%s: all enabled; several scrape jobs would duplicate every alert; enable only one" (join " and " $monitors)) -}}
{{- end -}}

{{- $alerts := include "tee.alertNames" . | fromJsonArray -}}
{{- range $name := keys .Values.prometheusRule.alerts | sortAlpha -}}
{{- if not (has $name $alerts) -}}
{{- $errors = append $errors (printf "prometheusRule.alerts: unknown alert %s; available: %s" $name (join ", " $alerts)) -}}
{{- end -}}
{{- end -}}
{{- range $alert, $band := dict "TokenExpiryWarning" "warning" "TokenExpiryCritical" "critical" -}}
{{- $lead := (get $.Values.prometheusRule.alerts $alert | default dict).lead -}}
{{- $configured := get ($.Values.config.alert_lead | default dict) $band -}}
{{- if and $lead $configured (ne $lead $configured) -}}
{{- $errors = append $errors (printf "prometheusRule.alerts.%s.lead is %s, but config.alert_lead.%s is %s; both set the same lead; remove one" $alert $lead $band $configured) -}}
{{- end -}}
{{- if and $lead $.Values.existingConfigMap -}}
{{- $errors = append $errors (printf "prometheusRule.alerts.%s.lead: cannot be written to existingConfigMap; set alert_lead.%s there" $alert $band) -}}
{{- end -}}
{{- end -}}

{{- with .Values.alertmanagerConfig -}}
{{- if .enabled -}}
{{- if not (hasKey .receivers "fallback") -}}
{{- $errors = append $errors "alertmanagerConfig.receivers: fallback is missing; it receives alerts that match no other route, such as {slackConfigs: [{apiURL: {name: slack, key: url}, channel: \"#tokens\"}]}" -}}
{{- end -}}
{{- $known := list -}}
{{- range ($.Files.Get "files/alertmanager.yaml" | fromYaml).receivers }}{{ $known = append $known .name }}{{ end -}}
{{- range $name := keys .receivers | sortAlpha -}}
{{- if not (or (has $name $known) (hasPrefix "team-" $name)) -}}
{{- $errors = append $errors (printf "alertmanagerConfig.receivers: no route for %s; available: %s, and team-NAME for each team" $name (without $known "team-platform" | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.dashboards.grafanaOperator.enabled (not .Values.dashboards.enabled) -}}
{{- $errors = append $errors "dashboards.grafanaOperator: needs the ConfigMaps of dashboards; set dashboards.enabled" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $errors = append $errors "ingress.hosts: empty; add a host name" -}}
{{- end -}}
{{- if and .Values.existingConfigMap .Values.networkPolicy.enabled .Values.networkPolicy.cilium.enabled (not .Values.networkPolicy.cilium.hosts) -}}
{{- $errors = append $errors "networkPolicy.cilium: hosts of existingConfigMap are unknown; list them in networkPolicy.cilium.hosts" -}}
{{- end -}}

{{- if and .Values.networkPolicy.cilium.enabled .Values.networkPolicy.ingress.from -}}
{{- $errors = append $errors "networkPolicy.ingress.from: not used by a CiliumNetworkPolicy; set networkPolicy.cilium.fromEndpoints (endpoint selectors)" -}}
{{- end -}}

{{- if $errors -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " $errors)) -}}
{{- end -}}
{{- end -}}
