package testkit_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	var dropped string
	t.Run("writes", func(t *testing.T) {
		dropped = testkit.Database(t)
		add(t, dropped)
		require.Equal(t, 1, add(t, dropped))
		require.Zero(t, add(t, testkit.Database(t)), "it saw what another wrote")
	})
	_, err := pgx.Connect(t.Context(), dropped)
	require.ErrorContains(t, err, "does not exist")
}

// add adds a member of staff and gives how many there were before.
func add(t *testing.T, url string) (before int) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer connection.Close(t.Context())
	require.NoError(t, connection.QueryRow(t.Context(), "SELECT count(*) FROM staff").Scan(&before))
	_, err = connection.Exec(t.Context(), "INSERT INTO staff VALUES (gen_random_uuid(), '', '', '[]', '[]', true, '')")
	require.NoError(t, err)
	return before
}
