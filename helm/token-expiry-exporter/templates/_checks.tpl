{{/* Checks that a JSON Schema cannot express. All errors are reported at once, each with its remedy. */}}
{{- define "tee.checks" -}}
{{- $errors := list -}}
{{- $directory := "/run/secrets/token-expiry-exporter/" -}}

{{- $existing := .Values.existingConfigMap | default .Values.existingConfigSecret -}}
{{- $existingKey := ternary "existingConfigMap" "existingConfigSecret" (ne .Values.existingConfigMap "") -}}
{{- if and .Values.existingConfigMap .Values.existingConfigSecret -}}
{{- $errors = append $errors "existingConfigMap and existingConfigSecret: both set, but only one can be mounted; remove one" -}}
{{- end -}}
{{- if and (not $existing) (not .Values.config.sources) -}}
{{- $errors = append $errors "config.sources: empty; add a source, such as {name: gitlab, provider: gitlab, credential: {file: /run/secrets/token-expiry-exporter/gitlab}}, or set existingConfigMap or existingConfigSecret" -}}
{{- end -}}
{{- if and $existing .Values.config -}}
{{- $errors = append $errors (printf "config and %s: both set, but only one can be mounted; remove one" $existingKey) -}}
{{- end -}}

{{- if hasKey .Values "enabled" -}}
{{- if not .Values.enabled -}}
{{- $errors = append $errors "enabled: false without effect; it is for a parent chart, with `condition: token-expiry-exporter.enabled` in its dependencies" -}}
{{- end -}}
{{- end -}}
{{- range $source := .Values.config.sources -}}
{{- $name := toString $source.name -}}
{{- if $.Values.configText -}}
{{- range $key := keys $source | sortAlpha -}}
{{- $value := get $source $key -}}
{{- if or (has $key (list "api_key" "client_secret" "password" "private_key" "secret" "token")) (and (kindIs "string" $value) (regexMatch "^[A-Za-z0-9+]+://[^/@]*:[^/@]*@" (toString $value))) -}}
{{- $errors = append $errors (printf "config.sources: %s contains a password in %s; secrets are not allowed in the values; use a credential, or HTTPS_PROXY in env" $name $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $tls := $source.tls | default dict -}}
{{- if and (kindIs "map" $tls) (hasPrefix "/var/run/secrets/kubernetes.io/" (toString $tls.ca_file)) (not (include "tee.mountsServiceAccount" $)) -}}
{{- $errors = append $errors (printf "config.sources: the CA of %s, %s, is not mounted; set serviceAccount.automountToken, or better mount the ConfigMap kube-root-ca.crt with extraVolumes and extraVolumeMounts" $name $tls.ca_file) -}}
{{- end -}}
{{- $credential := $source.credential | default dict -}}
{{- if not (kindIs "map" $credential) -}}
{{- $errors = append $errors (printf "config.sources: the credential of %s must be {file: PATH} or {env: NAME}; secrets are not allowed in the values" $name) -}}
{{- $credential = dict -}}
{{- end -}}
{{- $parts := ternary (list $credential) (values $credential) (or (kindIs "string" $credential.file) (kindIs "string" $credential.env)) -}}
{{- if kindIs "map" $source.kubeconfig -}}
{{- $file := toString $source.kubeconfig.file -}}
{{- $parts = append $parts (dict "file" $file "optional" true) -}}
{{- if include "tee.isOptional" (dict "root" $ "file" $file) -}}
{{- $errors = append $errors (printf "config.sources: the exporter does not start without the kubeconfig of %s, so %s cannot be optional" $name $file) -}}
{{- end -}}
{{- with $.Values.networkPolicy -}}
{{- if and .enabled (not .egress.extra) (not .cilium.enabled) -}}
{{- $errors = append $errors (printf "networkPolicy.egress.extra: empty; the chart cannot see the server in the kubeconfig of %s, so allow its address and port" $name) -}}
{{- else if and .enabled .cilium.enabled (not .cilium.hosts) (not .cilium.extraEgress) -}}
{{- $errors = append $errors (printf "networkPolicy.cilium.hosts: empty; the chart cannot see the server in the kubeconfig of %s, so add its host and port" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $part := $parts -}}
{{- if not (kindIs "map" $part) -}}
{{- $errors = append $errors (printf "config.sources: the credential of %s must be {file: PATH} or {env: NAME}; secrets are not allowed in the values" $name) -}}
{{- $part = dict -}}
{{- end -}}
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
{{- if and $.Values.configText (include "tee.isOptional" (dict "root" $ "file" $file)) (not $part.optional) -}}
{{- $errors = append $errors (printf "config.sources: %s reads %s, which is optional; write {file: %s, optional: true}, or the exporter does not start without it" $source.name $file $file) -}}
{{- end -}}
{{- if and (hasPrefix "/var/run/secrets/kubernetes.io/" $file) (not (include "tee.mountsServiceAccount" $)) -}}
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

{{- $errors = concat $errors (include "tee.rbacErrors" . | fromJsonArray) (include "tee.digestErrors" . | fromJsonArray) -}}

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
{{- $pages := include "tee.pages" . | fromJsonArray -}}
{{- if has .Values.web.telemetryPath $pages -}}
{{- $errors = append $errors (printf "web.telemetryPath: %s is a page of the exporter; choose another path, such as /metrics" .Values.web.telemetryPath) -}}
{{- end -}}
{{- range $name := list "ingress" "httpRoute" -}}
{{- $route := get $.Values $name -}}
{{- $prefix := regexReplaceAll "/+$" $route.path "" -}}
{{- range $pages -}}
{{- if and $route.enabled $prefix (not (has $prefix $pages)) (eq (printf "%s%s" $prefix .) $.Values.web.telemetryPath) -}}
{{- $errors = append $errors (printf "%s.path: with %s the page %s has the path of the metrics; change it or web.telemetryPath" $name $route.path .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.web.externalUrl -}}
{{- $prefix := regexReplaceAll "^https?://[^/]*|/+$" . "" -}}
{{- if has $prefix (append $pages $.Values.web.telemetryPath) -}}
{{- $errors = append $errors (printf "web.externalUrl: its path %s is a page of the exporter; choose another path, such as /tokens/" $prefix) -}}
{{- end -}}
{{- range $pages -}}
{{- if and $prefix (eq (printf "%s%s" $prefix .) $.Values.web.telemetryPath) -}}
{{- $errors = append $errors (printf "web.externalUrl: with its path %s the page %s has the path of the metrics; change it or web.telemetryPath" $prefix .) -}}
{{- end -}}
{{- end -}}
{{- if include "tee.externalUrlArgument" $ -}}
{{- $errors = append $errors "web.externalUrl: extraArgs has --web.external-url too; remove it there" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.web.existingSecret.name .Values.web.config -}}
{{- $errors = append $errors "web.config and web.existingSecret: both set; remove one" -}}
{{- end -}}
{{- if and .Values.web.tls.certManager.enabled (not .Values.web.tls.certManager.issuerRef) -}}
{{- $errors = append $errors "web.tls.certManager.issuerRef: empty; set it, such as {name: internal, kind: ClusterIssuer}" -}}
{{- end -}}

{{- $hasRules := include "tee.hasRules" . -}}
{{- $monitors := list -}}
{{- range list "serviceMonitor" "podMonitor" "vmServiceScrape" "scrapeConfig" "podMonitoring" -}}
{{- if (get $.Values .).enabled }}{{ $monitors = append $monitors . }}{{ end -}}
{{- end -}}
{{- if gt (len $monitors) 1 -}}
{{- $errors = append $errors (printf "%s: all enabled; several scrape jobs would duplicate every alert; enable only one" (join " and " $monitors)) -}}
{{- end -}}

{{- range $name := list "serviceMonitor" "podMonitor" "vmServiceScrape" "scrapeConfig" "podMonitoring" -}}
{{- $monitor := get $.Values $name -}}
{{- $interval := include "tee.seconds" $monitor.interval | float64 -}}
{{- $timeout := include "tee.seconds" $monitor.scrapeTimeout | float64 -}}
{{- if and $monitor.enabled $monitor.interval (not $interval) -}}
{{- $errors = append $errors (printf "%s.interval: %s is not a duration above 0" $name $monitor.interval) -}}
{{- end -}}
{{- if and $monitor.enabled $hasRules (gt $interval 240.0) -}}
{{- $errors = append $errors (printf "%s.interval: %s is longer than 4m; Prometheus forgets a sample after 5m, and alerts would resolve and fire again between scrapes" $name $monitor.interval) -}}
{{- end -}}
{{- if and $monitor.enabled $interval (gt $timeout $interval) -}}
{{- $errors = append $errors (printf "%s.scrapeTimeout: %s is longer than the interval %s; Prometheus rejects that" $name $monitor.scrapeTimeout $monitor.interval) -}}
{{- end -}}
{{- $fields := ternary (list "minVersion" "maxVersion") (ternary (list) (list "caFile" "certFile" "keyFile") (eq $name "serviceMonitor")) (eq $name "vmServiceScrape") -}}
{{- range $field := $fields -}}
{{- if and $monitor.enabled (hasKey ($monitor.tlsConfig | default dict) $field) -}}
{{- $errors = append $errors (printf "%s.tlsConfig.%s: not a field of that kind of monitor" $name $field) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- range $name := list "serviceMonitor" "podMonitor" "vmServiceScrape" "scrapeConfig" -}}
{{- $monitor := get $.Values $name -}}
{{- if $monitor.enabled -}}
{{- if and $monitor.basicAuth $monitor.authorization -}}
{{- $errors = append $errors (printf "%s: basicAuth and authorization are both set; operators accept only one; remove one" $name) -}}
{{- end -}}
{{- if and $monitor.targetLabels (has $name (list "podMonitor" "scrapeConfig")) -}}
{{- $errors = append $errors (printf "%s.targetLabels: labels of the Service, which it does not use; set podTargetLabels" $name) -}}
{{- end -}}
{{- $namespace := $monitor.namespace | default (include "tee.namespace" $) -}}
{{- if and $.Values.web.tls.certManager.enabled (not $monitor.tlsConfig) (ne $namespace (include "tee.namespace" $)) -}}
{{- $errors = append $errors (printf "%s.namespace: operators read the CA from a Secret of the namespace %s, but cert-manager writes %s in %s; leave namespace empty, or copy the CA and set tlsConfig" $name $namespace (include "tee.tlsSecret" $) (include "tee.namespace" $)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and .Values.prometheusRule.enabled .Values.vmRule.enabled -}}
{{- $errors = append $errors "prometheusRule and vmRule: both enabled; the VictoriaMetrics operator converts a PrometheusRule, so that every alert would fire twice; enable only one" -}}
{{- end -}}
{{- if or .Values.scope.rules .Values.scope.dashboards -}}
{{- if not (include "tee.job" .) -}}
{{- $errors = append $errors "scope.job: unknown, since no monitor is enabled or it sets jobLabel; set it to the label job of the series" -}}
{{- end -}}
{{- end -}}

{{- with .Values.httpRoute -}}
{{- if and .enabled (not .parentRefs) -}}
{{- $errors = append $errors "httpRoute.parentRefs: empty; add the Gateway, such as {name: internal, namespace: gateways}" -}}
{{- end -}}
{{- if and .enabled $.Values.ingress.enabled (ne .path $.Values.ingress.path) -}}
{{- $errors = append $errors (printf "httpRoute.path and ingress.path: %s and %s, but the exporter has one prefix; set the same" .path $.Values.ingress.path) -}}
{{- end -}}
{{- end -}}

{{- with .Values.service -}}
{{- if and (eq .type "ClusterIP") (or (int .nodePort) .externalTrafficPolicy) -}}
{{- $errors = append $errors "service: nodePort and externalTrafficPolicy are not for the type ClusterIP; set type to NodePort or LoadBalancer" -}}
{{- end -}}
{{- if and (ne .type "LoadBalancer") (or .loadBalancerClass .loadBalancerSourceRanges) -}}
{{- $errors = append $errors "service: loadBalancerClass and loadBalancerSourceRanges are for the type LoadBalancer only; set type, or remove them" -}}
{{- end -}}
{{- if and (eq .clusterIP "None") (ne .type "ClusterIP") -}}
{{- $errors = append $errors "service.clusterIP: only a Service of the type ClusterIP can be headless" -}}
{{- end -}}
{{- if and (gt (len .ipFamilies) 1) (not (has .ipFamilyPolicy (list "PreferDualStack" "RequireDualStack"))) -}}
{{- $errors = append $errors "service.ipFamilies: two families need ipFamilyPolicy PreferDualStack or RequireDualStack" -}}
{{- end -}}
{{- end -}}

{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (gt $pods 1) -}}
{{- $least := .minAvailable -}}
{{- if hasSuffix "%" (toString $least) }}{{ $least = ceil (divf (mulf (trimSuffix "%" (toString $least) | float64) $pods) 100) }}{{ end -}}
{{- if ge (float64 $least) (float64 $pods) -}}
{{- $errors = append $errors (printf "podDisruptionBudget.minAvailable: %v of %d pods would block every drain of a node; set less" .minAvailable $pods) -}}
{{- end -}}
{{- if and .unhealthyPodEvictionPolicy (semverCompare "<1.26-0" $.Capabilities.KubeVersion.Version) -}}
{{- $errors = append $errors "podDisruptionBudget.unhealthyPodEvictionPolicy: needs Kubernetes 1.26 or later" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- range .Values.extraVolumeMounts -}}
{{- if and .recursiveReadOnly (semverCompare "<1.30-0" $.Capabilities.KubeVersion.Version) -}}
{{- $errors = append $errors (printf "extraVolumeMounts: recursiveReadOnly of %s needs Kubernetes 1.30 or later" .name) -}}
{{- end -}}
{{- end -}}

{{- range $name, $request := .Values.resources.requests | default dict -}}
{{- $limit := get ($.Values.resources.limits | default dict) $name -}}
{{- if not (kindIs "invalid" $limit) -}}
{{- if and (ne (toString $limit) "") (gt (include "tee.quantity" $request | float64) (include "tee.quantity" $limit | float64)) -}}
{{- $errors = append $errors (printf "resources.requests.%s: %v is more than the limit %v; set a higher limit" $name $request $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- with .Values.podSpec -}}
{{- if and (eq (toString .hostUsers) "false") (or .hostNetwork .hostPID .hostIPC) -}}
{{- $errors = append $errors "podSpec.hostUsers: false is not possible with hostNetwork, hostPID or hostIPC" -}}
{{- end -}}
{{- if and .hostPID .shareProcessNamespace -}}
{{- $errors = append $errors "podSpec.shareProcessNamespace: not possible with hostPID" -}}
{{- end -}}
{{- if and (eq (toString .dnsPolicy) "None") (not $.Values.dnsConfig.nameservers) -}}
{{- $errors = append $errors "podSpec.dnsPolicy: None needs dnsConfig.nameservers" -}}
{{- end -}}
{{- end -}}

{{- range $group := .Values.prometheusRule.extraGroups -}}
{{- range $field := list "query_offset" "partial_response_strategy" -}}
{{- if and $.Values.vmRule.enabled (hasKey $group $field) -}}
{{- $errors = append $errors (printf "prometheusRule.extraGroups: %s of %s is not a field of a VMRule; remove it" $field $group.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $thresholds := include "tee.thresholds" . | fromYaml -}}
{{- range $name, $alert := .Values.prometheusRule.alerts -}}
{{- if hasKey ($alert | default dict) "threshold" -}}
{{- if not (hasKey $thresholds $name) -}}
{{- $errors = append $errors (printf "prometheusRule.alerts.%s.threshold: compares with no number; alerts with a threshold: %s" $name (keys $thresholds | sortAlpha | join ", ")) -}}
{{- else if $alert.expr -}}
{{- $errors = append $errors (printf "prometheusRule.alerts.%s: expr and threshold are both set; write the threshold into expr" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $groups := list -}}
{{- range (include "tee.rules" . | fromYaml).groups -}}
{{- if has .name $groups -}}
{{- $errors = append $errors (printf "prometheusRule.extraGroups: two groups with the name %s" .name) -}}
{{- end -}}
{{- $groups = append $groups .name -}}
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
{{- if and $lead $.Values.configText -}}
{{- $errors = append $errors (printf "prometheusRule.alerts.%s.lead: cannot be written to a configuration given as text; set alert_lead.%s there" $alert $band) -}}
{{- end -}}
{{- if and $lead $existing -}}
{{- $errors = append $errors (printf "prometheusRule.alerts.%s.lead: cannot be written to %s; set alert_lead.%s there" $alert $existingKey $band) -}}
{{- end -}}
{{- end -}}

{{- with .Values.alertmanagerConfig -}}
{{- if .enabled -}}
{{- if not (hasKey .receivers "fallback") -}}
{{- $errors = append $errors "alertmanagerConfig.receivers: fallback is missing; it receives alerts that match no other route, such as {slackConfigs: [{apiURL: {name: slack, key: url}, channel: \"#tokens\"}]}" -}}
{{- end -}}
{{- $known := list -}}
{{- range (include "tee.file" (dict "root" $ "path" "files/alertmanager.yaml") | fromYaml).receivers }}{{ $known = append $known .name }}{{ end -}}
{{- range $name := keys .receivers | sortAlpha -}}
{{- if not (or (has $name $known) (hasPrefix "team-" $name)) -}}
{{- $errors = append $errors (printf "alertmanagerConfig.receivers: no route for %s; available: %s, and team-NAME for each team" $name (without $known "team-platform" | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.alertmanagerConfig.workingHours -}}
{{- if and $.Values.alertmanagerConfig.enabled (not (lt .start .end)) -}}
{{- $errors = append $errors (printf "alertmanagerConfig.workingHours: %s to %s; the end must be after the start" .start .end) -}}
{{- end -}}
{{- end -}}
{{- with .Values.web.tls.certManager -}}
{{- if .enabled -}}
{{- $duration := include "tee.seconds" .duration | float64 -}}
{{- $before := include "tee.seconds" .renewBefore | float64 -}}
{{- if lt $duration 3600.0 }}{{ $errors = append $errors (printf "web.tls.certManager.duration: %s is shorter than 1h, which cert-manager requires" .duration) }}{{ end -}}
{{- if lt $before 300.0 }}{{ $errors = append $errors (printf "web.tls.certManager.renewBefore: %s is shorter than 5m, which cert-manager requires" .renewBefore) }}{{ end -}}
{{- if not (lt $before $duration) }}{{ $errors = append $errors (printf "web.tls.certManager.renewBefore: %s is not shorter than the duration %s" .renewBefore .duration) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.dashboards.grafanaOperator.enabled (not .Values.dashboards.enabled) -}}
{{- $errors = append $errors "dashboards.grafanaOperator: needs the ConfigMaps of dashboards; set dashboards.enabled" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $errors = append $errors "ingress.hosts: empty; add a host name" -}}
{{- end -}}
{{- if and $existing .Values.networkPolicy.enabled .Values.networkPolicy.cilium.enabled (not .Values.networkPolicy.cilium.hosts) -}}
{{- $errors = append $errors (printf "networkPolicy.cilium: hosts of %s are unknown; list them in networkPolicy.cilium.hosts" $existingKey) -}}
{{- end -}}

{{- if and .Values.networkPolicy.cilium.enabled .Values.networkPolicy.ingress.from -}}
{{- $errors = append $errors "networkPolicy.ingress.from: not used by a CiliumNetworkPolicy; set networkPolicy.cilium.fromEndpoints (endpoint selectors)" -}}
{{- end -}}

{{- if and .Values.networkPolicy.enabled (not (or .Values.networkPolicy.egress.extra .Values.networkPolicy.cilium.hosts .Values.networkPolicy.cilium.extraEgress)) -}}
{{- range .Values.env -}}
{{- if and (has (upper .name) (list "HTTP_PROXY" "HTTPS_PROXY" "ALL_PROXY")) .valueFrom -}}
{{- $errors = append $errors (printf "networkPolicy: the address of %s is unknown; allow it in networkPolicy.egress.extra, or networkPolicy.cilium.hosts" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $stateful := and (not .Values.storage.url) (or .Values.persistence.enabled (gt (int .Values.shards) 1)) -}}
{{- with .Values.updateStrategy -}}
{{- $kind := ternary "StatefulSet" "Deployment" $stateful -}}
{{- if eq (toString .type) (ternary "Recreate" "OnDelete" $stateful) -}}
{{- $errors = append $errors (printf "updateStrategy: %s is not for a %s" .type $kind) -}}
{{- end -}}
{{- range $field := keys (.rollingUpdate | default dict) | sortAlpha -}}
{{- if eq $field (ternary "maxSurge" "partition" $stateful) -}}
{{- $errors = append $errors (printf "updateStrategy.rollingUpdate: %s is not for a %s" $field $kind) -}}
{{- end -}}
{{- end -}}
{{- with .rollingUpdate -}}
{{- $none := list "0" "0%" -}}
{{- if and (has (toString .maxUnavailable) $none) (or $stateful (has (toString .maxSurge) $none)) -}}
{{- $errors = append $errors "updateStrategy.rollingUpdate: no pod may be unavailable or added, so that no update would end" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if not $errors }}{{ $errors = include "tee.podErrors" . | fromJsonArray }}{{ end -}}
{{- if $errors -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " $errors)) -}}
{{- end -}}
{{- end -}}

{{/* Whether the directory of the service account has files: from Kubernetes, or from a volume of the values. */}}
{{- define "tee.mountsServiceAccount" -}}
{{- if .Values.serviceAccount.automountToken }}true{{ end -}}
{{- range .Values.extraVolumeMounts }}{{ if hasPrefix "/var/run/secrets/kubernetes.io" .mountPath }}true{{ end }}{{ end -}}
{{- end -}}

{{/* What is set twice in the pod, by the chart and by the values, as a JSON list of errors. Kubernetes rejects such a pod, or uses the last. */}}
{{- define "tee.podErrors" -}}
{{- $errors := list -}}
{{- if gt (int .Values.shards) 1 -}}
{{- range .Values.env -}}
{{- if eq .name "POD_NAME" }}{{ $errors = append $errors "env: POD_NAME is set by the chart for shards; remove it" }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $pods := list (include "tee.pod" . | fromYaml).spec -}}
{{- if .Values.digest.enabled }}{{ $pods = append $pods (include "tee.digestPod" . | fromYaml) }}{{ end -}}
{{- range $pod := $pods -}}
{{- $volumes := list -}}
{{- range $pod.volumes }}{{ $volumes = append $volumes .name }}{{ end -}}
{{- $isExporter := ne $pod.restartPolicy "Never" -}}
{{- if and $isExporter $.Values.persistence.enabled (not $.Values.storage.url) (not $.Values.persistence.existingClaim) }}{{ $volumes = append $volumes "storage" }}{{ end -}}
{{- $containers := concat $pod.containers ($pod.initContainers | default list) -}}
{{- $lists := list (list "volumes" $volumes) -}}
{{- $containerNames := list -}}
{{- range $containers -}}
{{- $containerNames = append $containerNames .name -}}
{{- $variables := list -}}
{{- range .env }}{{ $variables = append $variables .name }}{{ end -}}
{{- $paths := list -}}
{{- range .volumeMounts -}}
{{- $paths = append $paths (trimSuffix "/" .mountPath) -}}
{{- if not (has .name $volumes) }}{{ $errors = append $errors (printf "volumeMounts: no volume %s for %s" .name .mountPath) }}{{ end -}}
{{- end -}}
{{- $lists = append $lists (list (printf "containers.%s.env" .name) $variables) -}}
{{- $lists = append $lists (list (printf "containers.%s.volumeMounts" .name) $paths) -}}
{{- end -}}
{{- $lists = append $lists (list "containers" $containerNames) -}}
{{- range $lists -}}
{{- $where := first . -}}
{{- $seen := list -}}
{{- range last . -}}
{{- if has . $seen }}{{ $errors = append $errors (printf "%s: %s is set twice, by the chart or the values; remove one" $where .) }}{{ end -}}
{{- $seen = append $seen . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson (uniq $errors) -}}
{{- end -}}
