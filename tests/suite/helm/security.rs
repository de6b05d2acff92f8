//! Pods comply with the level `restricted`, manifests contain no secret, and network policies allow only what is needed.

use serde_json::{Value, json};

use super::{RENDERED, manifest_of, manifests, manifests_of, read, template, workload, yaml};

/// The specs of all pods of a set.
fn pods(manifests: &[Value]) -> Vec<Value> {
    let of_kind = |kind: &'static str| manifests.iter().filter(move |manifest| manifest["kind"] == kind);
    let check = of_kind("Pod").map(|pod| pod["spec"].clone());
    let digest = of_kind("CronJob").map(|job| job["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone());
    let exporter = workload(manifests)["spec"]["template"]["spec"].clone();
    std::iter::once(exporter).chain(check).chain(digest).collect()
}

/// https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and no token unless requested.
#[test]
fn pods_comply_with_level_restricted() {
    for (set, text) in RENDERED.iter() {
        for pod in pods(&manifests(text)) {
            let security = &pod["securityContext"];
            assert_eq!(security["runAsNonRoot"], true, "{set}");
            assert_eq!((&security["runAsUser"], &security["fsGroup"]), (&json!(65532), &json!(65532)), "{set}");
            assert_eq!(security["seccompProfile"], json!({"type": "RuntimeDefault"}), "{set}");
            assert_eq!(pod["automountServiceAccountToken"], set == "automounted-token", "{set}");
            for container in pod["containers"].as_array().unwrap().iter().filter(|it| it["name"] != "proxy") {
                let expected = json!({
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                });
                assert_eq!(container["securityContext"], expected, "{set}");
            }
            for volume in pod["volumes"].as_array().unwrap() {
                let allowed = ["configMap", "csi", "emptyDir", "persistentVolumeClaim", "projected", "secret"];
                assert!(allowed.iter().any(|kind| volume.get(kind).is_some()), "{set}: {volume}");
            }
        }
    }
}

/// A Secret in the chart would be stored in the release.
#[test]
fn chart_renders_no_secret() {
    for (set, text) in RENDERED.iter() {
        assert!(manifests(text).iter().all(|manifest| manifest["kind"] != "Secret"), "{set}");
    }
}

/// The roles: kind, namespace, and the objects that they may list.
fn permissions(manifests: &[Value]) -> Vec<(String, String, Vec<String>)> {
    let is_role = |manifest: &&Value| ["Role", "ClusterRole"].map(Value::from).contains(&manifest["kind"]);
    let object = |rule: &Value| {
        let (group, resource) = (&rule["apiGroups"][0], &rule["resources"][0]);
        assert_eq!(*rule, json!({"apiGroups": [group], "resources": [resource], "verbs": ["list"]}));
        [resource, group].map(|name| name.as_str().unwrap()).join(".").trim_end_matches('.').to_owned()
    };
    let permission = |role: &Value| {
        let objects = role["rules"].as_array().unwrap().iter().map(object).collect();
        (role["kind"].as_str().unwrap().into(), role["metadata"]["namespace"].as_str().unwrap_or("").into(), objects)
    };
    manifests.iter().filter(is_role).map(permission).collect()
}

#[test]
fn permission_to_list_objects_is_rendered_only_if_needed() {
    let permissions = |set: &str| permissions(&manifests_of(set));
    let of = |kind: &str, namespace: &str, objects: &[&str]| {
        (kind.to_owned(), namespace.to_owned(), objects.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    };
    let role = |namespace| of("Role", namespace, &["secrets"]);
    assert_eq!(permissions("kubernetes-cluster"), [of("ClusterRole", "", &["secrets"])]);
    assert_eq!(permissions("kubernetes-namespaces"), [role("shop"), role("billing"), role("mail")]);
    assert_eq!(permissions("rbac-forced"), [role("shop")]);
    let in_shop = of("Role", "shop", &["secrets", "externalsecrets.external-secrets.io"]);
    let expected = [of("ClusterRole", "", &["certificates.cert-manager.io"]), in_shop];
    assert_eq!(permissions("kubernetes-objects"), expected);
    let expected = ["kubernetes-cluster", "kubernetes-namespaces", "kubernetes-objects", "names", "rbac-forced"];
    let with_permissions: Vec<&String> = RENDERED.keys().filter(|set| !permissions(set).is_empty()).collect();
    assert_eq!(with_permissions, expected);
}

/// A listing that is added to the definition fails here until the chart permits what it requests.
#[test]
fn role_permits_exactly_what_each_listing_requests() {
    let definition = yaml(&read("src/providers/definitions/kubernetes.yaml"));
    let listings = ["listings", "locations"].map(|key| definition[key].as_array().unwrap()).into_iter().flatten();
    let dir = tempfile::tempdir().unwrap();
    let mut tried = Vec::new();
    for listing in listings {
        let [name, path, each] =
            [&listing["name"], &listing["get"], &listing["for_each"]["in"]].map(|it| it.as_str().unwrap());
        let group = path.strip_prefix("/apis/").and_then(|path| path.split('/').next());
        let object: Vec<&str> = each.split('"').nth(1).into_iter().chain(group).collect();
        let values = dir.path().join("values.yaml");
        let source = json!({"name": "k", "provider": "kubernetes", "namespaces": ["ci"], "listings": [name],
            "credential": {"file": "/run/secrets/token-expiry-exporter/k"}});
        let text =
            json!({"credentials": {"k": {"serviceAccountToken": {}}}, "config": {"sources": [source]}}).to_string();
        std::fs::write(&values, text).unwrap();
        let rendered = manifests(&template(&values, &[]).unwrap());
        assert_eq!(permissions(&rendered), [("Role".into(), "ci".into(), vec![object.join(".")])], "{name}");
        tried.push(name.to_owned());
    }
    assert_eq!(tried, ["secret", "secret-metadata", "secret-content", "certificate", "external-secret", "use"]);
}

#[test]
fn egress_is_limited_to_configured_hosts() {
    let policy = manifest_of("network-policy", "NetworkPolicy");
    let egress = policy["spec"]["egress"].as_array().unwrap();
    let ports = |rule: &Value| -> Vec<u64> {
        rule["ports"].as_array().unwrap().iter().map(|port| port["port"].as_u64().unwrap()).collect()
    };
    // Atlassian at its default URL, GitLab through its proxy, Jira and Vault at theirs; nothing for the manual source.
    assert_eq!(
        egress.iter().map(ports).collect::<Vec<_>>(),
        [vec![53, 53], vec![8200, 8443, 443, 3128], vec![8200], vec![8443]]
    );
    assert_eq!(egress[1]["to"][1]["ipBlock"], json!({"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}));
    assert_eq!(egress[2]["to"], json!([{"ipBlock": {"cidr": "10.1.2.3/32"}}]));
    assert_eq!(egress[3]["to"], json!([{"ipBlock": {"cidr": "2001:db8::1/128"}}]));

    let hosts = |set: &str| -> Vec<String> {
        let policy = manifest_of(set, "CiliumNetworkPolicy");
        let name = |rule: &Value| {
            let host = rule["toFQDNs"][0]["matchName"].as_str().or_else(|| rule["toCIDR"][0].as_str())?;
            Some(format!("{host} {}", rule["toPorts"][0]["ports"][0]["port"].as_str().unwrap()))
        };
        policy["spec"]["egress"].as_array().unwrap().iter().filter_map(name).collect()
    };
    let expected = [
        "10.1.2.3/32 8200",
        "2001:db8::1/128 8443",
        "api.atlassian.com 443",
        "proxy.example.com 3128",
        "login.example.com 443",
        "proxy.example.com 8080",
    ];
    assert_eq!(hosts("cilium"), expected);
    assert_eq!(hosts("shared-store-secret"), ["rook-ceph-rgw.rook-ceph.svc 8080"]);
    assert_eq!(hosts("shared-store-azure"), ["acmetokens.blob.core.windows.net 443", "login.microsoftonline.com 443"]);
    for (set, expected) in [
        ("shared-store", "s3.eu-central-1.amazonaws.com:443, sts.eu-central-1.amazonaws.com:443"),
        ("shared-store-google", "169.254.169.254:80, oauth2.googleapis.com:443, storage.googleapis.com:443"),
    ] {
        assert!(super::RENDERED[set].contains(expected), "{set}: {expected}");
    }
    // The metadata service of the machine, which gives a pod its identity, is allowed by its address.
    let google = manifest_of("shared-store-google", "NetworkPolicy")["spec"]["egress"].to_string();
    assert!(google.contains("\"cidr\":\"169.254.169.254/32\""), "{google}");
    assert_eq!(hosts("definitions"), ["api.acme.example 443"], "from a definition of the values");
}
