//! The Debian package under systemd: installed, started with its hardening, reloaded, stopped and purged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use crate::docker::{Container, MACHINE, dist_file, docker, field, try_docker};
use crate::test_servers::{assert_promtool_accepts, client, free_port, wait_for};
use crate::{csv, token_names};

const UNIT: &str = "token-expiry-exporter";

/// A Debian container with systemd as first process. It has the capabilities that systemd needs for sandboxing, which are
/// fewer than `--privileged`.
fn machine() -> Container {
    let capabilities =
        ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"].map(|name| format!("--cap-add={name}"));
    let mut args: Vec<&str> = capabilities.iter().map(String::as_str).collect();
    args.extend([
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
        "--network=host",
        "--cgroupns=host",
        "--volume=/sys/fs/cgroup:/sys/fs/cgroup",
        "--tmpfs=/run",
        "--tmpfs=/tmp",
        "--env=container=docker",
        MACHINE,
        "sh",
        "-c",
        // The mounts of a container are private; systemd passes credentials to a service through a shared mount.
        "mount --make-rshared / && exec /lib/systemd/systemd",
    ]);
    Container::run(&args)
}

/// A provider that responds 403 to everything, and a channel of the X-Vault-Token headers it receives.
fn provider() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, headers) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
                if line.is_empty() {
                    break;
                }
                if line.to_ascii_lowercase().starts_with("x-vault-token:") {
                    drop(sender.send(line));
                }
            }
            drop(stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        }
    });
    (url, headers)
}

#[tokio::test]
async fn unit_runs_the_packaged_program_under_its_hardening() {
    let machine = machine();
    wait_for("systemd runs", || async {
        (machine.exec(&["systemctl", "is-system-running"]).1 == "running").then_some(())
    })
    .await;

    // Without a configuration: enabled, but skipped instead of failed.
    docker(&["cp", dist_file(".deb").to_str().unwrap(), &format!("{}:/root/package.deb", machine.id)]);
    machine.sh("dpkg -i /root/package.deb");
    assert_eq!(machine.sh("systemctl is-enabled token-expiry-exporter"), "enabled");
    machine.sh("systemctl start token-expiry-exporter");
    assert_eq!(
        machine.sh("systemctl show -p ActiveState -p ConditionResult --value token-expiry-exporter"),
        "inactive\nno"
    );
    assert_eq!(machine.sh("systemctl --failed --quiet --plain --no-legend"), "");

    let score = machine.sh("systemd-analyze security --no-pager token-expiry-exporter | tail -n 1");
    assert!(score.contains(" 1.1 OK"), "docs/install.md says 1.1: {score}");

    let (vault, headers) = provider();
    let port = free_port();
    let config = format!(
        "interval: 1s\nsources:\n  - {{name: by-hand, provider: manual, file: tokens.csv}}\n  - {{name: vault, provider: vault, auth: token, \
         url: '{vault}', credential: {{file: /run/credentials/{UNIT}.service/secret_vault}}}}\n"
    );
    let write = |path: &str, content: &str| {
        machine.sh(&format!("umask 022; printf %s \"{}\" >{path}", content.replace('"', "\\\"")))
    };
    write("/etc/token-expiry-exporter/config.yaml", &config);
    write("/etc/token-expiry-exporter/tokens.csv", &csv(&["one"]));
    machine.sh("umask 077; echo a-secret >/etc/token-expiry-exporter/secrets/vault");
    write("/etc/default/token-expiry-exporter", &format!("ARGS=\"--web.listen-address=127.0.0.1:{port}\"\n"));
    machine.sh("systemctl start token-expiry-exporter");

    let url = format!("http://127.0.0.1:{port}/metrics");
    let wait_for_tokens = async |names: &[&str]| {
        wait_for(&format!("tokens {names:?}"), || async {
            let text = client().get(&url).send().await.ok()?.text().await.ok()?;
            (token_names(&text) == names).then_some(text)
        })
        .await
    };
    machine.sh("sleep 1; systemctl is-active token-expiry-exporter || { journalctl --no-pager -u token-expiry-exporter; false; }");
    let text = wait_for_tokens(&["one"]).await;
    assert_promtool_accepts(&text);
    assert!(text.contains("\nprocess_start_time_seconds "), "the hardening hides /proc/stat:\n{text}");
    let header =
        headers.recv_timeout(Duration::from_secs(20)).expect("the secret of LoadCredential reaches the provider");
    assert_eq!(header.to_ascii_lowercase(), "x-vault-token: a-secret");

    // Confinement of the process, from the kernel.
    let status = machine.sh("cat /proc/$(systemctl show -p MainPID --value token-expiry-exporter)/status");
    let uid: u32 = field(&status, "Uid").split('\t').next().unwrap().parse().unwrap();
    assert!((61184..=65519).contains(&uid), "a dynamic user: {uid}");
    for capabilities in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&status, capabilities), "0000000000000000", "{capabilities}");
    }
    assert_eq!((field(&status, "NoNewPrivs"), field(&status, "Seccomp")), ("1", "2"));
    // Its mount namespace is read-only, except for the state directory.
    let mounts = machine.sh("cat /proc/$(systemctl show -p MainPID --value token-expiry-exporter)/mountinfo");
    let writable = |path: &str| {
        let mount = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some(path));
        mount.map(|line| line.split(' ').nth(5).unwrap().starts_with("rw"))
    };
    assert_eq!(writable("/"), Some(false), "{mounts}");
    assert_eq!(writable("/var/lib/private/token-expiry-exporter"), Some(true), "{mounts}");
    assert_eq!(machine.sh("stat -Lc %a /var/lib/token-expiry-exporter"), "700");

    write("/etc/token-expiry-exporter/tokens.csv", &csv(&["one", "two"]));
    machine.sh("systemctl reload token-expiry-exporter");
    wait_for_tokens(&["one", "two"]).await;

    let milliseconds = machine
        .sh("begun=$(date +%s%N); systemctl stop token-expiry-exporter; echo $((($(date +%s%N) - begun) / 1000000))");
    assert!(milliseconds.parse::<u64>().unwrap() < 2000, "stopped after {milliseconds} ms");
    assert_eq!(machine.sh("systemctl show -p Result --value token-expiry-exporter"), "success");
    let inventory = machine
        .sh("cd /var/lib/token-expiry-exporter; cat *.state; for file in *.tokens; do tail -n +2 $file | zcat; done");
    assert!(inventory.contains("two") && !inventory.contains("a-secret"), "{inventory}");

    // An invalid configuration is not retried.
    write("/etc/token-expiry-exporter/config.yaml", "sources: []\n");
    machine.sh("systemctl start token-expiry-exporter || true; sleep 1");
    assert_eq!(machine.sh("systemctl show -p ActiveState -p NRestarts --value token-expiry-exporter"), "0\nfailed");
    machine.sh("systemctl reset-failed token-expiry-exporter");

    // A purge removes the state, and keeps the files of the administrator.
    machine.sh("dpkg --purge token-expiry-exporter");
    assert_eq!(
        machine.sh("ls -d /var/lib/token-expiry-exporter /var/lib/private/token-expiry-exporter 2>/dev/null || true"),
        ""
    );
    assert_eq!(machine.sh("ls /etc/token-expiry-exporter"), "config.yaml\nsecrets\ntokens.csv");
    assert!(!try_docker(&["exec", &machine.id, "systemctl", "cat", UNIT]).status.success(), "the unit is removed");
}
