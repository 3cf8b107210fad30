use hub_store::Ledger as _;
use hub_store::sqlite::Sqlite;

use super::*;

async fn enter(store: &Sqlite) -> Office {
    Office::enter(store, None, None, 0).await.unwrap()
}

/// Somebody who came while they were an administrator.
fn as_operator(name: &str) -> Office {
    Office { who: name.to_owned(), post: Role::Administrator.into(), is_open: false }
}

/// Two administrators, and two connections to one store, as two processes have them.
async fn two_administrators(path: &Path) -> [(Office, Sqlite); 2] {
    let stores = [Sqlite::open(path).unwrap(), Sqlite::open(path).unwrap()];
    enter(&stores[0]).await.grant(&stores[0], "lan", Role::Administrator, "appointed").await.unwrap();
    let [first, second] = stores;
    [(as_operator("lan"), first), (as_operator("mai"), second)]
}

/// Whoever is an administrator makes administrators of both.
async fn make_peace(store: &Sqlite) {
    for name in ["lan", "mai"] {
        let giver = store.grants().await.unwrap().into_iter().find(|grant| grant.role == "administrator").unwrap();
        as_operator(&giver.name).grant(store, name, Role::Administrator, "peace").await.unwrap();
    }
}

/// How two attempts that begin together end.
async fn at_once(desks: &[(Office, Sqlite); 2], takes: [&'static str; 2]) -> [Result<(), OfficeError>; 2] {
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let tasks = [0, 1].map(|at| {
        let ((office, store), whose, start) = (desks[at].clone(), takes[at], std::sync::Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            office.grant(&store, whose, Role::Viewer, "a quarrel").await
        })
    });
    let [one, other] = tasks;
    [one.await.unwrap(), other.await.unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_administrators_who_demote_each_other_at_once_one_loses() {
    let scratch = tempfile::tempdir().unwrap();
    let desks = &two_administrators(&scratch.path().join("national.db")).await;
    let (_, store) = &desks[0];
    for round in 0..100 {
        make_peace(store).await;
        let ended = at_once(desks, ["mai", "lan"]).await;
        assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 1, "round {round}: {ended:?}");
        let refused = ended.iter().find_map(|ended| ended.as_ref().err());
        assert!(matches!(refused, Some(OfficeError::NotAllowed { .. })), "round {round}: {refused:?}");
    }
    let report = crate::audit::audit(store, |_| ()).await.unwrap();
    assert!(report.intact, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_last_two_administrators_who_resign_at_once_one_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let desks = &two_administrators(&scratch.path().join("national.db")).await;
    let (_, store) = &desks[0];
    for round in 0..100 {
        make_peace(store).await;
        let ended = at_once(desks, ["lan", "mai"]).await;
        let stays = ended.iter().filter(|ended| matches!(ended, Err(OfficeError::Locked(_)))).count();
        assert_eq!(stays, 1, "round {round}: {ended:?}");
    }
}

#[tokio::test]
async fn roles_are_in_force_from_the_first_one_on() {
    let scratch = tempfile::tempdir().unwrap();
    let store = &Sqlite::open(&scratch.path().join("national.db")).unwrap();
    let office = enter(store).await;
    let me = office.who().to_owned();
    let lan = as_operator("lan");
    assert_eq!(office.signs(Some("lan".to_owned())).unwrap(), "lan");
    assert!(office.sees_sensitive(), "a trial");
    office.look(store, "person P1", "").await.unwrap();
    assert!(matches!(office.grant(store, "lan", Role::Viewer, "").await, Err(OfficeError::Locked(_))));
    office.grant(store, "lan", Role::Administrator, "appointed").await.unwrap();
    let stranger = enter(store).await;
    let refused = stranger.act(store, Verb::Resolve, "case 1", "book seen").await.unwrap_err().to_string();
    assert!(refused.contains("`none`") && refused.contains("`registrar`"), "{refused}");
    assert!(matches!(stranger.signs(Some("lan".to_owned())), Err(OfficeError::NotYou { .. })));
    lan.grant(store, &me, Role::Viewer, "a helper").await.unwrap();
    let viewer = enter(store).await;
    assert!(matches!(viewer.look(store, "person P1", " ").await, Err(OfficeError::NoReason)));
    viewer.look(store, "person P1", "letter 12").await.unwrap();
    assert!(viewer.act(store, Verb::Revoke, "01@2008", "").await.is_err());
    let tried = viewer.grant(store, "lan", Role::Nobody, "a coup").await;
    assert!(matches!(tried, Err(OfficeError::NotAllowed { .. })), "who may not is told that, and it is noted");
    assert!(!viewer.sees_sensitive());
    lan.grant(store, &me, Post { role: Role::Viewer, sees_sensitive: true }, "statistics").await.unwrap();
    assert!(enter(store).await.sees_sensitive());
    assert!(matches!(lan.grant(store, "lan", Role::Nobody, "left").await, Err(OfficeError::Locked(_))));
    use Verb::{Grant, Look, Refuse};
    let verbs: Vec<_> = store.acts(0, 100).await.unwrap().into_iter().map(|row| row.act.verb).collect();
    assert_eq!(verbs, [Look, Grant, Refuse, Grant, Look, Refuse, Refuse, Grant]);
}
