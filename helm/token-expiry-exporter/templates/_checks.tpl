{{/* What the schema cannot say, each with the way out. All that is wrong is told at once. */}}
{{- define "tee.checks" -}}
{{- $wrong := list -}}
{{- $folder := "/run/secrets/token-expiry-exporter/" -}}

{{- if and (not .Values.existingConfigMap) (not .Values.config.sources) -}}
{{- $wrong = append $wrong "config.sources is empty: name an account, such as {name: gitlab, provider: gitlab, credential: {file: /run/secrets/token-expiry-exporter/gitlab}}, or set existingConfigMap" -}}
{{- end -}}
{{- if and .Values.existingConfigMap .Values.config -}}
{{- $wrong = append $wrong "config and existingConfigMap are both set: only one can be mounted; take one out" -}}
{{- end -}}

{{- range $source := .Values.config.sources -}}
{{- $credential := $source.credential | default dict -}}
{{- $parts := ternary (list $credential) (values $credential) (or (kindIs "string" $credential.file) (kindIs "string" $credential.env)) -}}
{{- range $part := $parts -}}
{{- $file := toString ($part.file | default "") -}}
{{- if hasPrefix $folder $file -}}
{{- $name := trimPrefix $folder $file -}}
{{- $entry := get $.Values.credentials $name | default dict -}}
{{- if or (not $entry) $entry.csi -}}
{{- $wrong = append $wrong (printf "config.sources: %s reads %s, but credentials has no %q that becomes a file; there are: %s" $source.name $file $name (keys $.Values.credentials | sortAlpha | join ", " | default "none")) -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "/var/run/secrets/kubernetes.io/" $file) (not $.Values.serviceAccount.automountToken) -}}
{{- $wrong = append $wrong (printf "config.sources: %s reads the token of the service account, which is not mounted: set serviceAccount.automountToken, or better credentials.NAME.serviceAccountToken with an audience" $source.name) -}}
{{- end -}}
{{- if $part.env -}}
{{- range $variable := $.Values.env -}}
{{- if and (eq $variable.name $part.env) (hasKey $variable "value") -}}
{{- $wrong = append $wrong (printf "env: %s is the credential of %s, and its value would stand in the release: use valueFrom.secretKeyRef" $variable.name $source.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $pods := mul (int .Values.replicas) (int .Values.shards) -}}
{{- if and .Values.persistence.existingClaim (gt $pods 1) -}}
{{- $wrong = append $wrong (printf "persistence.existingClaim cannot be shared by %d pods: leave it empty, so that each has a claim of its own" $pods) -}}
{{- end -}}
{{- if eq (int .Values.web.port) (int .Values.probes.port) -}}
{{- $wrong = append $wrong "web.port and probes.port are the same: the probes have a listener of their own" -}}
{{- end -}}
{{- if and .Values.web.existingSecret.name .Values.web.config -}}
{{- $wrong = append $wrong "web.config and web.existingSecret are both set: take one out" -}}
{{- end -}}
{{- if and .Values.web.tls.certManager.enabled (not .Values.web.tls.certManager.issuerRef) -}}
{{- $wrong = append $wrong "web.tls.certManager.issuerRef is empty: name the issuer, such as {name: internal, kind: ClusterIssuer}" -}}
{{- end -}}

{{- $monitors := list -}}
{{- range list "serviceMonitor" "podMonitor" "vmServiceScrape" "scrapeConfig" -}}
{{- if (get $.Values .).enabled }}{{ $monitors = append $monitors . }}{{ end -}}
{{- end -}}
{{- if gt (len $monitors) 1 -}}
{{- $wrong = append $wrong (printf "%s are all enabled: the exporter would be scraped under several jobs, and each alert would come as often; keep one" (join " and " $monitors)) -}}
{{- end -}}

{{- $alerts := include "tee.alertNames" . | fromJsonArray -}}
{{- range $name := keys .Values.prometheusRule.alerts | sortAlpha -}}
{{- if not (has $name $alerts) -}}
{{- $wrong = append $wrong (printf "prometheusRule.alerts: there is no alert %s; there are: %s" $name (join ", " $alerts)) -}}
{{- end -}}
{{- end -}}
{{- range $alert, $band := dict "TokenExpiryWarning" "warning" "TokenExpiryCritical" "critical" -}}
{{- $lead := (get $.Values.prometheusRule.alerts $alert | default dict).lead -}}
{{- $configured := get ($.Values.config.alert_lead | default dict) $band -}}
{{- if and $lead $configured (ne $lead $configured) -}}
{{- $wrong = append $wrong (printf "prometheusRule.alerts.%s.lead is %s, but config.alert_lead.%s is %s: both are the same lead; set it in one place" $alert $lead $band $configured) -}}
{{- end -}}
{{- if and $lead $.Values.existingConfigMap -}}
{{- $wrong = append $wrong (printf "prometheusRule.alerts.%s.lead cannot be written into existingConfigMap: set alert_lead.%s there" $alert $band) -}}
{{- end -}}
{{- end -}}

{{- with .Values.alertmanagerConfig -}}
{{- if .enabled -}}
{{- if not (hasKey .receivers "fallback") -}}
{{- $wrong = append $wrong "alertmanagerConfig.receivers has no fallback: it gets what no other route takes, such as {slackConfigs: [{apiURL: {name: slack, key: url}, channel: \"#tokens\"}]}" -}}
{{- end -}}
{{- $known := list -}}
{{- range ($.Files.Get "files/alertmanager.yaml" | fromYaml).receivers }}{{ $known = append $known .name }}{{ end -}}
{{- range $name := keys .receivers | sortAlpha -}}
{{- if not (or (has $name $known) (hasPrefix "team-" $name)) -}}
{{- $wrong = append $wrong (printf "alertmanagerConfig.receivers: no route leads to %s; there are: %s, and team-NAME for each team" $name (without $known "team-platform" | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.dashboards.grafanaOperator.enabled (not .Values.dashboards.enabled) -}}
{{- $wrong = append $wrong "dashboards.grafanaOperator reads the ConfigMaps of dashboards: set dashboards.enabled too" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $wrong = append $wrong "ingress.hosts is empty: name a host" -}}
{{- end -}}
{{- if and .Values.existingConfigMap .Values.networkPolicy.enabled .Values.networkPolicy.cilium.enabled (not .Values.networkPolicy.cilium.hosts) -}}
{{- $wrong = append $wrong "networkPolicy.cilium knows no host of existingConfigMap: name them in networkPolicy.cilium.hosts" -}}
{{- end -}}

{{- if and .Values.networkPolicy.cilium.enabled .Values.networkPolicy.ingress.from -}}
{{- $wrong = append $wrong "networkPolicy.ingress.from holds for a NetworkPolicy, not for Cilium's: write the peers as endpoint selectors in networkPolicy.cilium.fromEndpoints" -}}
{{- end -}}

{{- if $wrong -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " $wrong)) -}}
{{- end -}}
{{- end -}}
