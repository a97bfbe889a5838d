# The client and the functions of sync/supabase against real PostgreSQL and PostgREST, and pgTAP inside the database.
conductor_test(integration_sync integration/sync LINK tools_harness sync_client LABELS integration TIMEOUT 300)
