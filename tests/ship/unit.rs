//! The package on a Debian whose systemd runs: installed, started under its hardening, reloaded, stopped, and taken away.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use crate::docker::{Container, MACHINE, dist, docker, field, try_docker};
use crate::equipment::{client, free_port, promtool_has_nothing_to_say, wait_for};
use crate::{table, tokens};

const UNIT: &str = "token-expiry-exporter";

/// A Debian with systemd as its first process. It may do what systemd needs to confine others, which is less than
/// `--privileged`.
fn machine() -> Container {
    let rights = ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"].map(|right| format!("--cap-add={right}"));
    let mut args: Vec<&str> = rights.iter().map(String::as_str).collect();
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
        // A container's mounts are its own; systemd brings secrets into the view of a service by a mount that is shared.
        "mount --make-rshared / && exec /lib/systemd/systemd",
    ]);
    Container::run(&args)
}

/// A provider that answers 403 to everything, and tells the header by which it was asked.
fn provider() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
                if line.is_empty() {
                    break;
                }
                if line.to_ascii_lowercase().starts_with("x-vault-token:") {
                    drop(tell.send(line));
                }
            }
            drop(stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        }
    });
    (url, told)
}

#[tokio::test]
async fn the_unit_runs_the_packaged_program_under_its_hardening() {
    let machine = machine();
    wait_for("systemd runs", Duration::from_secs(60), || async {
        (machine.exec(&["systemctl", "is-system-running"]).1 == "running").then_some(())
    })
    .await;

    // Installed without a configuration: enabled, not started, and no unit failed.
    docker(&["cp", dist(".deb").to_str().unwrap(), &format!("{}:/root/package.deb", machine.id)]);
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

    let (vault, told) = provider();
    let port = free_port();
    let config = format!(
        "interval: 1s\nsources:\n  - {{name: by-hand, provider: manual, file: tokens.csv}}\n  - {{name: vault, provider: vault, auth: token, \
         url: '{vault}', credential: {{file: /run/credentials/{UNIT}.service/secret_vault}}}}\n"
    );
    let write = |path: &str, content: &str| {
        machine.sh(&format!("umask 022; printf %s \"{}\" >{path}", content.replace('"', "\\\"")))
    };
    write("/etc/token-expiry-exporter/config.yaml", &config);
    write("/etc/token-expiry-exporter/tokens.csv", &table(&["one"]));
    machine.sh("umask 077; echo a-secret >/etc/token-expiry-exporter/secrets/vault");
    write("/etc/default/token-expiry-exporter", &format!("ARGS=\"--web.listen-address=127.0.0.1:{port}\"\n"));
    machine.sh("systemctl start token-expiry-exporter");

    let url = format!("http://127.0.0.1:{port}/metrics");
    let tells = async |names: &[&str]| {
        wait_for(&format!("it tells of {names:?}"), Duration::from_secs(30), || async {
            let text = client().get(&url).send().await.ok()?.text().await.ok()?;
            (tokens(&text) == names).then_some(text)
        })
        .await
    };
    machine.sh("sleep 1; systemctl is-active token-expiry-exporter || { journalctl --no-pager -u token-expiry-exporter; false; }");
    let text = tells(&["one"]).await;
    promtool_has_nothing_to_say(&text);
    assert!(
        text.contains("\nprocess_start_time_seconds "),
        "what the hardening hides must not be what is told:\n{text}"
    );
    let header = told.recv_timeout(Duration::from_secs(20)).expect("the secret of LoadCredential reaches the provider");
    assert_eq!(header.to_ascii_lowercase(), "x-vault-token: a-secret");

    // What the kernel says of the process.
    let status = machine.sh("cat /proc/$(systemctl show -p MainPID --value token-expiry-exporter)/status");
    let uid: u32 = field(&status, "Uid").split('\t').next().unwrap().parse().unwrap();
    assert!((61184..=65519).contains(&uid), "a dynamic user: {uid}");
    for capabilities in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&status, capabilities), "0000000000000000", "{capabilities}");
    }
    assert_eq!((field(&status, "NoNewPrivs"), field(&status, "Seccomp")), ("1", "2"));
    // What it sees of the machine: its own view of the file system is read-only, but for its folder.
    let mounts = machine.sh("cat /proc/$(systemctl show -p MainPID --value token-expiry-exporter)/mountinfo");
    let writable = |path: &str| {
        let mount = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some(path));
        mount.map(|line| line.split(' ').nth(5).unwrap().starts_with("rw"))
    };
    assert_eq!(writable("/"), Some(false), "{mounts}");
    assert_eq!(writable("/var/lib/private/token-expiry-exporter"), Some(true), "{mounts}");
    assert_eq!(machine.sh("stat -Lc %a /var/lib/token-expiry-exporter"), "700");

    write("/etc/token-expiry-exporter/tokens.csv", &table(&["one", "two"]));
    machine.sh("systemctl reload token-expiry-exporter");
    tells(&["one", "two"]).await;

    let took = machine
        .sh("begun=$(date +%s%N); systemctl stop token-expiry-exporter; echo $((($(date +%s%N) - begun) / 1000000))");
    assert!(took.parse::<u64>().unwrap() < 2000, "stopped after {took} ms");
    assert_eq!(machine.sh("systemctl show -p Result --value token-expiry-exporter"), "success");
    let kept = machine.sh("cat /var/lib/token-expiry-exporter/inventory.json");
    assert!(kept.contains("two") && !kept.contains("a-secret"), "{kept}");

    // A mistake is told once, not every five seconds.
    write("/etc/token-expiry-exporter/config.yaml", "sources: []\n");
    machine.sh("systemctl start token-expiry-exporter || true; sleep 1");
    assert_eq!(machine.sh("systemctl show -p ActiveState -p NRestarts --value token-expiry-exporter"), "0\nfailed");
    machine.sh("systemctl reset-failed token-expiry-exporter");

    // Taken away with all that it made; what people wrote stays.
    machine.sh("dpkg --purge token-expiry-exporter");
    assert_eq!(
        machine.sh("ls -d /var/lib/token-expiry-exporter /var/lib/private/token-expiry-exporter 2>/dev/null || true"),
        ""
    );
    assert_eq!(machine.sh("ls /etc/token-expiry-exporter"), "config.yaml\nsecrets\ntokens.csv");
    assert!(!try_docker(&["exec", &machine.id, "systemctl", "cat", UNIT]).status.success(), "the unit is gone");
}
