#!/usr/bin/env bash
# Runs NetBox or Zabbix in Debian 13, until it is killed or the process that started it ends. Everything else that they need,
# PostgreSQL and Redis, has no port, and ends with it.
#
#   tests/tools/debian13.sh run COMMAND…          any command
#   tests/tools/debian13.sh fill                  makes the databases that the tests copy
#   tests/tools/debian13.sh netbox FOLDER PORT    http://127.0.0.1:PORT, with a superuser `admin`, password `admin`
#   tests/tools/debian13.sh zabbix FOLDER PORT    http://127.0.0.1:PORT/zabbix, user `Admin`, password `zabbix`
set -euo pipefail
script=$(realpath "$0")
here=$(dirname "$script")
tools=$(realpath "$here/../../.tools")/debian13
export PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
export PYTHONPATH=$tools/netbox:$here PYTHONDONTWRITEBYTECODE=1
export DJANGO_SETTINGS_MODULE=netbox.settings NETBOX_CONFIGURATION=netbox_configuration NETBOX_ROOT=/run

# With namespaces instead of a chroot: all files keep their names, only /usr is that of Debian 13, and /run is empty for the
# sockets of the servers. The second namespace has a user that is not root, which PostgreSQL demands. No process outlives the
# first one.
enter() {
  # shellcheck disable=SC2016 # for the inner shell
  local mounts='mount --bind "$0" /usr'
  [ "$1" = run ] || { mounts="mount -t tmpfs tmpfs /run && $mounts" && export HOME=/run; }
  exec setpriv --pdeathsig KILL unshare --user --map-root-user --mount --pid --fork --kill-child --mount-proc \
    sh -c "$mounts"' && exec unshare --user --map-user=1 "$@"' "$tools/usr" "$script" inside "$@"
}

# A PostgreSQL without fsync in FOLDER/postgres.
postgres() {
  command postgres -D "$1/postgres" -k /run -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=30 \
    -c max_wal_size=16MB -c min_wal_size=2MB -c log_min_messages=fatal &
  until pg_isready --quiet --host=/run --username=postgres; do kill -0 $! && sleep 0.1; done
}

redis() { redis-server --port 0 --unixsocket /run/redis.sock --save '' --dir "$1" --loglevel nothing & }

# The databases are small files, as each test copies them.
fill() {
  local folder
  for folder in netbox zabbix; do
    folder=$tools/filled/$folder
    mkdir -p "$folder"
    initdb --pgdata="$folder/postgres" --username=postgres --auth=trust --wal-segsize=1 --no-sync >/dev/null
    postgres "$folder"
    "fill_$(basename "$folder")" "$folder"
    pg_ctl stop --pgdata="$folder/postgres" --silent
  done
}

fill_netbox() {
  redis "$1"
  createdb --host=/run --username=postgres netbox
  DJANGO_SUPERUSER_PASSWORD='admin' python3.13 "$here/netbox_tables.py"
}

fill_zabbix() {
  createdb --host=/run --username=postgres zabbix
  for file in schema images data; do
    zcat "/usr/share/zabbix-server-pgsql/$file.sql.gz"
  done | psql --host=/run --username=postgres --quiet --set=ON_ERROR_STOP=1 zabbix >/dev/null
}

case $1 in
  inside) shift ;;
  *) enter "$@" ;;
esac
case $1 in
  run) shift && exec "$@" ;;
  fill) fill ;;
  netbox)
    postgres "$2"
    redis "$2"
    exec python3.13 -m gunicorn --bind "127.0.0.1:$3" --threads 4 netbox.wsgi
    ;;
  zabbix)
    postgres "$2"
    php=(php8.4 -n -d post_max_size=16M -d max_execution_time=300)
    for module in bcmath ctype dom gd gettext mbstring pgsql simplexml sockets xmlreader xmlwriter; do php+=(-d "extension=$module"); done
    PHP_CLI_SERVER_WORKERS=2 exec "${php[@]}" -S "127.0.0.1:$3" -t /usr/share
    ;;
esac
