# Prints the subcommand; fails if there is one.
function __fish_token_expiry_exporter_needs_command
    set -l words (commandline -opc)
    set -e words[1]
    set -l is_value 0
    for word in $words
        if test $is_value = 1
            set is_value 0
            continue
        end
        switch $word
            case '-*'
                contains -- $word --config.file --providers.dir --storage.path --storage.url --storage.installation --storage.when-lost --storage.poll --web.listen-address --web.probe-listen-address --web.telemetry-path --web.external-url --web.route-prefix --web.config.file --web.calendar-key-file --shard --log.level --log.format
                and set is_value 1
            case '*'
                echo $word
                return 1
        end
    end
    return 0
end

function __fish_token_expiry_exporter_using_subcommand
    set -l cmd (__fish_token_expiry_exporter_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l config.file -d 'Configuration file' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l providers.dir -d 'Directory of additional provider definitions (*.yaml)' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l storage.path -d 'Directory for the persisted inventory (contains no secrets); unset: not persisted' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l storage.url -d 'Store that replicas share, instead of --storage.path: s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX; its credentials are environment variables' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l storage.installation -d 'Name of this installation: replicas with another name refuse the store, so that two installations never share a prefix' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l storage.when-lost -d 'While the shared store is lost' -r -f -a "collect\t'Go on collecting'
hold\t'Collect nothing'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l storage.poll -d 'Interval at which the shared store is read; a failed replica is replaced after 5.5 of it' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l web.listen-address -d 'Address to listen on, such as :10984 or 127.0.0.1:10984; repeatable' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l web.probe-listen-address -d 'Separate address for /-/healthy and /-/ready only, without TLS or authentication' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l web.telemetry-path -d 'Path of the metrics' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l web.external-url -d 'URL at which people reach the exporter, for links in alerts and mails; its path is the default of --web.route-prefix' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l web.route-prefix -d 'Prefix of all paths, which also work without it' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l web.config.file -d 'Web configuration file (exporter-toolkit format): TLS, client certificates, users' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l web.calendar-key-file -d 'File with a secret of at least 32 bytes: the key of a calendar\'s URL replaces the login; see `calendar-url`' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l shard -d 'Collect only shard I of N, such as 1/3; in a StatefulSet POD/N, such as exporter-0/3' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -l web.enable-lifecycle -d 'Enable POST /-/reload'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -s V -l version -d 'Print version'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "serve" -d 'Collect in the background and serve metrics, the status page and the calendar (the default)'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "check" -d 'Validate the configuration, definitions and web configuration; with --online, also query each provider'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "list" -d 'Collect once and print every token'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "explain" -d 'Collect once and explain one token: where it comes from, what each rule did, when it alerts and whom'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "providers" -d 'List known providers, or describe one'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "schema" -d 'Print a JSON Schema of the configuration, for editors'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "digest" -d 'Mail owners or teams which of their tokens to renew this week, as a running exporter knows them'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "calendar-url" -d 'Print the URL of a calendar, with the key that opens it without a login'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "health" -d 'Check that an exporter is running'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "demo" -d 'Run against a simulated organisation; needs no account or configuration'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l config.file -d 'Configuration file' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l providers.dir -d 'Directory of additional provider definitions (*.yaml)' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l storage.path -d 'Directory for the persisted inventory (contains no secrets); unset: not persisted' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l storage.url -d 'Store that replicas share, instead of --storage.path: s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX; its credentials are environment variables' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l storage.installation -d 'Name of this installation: replicas with another name refuse the store, so that two installations never share a prefix' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l storage.when-lost -d 'While the shared store is lost' -r -f -a "collect\t'Go on collecting'
hold\t'Collect nothing'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l storage.poll -d 'Interval at which the shared store is read; a failed replica is replaced after 5.5 of it' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l web.listen-address -d 'Address to listen on, such as :10984 or 127.0.0.1:10984; repeatable' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l web.probe-listen-address -d 'Separate address for /-/healthy and /-/ready only, without TLS or authentication' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l web.telemetry-path -d 'Path of the metrics' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l web.external-url -d 'URL at which people reach the exporter, for links in alerts and mails; its path is the default of --web.route-prefix' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l web.route-prefix -d 'Prefix of all paths, which also work without it' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l web.config.file -d 'Web configuration file (exporter-toolkit format): TLS, client certificates, users' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l web.calendar-key-file -d 'File with a secret of at least 32 bytes: the key of a calendar\'s URL replaces the login; see `calendar-url`' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l shard -d 'Collect only shard I of N, such as 1/3; in a StatefulSet POD/N, such as exporter-0/3' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -l web.enable-lifecycle -d 'Enable POST /-/reload'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand check" -l config.file -d 'Configuration file [default: token-expiry-exporter.yaml, unless only other files are given]' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand check" -l providers.dir -d 'Directory of additional provider definitions (*.yaml)' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand check" -l web.config.file -d 'Web configuration file to validate too' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand check" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand check" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand check" -l online -d 'Collect a sample of each listing: report what its definition did, and missing permissions'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l config.file -d 'Configuration file' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l providers.dir -d 'Directory of additional provider definitions (*.yaml)' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l source -d 'Collect only this source; repeatable' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l output -d 'Output format' -r -f -a "table\t'Aligned columns, for a terminal'
json\t'As /api/v1/tokens'
csv\t'For a spreadsheet'
prom\t'As /metrics'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l color -d 'Colours in the table; NO_COLOR switches them off' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l fail-within -d 'Exit with 1 if a token in an alert band has expired or expires within this duration, such as 7d' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l sort -d 'expiry, name, owner, source, kind or last_used; with - in front: descending, such as --sort=-expiry' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l offset -d 'Skip the first tokens' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l limit -d 'Print at most this many tokens' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l provider -d 'Only this provider' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l kind -d 'Only this kind, such as api-token' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l owner -d 'Only this owner: name, id or address, as far as `labels` expose them' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l team -d 'Only this team: the label `team`' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l state -d 'Only this state: active, expired, replaced or disabled' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l band -d 'Only this alert band: warning, critical or expired' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l finding -d 'Only tokens with this finding, such as no_owner' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l within -d 'Only tokens that have expired or expire within this duration, such as 30d' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -s q -l search -d 'Only tokens with all of these words in any field' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -l all -d 'With --fail-within: also tokens in no alert band, by time alone'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand explain" -l config.file -d 'Configuration file' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand explain" -l providers.dir -d 'Directory of additional provider definitions (*.yaml)' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand explain" -l source -d 'Collect only this source; repeatable' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand explain" -l color -d 'Colours; NO_COLOR switches them off' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand explain" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand explain" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand providers" -l providers.dir -d 'Directory of additional provider definitions (*.yaml)' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand providers" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand providers" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand providers" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand schema" -l providers.dir -d 'Directory of additional provider definitions (*.yaml)' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand schema" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand schema" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand schema" -l definitions -d 'Print the schema of provider definitions instead'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l exporter.url -d 'URL of a running exporter, with its path behind a proxy; repeatable, for shards' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l exporter.username -d 'User name, if the exporter requires a login' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l exporter.password-file -d 'File with the password of --exporter.username' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l exporter.bearer-token-file -d 'File with a bearer token, if a proxy in front of the exporter requires one' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l exporter.ca-file -d 'PEM file of CAs to trust in addition to the system\'s' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l exporter.cert-file -d 'PEM file of a client certificate' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l exporter.key-file -d 'PEM file of its key' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l mail.by -d 'One mail per owner, or per team (the label `team`)' -r -f -a "owner\t'By the owner\'s address'
team\t'By the label `team`; addresses are those of --mail.team'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l mail.from -d 'Sender, such as tokens@example.com' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l mail.allow-domain -d 'Domain of recipients; no other domain receives a mail; repeatable' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l mail.team -d 'Address of a team, such as platform=platform@example.com; repeatable' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l mail.fallback -d 'Recipient of tokens that have no allowed address, and of sources that are incomplete' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l web.external-url -d 'URL at which readers reach the exporter, for links to the pages of tokens; without it there are none' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l smtp.server -d 'Mail server: HOST or HOST:PORT' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l smtp.tls -d 'How the connection is encrypted' -r -f -a "starttls\t'STARTTLS is required; default port 587'
implicit\t'TLS from the start; default port 465'
none\t'No encryption, only without a login; default port 25'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l smtp.username -d 'User name at the mail server' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l smtp.password-file -d 'File with the password of --smtp.username' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l smtp.ca-file -d 'PEM file of CAs to trust in addition to the system\'s' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l format -d 'Which form of the mails to print' -r -f -a "text\t'Plain text'
html\t'HTML'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l state.file -d 'File that remembers who received the mail of the week, so that no mail is sent twice' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l textfile -d 'File for the textfile collector of node_exporter (*.prom), written at the end of each run that sends' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l source -d 'Only this source; repeatable' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l provider -d 'Only this provider' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l kind -d 'Only this kind, such as api-token' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l owner -d 'Only this owner: name, id or address, as far as `labels` expose them' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l team -d 'Only this team: the label `team`' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l state -d 'Only this state: active, expired, replaced or disabled' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l band -d 'Only this alert band: warning, critical or expired' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l finding -d 'Only tokens with this finding, such as no_owner' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l within -d 'Only tokens that have expired or expire within this duration, such as 30d' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -s q -l search -d 'Only tokens with all of these words in any field' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -l dry-run -d 'Print the mails instead of sending them; the default without --smtp.server'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand digest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l web.calendar-key-file -d 'File with the secret, as for `serve`' -r -F
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l web.external-url -d 'URL at which readers reach the exporter, with its path behind a proxy' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l source -d 'Only this source' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l provider -d 'Only this provider' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l kind -d 'Only this kind, such as api-token' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l owner -d 'Only this owner: name, id or address, as far as `labels` expose them' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l team -d 'Only this team: the label `team`' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l state -d 'Only this state: active, expired, replaced or disabled' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l band -d 'Only this alert band: warning, critical or expired' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l finding -d 'Only tokens with this finding, such as no_owner' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l within -d 'Only tokens that have expired or expire within this duration, such as 30d' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -s q -l search -d 'Only tokens with all of these words in any field' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand calendar-url" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand health" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand health" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -l web.listen-address -d 'Address to listen on' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -l control.listen-address -d 'Address of the control endpoint, which changes the organisation; port 0: any free port' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -l tokens -d 'Approximate number of tokens; default: a few hundred' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -l interval -d 'Collection interval in seconds' -r
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -l log.level -d 'Minimum log level' -r -f -a "debug\t''
info\t''
warn\t''
error\t''"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -l log.format -d 'Log format' -r -f -a "logfmt\t'key=value pairs'
json\t'One JSON object per line'"
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -l print-config -d 'Print the demo\'s configuration and exit'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -l expect -d 'Print the expected metric values as JSON and exit'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "serve" -d 'Collect in the background and serve metrics, the status page and the calendar (the default)'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "check" -d 'Validate the configuration, definitions and web configuration; with --online, also query each provider'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "list" -d 'Collect once and print every token'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "explain" -d 'Collect once and explain one token: where it comes from, what each rule did, when it alerts and whom'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "providers" -d 'List known providers, or describe one'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "schema" -d 'Print a JSON Schema of the configuration, for editors'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "digest" -d 'Mail owners or teams which of their tokens to renew this week, as a running exporter knows them'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "calendar-url" -d 'Print the URL of a calendar, with the key that opens it without a login'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "health" -d 'Check that an exporter is running'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "demo" -d 'Run against a simulated organisation; needs no account or configuration'
complete -c token-expiry-exporter -n "__fish_token_expiry_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve check list explain providers schema digest calendar-url health demo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
