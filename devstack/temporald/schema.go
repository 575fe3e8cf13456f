package main

import (
	"context"
	"fmt"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"
)

// maintenanceDatabase exists in every PostgreSQL cluster; a database is created through a connection to it.
const maintenanceDatabase = "postgres"

// prepareDatabases creates the databases that are missing and brings each schema to the version of the built-in
// server. It changes nothing when everything is there, so every start may call it; it never goes back to an older
// version. An update that was cut off is taken up again at the next call.
func prepareDatabases(ctx context.Context, s settings, logger log.Logger) error {
	for _, database := range []struct{ name, schema string }{
		{mainDatabase, "postgresql/v12/temporal"},
		{visibilityDatabase, "postgresql/v12/visibility"},
	} {
		// The schema tool takes no context, so the step between two databases is where a stop takes effect.
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sql.DoCreateDatabase(sqlConfig(s, database.name, 1), maintenanceDatabase, logger); err != nil {
			return fmt.Errorf("create database %s: %w", database.name, err)
		}
		if err := updateSchema(s, database.name, database.schema, logger); err != nil {
			return fmt.Errorf("update the schema of %s: %w", database.name, err)
		}
	}
	return nil
}

func updateSchema(s settings, database, schemaName string, logger log.Logger) error {
	connection, err := sql.NewConnection(sqlConfig(s, database, 1), logger)
	if err != nil {
		return err
	}
	defer connection.Close()
	// Version 0.0 only sets up the tables that record the version, and leaves a newer record as it is.
	if err := schema.NewSetupSchemaTask(connection, &schema.SetupConfig{InitialVersion: "0.0"}, logger).Run(); err != nil {
		return err
	}
	return schema.NewUpdateSchemaTask(connection, &schema.UpdateConfig{SchemaName: schemaName}, logger).Run()
}
