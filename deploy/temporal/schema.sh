#!/bin/sh
# Creates Temporal's tables, or brings them up to the version of this admin-tools image. Changes nothing when they are.
#
# Run before each start of the server: an upgrade of both images upgrades the tables first.
# The connection comes from SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD and SQL_PLUGIN.
set -eu

for pair in temporal:temporal temporal_visibility:visibility; do
	database=${pair%%:*}
	schema=${pair##*:}
	echo "schema of $database"
	temporal-sql-tool --database "$database" setup-schema -v 0.0
	temporal-sql-tool --database "$database" update-schema --schema-name "postgresql/v12/$schema"
done
