-- The national store spread over machines with Citus 13 or later: run once on the coordinator, in the database whose tables
-- `central-hub` has made (it makes them at its first start), before the first entry comes:
--
--     psql "$HOTICH_NATIONAL_STORE" -v ON_ERROR_STOP=1 -f citus.sql
--
-- Every table that grows with the nation is distributed by a column that stands in each of its keys, so no constraint
-- looks beyond one machine. Tables that do not grow stay on the coordinator, where the judge's fence is. What is
-- distributed by record_id lies together: a record, its past states, its parts in clusters and its findings.

CREATE EXTENSION IF NOT EXISTS citus;

-- The judge's planner settings (SET LOCAL) hold on the workers too.
ALTER DATABASE :"DBNAME" SET citus.propagate_set_commands = 'local';

BEGIN;

SELECT create_distributed_table('record', 'record_id');
SELECT create_distributed_table('past', 'record_id', colocate_with => 'record');
SELECT create_distributed_table('member', 'record_id', colocate_with => 'record');
SELECT create_distributed_table('finding_record', 'record_id', colocate_with => 'record');
SELECT create_distributed_table('block', 'block', colocate_with => 'none');
SELECT create_distributed_table('block_page', 'page', colocate_with => 'none');
SELECT create_distributed_table('finding', 'finding_id', colocate_with => 'none');
SELECT create_distributed_table('journal', 'origin', colocate_with => 'none');
SELECT create_distributed_table('notice', 'origin', colocate_with => 'journal');

-- Answers of operators are few, and are joined with their cases.
SELECT create_reference_table('verdict');
SELECT create_reference_table('verdict_record');

-- One row, by which a block's page is found.
SELECT create_reference_table('block_paging');

COMMIT;
