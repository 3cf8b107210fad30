//! The plan of every statement of the hot path: none walks through a table that grows with the nation.

mod cluster;

use cluster::Database;
use hub_store::postgres::Postgres;
use tokio_postgres::Client;

/// Rows of each table: enough that the planner would walk through it where no key serves.
const ROWS: u32 = 20_000;
/// Tables that grow with the nation.
const BIG: &[&str] = &[
    "record",
    "past",
    "block",
    "block_page",
    "member",
    "finding",
    "finding_record",
    "verdict",
    "verdict_record",
    "journal",
    "notice",
];

/// Rows in every table that grows, spread as in a nation.
fn nation() -> String {
    format!(
        "INSERT INTO record SELECT n, n, 1, n % 63 + 1, 1, 1, sha256(n::text::bytea), sha256(n::text::bytea)
           FROM generate_series(1, {ROWS}) n;
         INSERT INTO past SELECT n, n, 1, n % 63 + 1, true, sha256(n::text::bytea), sha256(n::text::bytea)
           FROM generate_series(1, {ROWS}) n;
         INSERT INTO block SELECT n / 2, n, n % 63 + 1, n % 4 FROM generate_series(1, {ROWS}) n;
         INSERT INTO block_page SELECT n, '' FROM generate_series(1, {ROWS}) n;
         INSERT INTO member SELECT n, n / 2, n / 2, n % 63 + 1, n % 4 FROM generate_series(1, {ROWS}) n;
         INSERT INTO finding SELECT n, 0, 1, sha256(n::text::bytea), 'same_key', '[]', '[]', NULL, NULL
           FROM generate_series(1, {ROWS}) n;
         INSERT INTO finding_record SELECT n, n % 63 + 1, sha256(n::text::bytea) FROM generate_series(1, {ROWS}) n;
         INSERT INTO verdict SELECT sha256(n::text::bytea), sha256(n::text::bytea), '' FROM generate_series(1, {ROWS}) n;
         INSERT INTO verdict_record SELECT n, n % 63 + 1, sha256(n::text::bytea) FROM generate_series(1, {ROWS}) n;
         INSERT INTO journal SELECT n, 1, n, n, 0, n % 63 + 1, 1, 1, n % 2 + 1, '', '' FROM generate_series(1, {ROWS}) n;
         INSERT INTO notice SELECT n, n, 0, n % 63 + 1, '', '', NULL, '', '', '', '' FROM generate_series(1, {ROWS}) n;
         ANALYZE"
    )
}

/// The statements whose plan walks through a big table, with the plan.
async fn walks(client: &Client) -> Vec<(&'static str, String)> {
    let mut walks = Vec::new();
    for (name, sql) in Postgres::hot_statements() {
        client
            .batch_execute(&format!("PREPARE {name} AS {sql}"))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let count = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE lower(name) = lower($1)";
        let parameters: i32 = client.query_one(count, &[name]).await.expect("is prepared").get(0);
        let nulls = vec!["NULL"; usize::try_from(parameters).expect("few")].join(", ");
        let values = if parameters == 0 { String::new() } else { format!("({nulls})") };
        let plan = client.query(&format!("EXPLAIN EXECUTE {name}{values}"), &[]).await.expect("is explained");
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let walk = |line: &String| {
            let table = line.split("Seq Scan on ").nth(1).and_then(|rest| rest.split(' ').next());
            table.is_some_and(|table| BIG.contains(&table))
        };
        if plan.iter().any(walk) {
            walks.push((*name, plan.join("\n")));
        }
    }
    client.batch_execute("DEALLOCATE ALL").await.expect("forgets");
    walks
}

#[tokio::test]
async fn no_statement_of_the_hot_path_walks_through_the_nation() {
    let database = Database::create().await;
    drop(database.store().await);
    let client = database.client().await;
    client.batch_execute(&nation()).await.expect("fills the tables");
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await.expect("sets");
    let found = walks(&client).await;
    assert!(found.is_empty(), "{found:#?}");
    assert!(Postgres::hot_statements().len() > 20, "the list is not complete");
    // Without its key a statement is found out.
    client.batch_execute("DROP INDEX member_by_cluster").await.expect("drops");
    let found: Vec<&str> = walks(&client).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["CLUSTERS"]);
}
