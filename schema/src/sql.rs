//! The reference schemas, as text: the crates that open a database apply them, this crate only keeps them.

/// Migrations of a provincial store, oldest first; the number of each is its place, counted from 1.
pub const PROVINCE: &[&str] =
    &[include_str!("../sql/province/0001_init.sql"), include_str!("../sql/province/0002_holdings.sql")];

/// Migrations of the embedded national store, oldest first.
pub const NATIONAL_SQLITE: &[&str] = &[
    include_str!("../sql/national/sqlite/0001_init.sql"),
    include_str!("../sql/national/sqlite/0002_ruling.sql"),
    include_str!("../sql/national/sqlite/0003_holdings.sql"),
    include_str!("../sql/national/sqlite/0004_ledger.sql"),
    include_str!("../sql/national/sqlite/0005_nation.sql"),
];

/// Migrations of the national store on PostgreSQL, oldest first.
pub const NATIONAL_POSTGRES: &[&str] = &[
    include_str!("../sql/national/postgres/0001_init.sql"),
    include_str!("../sql/national/postgres/0002_holdings.sql"),
    include_str!("../sql/national/postgres/0003_ledger.sql"),
    include_str!("../sql/national/postgres/0004_nation.sql"),
    include_str!("../sql/national/postgres/0005_block_pages.sql"),
];
