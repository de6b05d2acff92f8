#!/usr/bin/env bash
# Runs Ceph's object gateway (S3) with a monitor, one OSD in memory and a manager, in DIR, until it is killed.
#
#   tests/tools/radosgw.sh DIR PORT MONITOR_PORT      access key `test`, secret key `testtest`
set -euo pipefail
dir=$(realpath "$1") port=$2 monitor=$3
root=$(realpath "$(dirname "$(realpath "$0")")/../../.tools/ceph")
lib=$(dirname "$(find "$root/usr/lib" -name librados.so.2)")
export PATH=$root/usr/bin:$PATH LD_LIBRARY_PATH=$lib:$lib/ceph:$root${lib#"$root/usr"} PYTHONPATH=$root/usr/lib/python3/dist-packages CEPH_CONF=$dir/ceph.conf

fsid=$(cat /proc/sys/kernel/random/uuid) osd=$(cat /proc/sys/kernel/random/uuid)
mkdir -p "$dir"/{run,mgr,osd}
cat >"$dir/ceph.conf" <<EOF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$monitor,v1:127.0.0.1:$((monitor + 1))]
auth cluster required = none
auth service required = none
auth client required = none
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
run dir = $dir/run
admin socket = $dir/run/\$name.sock
pid file = $dir/run/\$name.pid
log file = $dir/\$name.log
mon cluster log file = $dir/cluster.log
crash dir = $dir/run
mon data = $dir/mon
mgr data = $dir/mgr
osd data = $dir/osd
plugin dir = $lib/ceph
erasure code dir = $lib/ceph/erasure-code
osd class dir = $lib/rados-classes
mgr module path = $root/usr/share/ceph/mgr
osd objectstore = memstore
memstore device bytes = 1073741824
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$port
EOF

# The process ends with this script, also if that is killed.
start() { setpriv --pdeathsig KILL "$@" & }

monmaptool --create --addv a "[v2:127.0.0.1:$monitor,v1:127.0.0.1:$((monitor + 1))]" --fsid "$fsid" "$dir/monmap"
ceph-mon --mkfs -i a --monmap "$dir/monmap"
start ceph-mon -f -i a
timeout 60 ceph osd new "$osd"
ceph-osd -i 0 --mkfs --osd-uuid "$osd"
start ceph-mgr -f -i x
start ceph-osd -f -i 0
timeout 60 ceph osd crush add osd.0 1.0 host=h root=default
timeout 120 radosgw-admin -n client.rgw user create --uid=t --display-name=t --access-key=test --secret-key=testtest >/dev/null
start radosgw -f -n client.rgw --auth-client-required=none --auth-cluster-required=none --auth-service-required=none \
  --ms-mon-client-mode=crc --ms-mon-service-mode=crc --ms-mon-cluster-mode=crc
wait
