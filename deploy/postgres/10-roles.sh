#!/bin/bash
# Run once by the official PostgreSQL image, when its data folder is empty.
#
# Two roles, each owner of its own databases and of nothing else: neither curbstop nor Temporal is a superuser,
# and neither reads the other's tables.
set -euo pipefail

: "${CURBSTOP_DB_PASSWORD:?}" "${TEMPORAL_DB_PASSWORD:?}"

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
	--set curbstop_password="$CURBSTOP_DB_PASSWORD" \
	--set temporal_password="$TEMPORAL_DB_PASSWORD" <<'SQL'
CREATE ROLE curbstop LOGIN PASSWORD :'curbstop_password';
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';

CREATE DATABASE curbstop            OWNER curbstop TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
CREATE DATABASE temporal            OWNER temporal TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
CREATE DATABASE temporal_visibility OWNER temporal TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';

REVOKE CONNECT ON DATABASE curbstop, temporal, temporal_visibility FROM PUBLIC;
SQL
