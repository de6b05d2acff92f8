<?php
// Zabbix' frontend with its database behind a socket, for tests/tools/debian13.sh.
$DB['TYPE'] = 'POSTGRESQL';
$DB['SERVER'] = '/run';
$DB['PORT'] = '0';
$DB['DATABASE'] = 'zabbix';
$DB['USER'] = 'postgres';
$DB['PASSWORD'] = '';
$DB['SCHEMA'] = '';
$DB['ENCRYPTION'] = false;
$DB['VAULT'] = '';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
