//! Each attack that the threat model names, tried against a hub with certificates; each has its answer.

mod fort;

use central_hub::clock::now_ms;
use central_hub::identity::Token;
use central_hub::operator::provinces;
use central_hub::pki::{Authority, Bearer, Folder, Settings, TokenFile};
use fort::{EPOCH, Fort, Stream, frames, key, origin};
use hub_store::Journal as _;
use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use registry_proto::frame::checksum;
use registry_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use registry_proto::v1::stream_response::Message;
use registry_proto::v1::{Frame, GoodbyeReason, RenewRequest};
use registry_schema::ids::{Epoch, Lane};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Duration, Instant, timeout};
use tonic::Code;

const HANOI: &str = "urn:hotich:province:01@2008";
const SAIGON: &str = "urn:hotich:province:79@2008";

/// How many changes of a province's live lane were journaled.
async fn journaled(fort: &Fort, province: &str) -> u64 {
    fort.store
        .cursors(origin(province))
        .await
        .expect("reads")
        .iter()
        .map(|cursor| cursor.seq.0)
        .max()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_genuine_certificate_that_is_in_force_opens_the_door() {
    let fort = Fort::start().await;
    let good = fort.enrol("01@2008").await;
    let impostor = Folder::new(fort.path().join("impostor"));
    let impostor = Authority::init(&impostor, &Settings::default(), "test", now_ms()).expect("of the same name");
    let hanoi = Bearer::Province(origin("01@2008"));
    let past = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let future = |params: &mut rcgen::CertificateParams| params.not_before = rcgen::date_time_ymd(2100, 1, 1);
    let callers = [
        ("another authority of the same name", impostor.issue_with_key(&hanoi, now_ms()).expect("a certificate")),
        ("expired", fort.forge(&[HANOI], ClientAuth, past)),
        ("not valid yet", fort.forge(&[HANOI], ClientAuth, future)),
        ("for servers", fort.forge(&[HANOI], ServerAuth, |_| ())),
        ("of two provinces", fort.forge(&[HANOI, SAIGON], ClientAuth, |_| ())),
        ("of nobody", fort.forge(&[], ClientAuth, |_| ())),
        ("of an operator", fort.forge(&["urn:hotich:operator:lan"], ClientAuth, |_| ())),
        ("of a province that is not enrolled", fort.forge(&[SAIGON], ClientAuth, |_| ())),
    ];
    for (what, identity) in &callers {
        assert!(fort.open(Some(identity), "01@2008").await.is_err(), "a certificate {what} was let in");
    }
    assert!(fort.open(None, "01@2008").await.is_err(), "nobody was let in without a certificate");
    assert!(fort.open(Some(&good), "01@2008").await.is_ok(), "the right one is let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_province_speaks_for_another() {
    let fort = Fort::start().await;
    let provinces = ["01@2008", "79@2008", "48@2008", "31@2008", "92@2008"];
    let mut identities = Vec::new();
    for province in provinces {
        identities.push(fort.enrol(province).await);
    }
    for (own, identity) in provinces.iter().zip(&identities) {
        for spoken_for in provinces {
            let mut stream = fort.open(Some(identity), spoken_for).await.expect("a stream");
            match stream.hear().await {
                Message::Welcome(_) => assert_eq!(*own, spoken_for),
                Message::Goodbye(goodbye) => {
                    assert_ne!(*own, spoken_for);
                    assert_eq!(goodbye.reason(), GoodbyeReason::UnknownProvince);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_in_the_middle_of_a_stream() {
    let fort = Fort::start().await;
    let identity = fort.enrol("01@2008").await;
    let mut hanoi = fort.open(Some(&identity), "01@2008").await.expect("let in");
    assert!(matches!(hanoi.hear().await, Message::Welcome(_)));
    let sent = frames("01@2008", &key(origin("01@2008").number()), EPOCH, Lane::Live, 2);
    hanoi.say(sent[0].clone()).await;
    let Message::Received(received) = hanoi.hear().await else { panic!("a receipt") };
    let hub = fort.folder().signing_key().expect("the hub's key").public();
    let receipt = hub.verify_received(origin("01@2008"), EPOCH, &received).expect("signed");
    assert_eq!(receipt.seq.0, 1);
    let began = Instant::now();
    fort.authority().revoke("01@2008", "stolen", now_ms()).expect("revokes");
    let Message::Goodbye(goodbye) = hanoi.hear().await else { panic!("a goodbye") };
    assert_eq!(goodbye.reason(), GoodbyeReason::Revoked);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(fort.open(Some(&identity), "01@2008").await.is_err(), "it opens no other stream either");
    tokio::time::sleep(Duration::from_millis(700)).await;
    let _ = hanoi.requests.send(sent[1].clone().into()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(journaled(&fort, "01@2008").await, 1);
}

/// Sends what an attacker made of good frames; the hub says goodbye, and journals only the first one.
async fn check(attack: &str, make: impl FnOnce(&[Frame]) -> Vec<Frame>) {
    let fort = Fort::start().await;
    let mut hanoi = fort.province("01@2008").await;
    let good = frames("01@2008", &key(origin("01@2008").number()), EPOCH, Lane::Live, 4);
    hanoi.say(good[0].clone()).await;
    assert!(matches!(hanoi.hear().await, Message::Received(_)));
    for frame in make(&good) {
        // The hub may have hung up over the frame before.
        let _ = hanoi.requests.send(frame.into()).await;
    }
    let Message::Goodbye(goodbye) = skip_requests_to_resend(&mut hanoi).await else { panic!("{attack}: a goodbye") };
    let expected = [GoodbyeReason::Protocol, GoodbyeReason::Forked, GoodbyeReason::WrongEpoch];
    assert!(expected.contains(&goodbye.reason()), "{attack}: {goodbye:?}");
    assert_eq!(journaled(&fort, "01@2008").await, 1, "{attack}");
}

async fn skip_requests_to_resend(stream: &mut Stream) -> Message {
    loop {
        match stream.hear().await {
            Message::Received(received) if received.resend => {}
            message => return message,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_the_province_did_not_sign_are_not_taken() {
    let own = origin("01@2008").number();
    let signed_by = |seed: u16, frame: &Frame| {
        let mut frame = frame.clone();
        key(seed).sign_frame(origin("01@2008"), &mut frame);
        frame
    };
    let unsigned = |frame: &Frame| {
        let mut frame = Frame { signature: Vec::new(), ..frame.clone() };
        frame.crc32 = checksum(&frame);
        frame
    };
    check("unsigned", |good| vec![unsigned(&good[1])]).await;
    check("signed by another province", |good| vec![signed_by(origin("79@2008").number(), &good[1])]).await;
    let saigon = |signer: u16| frames("79@2008", &key(signer), EPOCH, Lane::Live, 3)[1].clone();
    check("another province's frame", |_| vec![saigon(origin("79@2008").number())]).await;
    check("another province's changes, signed by this one", |_| vec![signed_by(own, &saigon(own))]).await;
    check("another province's changes, spliced into this one's history", |good| {
        let frame = Frame { previous_chain: good[1].previous_chain.clone(), ..saigon(own) };
        vec![signed_by(own, &frame)]
    })
    .await;
    check("the signature of another frame", |good| {
        let mut frame = Frame { signature: good[2].signature.clone(), ..good[1].clone() };
        frame.crc32 = checksum(&frame);
        vec![frame]
    })
    .await;
    check("content of another frame under this one's place", |good| {
        let mut frame = Frame { payload: good[2].payload.clone(), raw_bytes: good[2].raw_bytes, ..good[1].clone() };
        frame.crc32 = checksum(&frame);
        vec![frame]
    })
    .await;
    check("another incarnation's history", |_| frames("01@2008", &key(own), Epoch(8), Lane::Live, 2)).await;
    check("another history of this one", |_| {
        let mut other = frames("01@2008", &key(own), EPOCH, Lane::Live, 3);
        other[1].previous_chain = vec![9; 32];
        vec![signed_by(own, &other[1])]
    })
    .await;
    check("a lane's frame in another lane", |good| {
        vec![signed_by(origin("79@2008").number(), &Frame { lane: 3, ..good[0].clone() })]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_and_reordered_frames_change_nothing() {
    let fort = Fort::start().await;
    let mut hanoi = fort.province("01@2008").await;
    let good = frames("01@2008", &key(origin("01@2008").number()), EPOCH, Lane::Live, 4);
    for at in [0, 0, 2, 3, 0, 1, 1, 2, 0, 3] {
        hanoi.say(good[at].clone()).await;
    }
    loop {
        let Message::Received(received) = hanoi.hear().await else { panic!("an answer") };
        if received.seq == 4 {
            break;
        }
    }
    let entries = fort.store.next(hub_store::model::Queue::Live, Default::default(), usize::MAX).await.expect("reads");
    assert_eq!(entries.len(), 4, "each frame stands once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_expires_ends_its_stream_and_opens_no_other() {
    let fort = Fort::start().await;
    fort.enrol("01@2008").await;
    let end = OffsetDateTime::now_utc() + Duration::from_secs(6);
    let short = fort.forge(&[HANOI], ClientAuth, |params| params.not_after = end);
    let mut hanoi = fort.open(Some(&short), "01@2008").await.expect("in force");
    assert!(matches!(hanoi.hear().await, Message::Welcome(_)));
    let Message::Goodbye(goodbye) = hanoi.hear().await else { panic!("a goodbye") };
    assert!(goodbye.detail.contains("expired") && goodbye.retry_after_ms > 0, "{goodbye:?}");
    let late = OffsetDateTime::now_utc() - end;
    assert!(late.whole_seconds() <= 2, "{late}");
    // A certificate is valid to the end of the second that it names (RFC 5280, 4.1.2.5).
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(fort.open(Some(&short), "01@2008").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_list_that_ran_out_lets_nobody_in() {
    let fort = Fort::start().await;
    let good = fort.enrol("01@2008").await;
    assert!(fort.open(Some(&good), "01@2008").await.is_ok());
    // Made a month ago, for a week: what was revoked since is not on it.
    fort.authority().renew_revocations(now_ms() - 30 * 86_400_000).expect("a list");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(fort.open(Some(&good), "01@2008").await.is_err());
    fort.authority().renew_revocations(now_ms()).expect("a list");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(fort.open(Some(&good), "01@2008").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_that_was_replaced_signs_no_more_and_without_one_nobody_sends() {
    let fort = Fort::start().await;
    let identity = fort.enrol("01@2008").await;
    fort.trust("01@2008", &key(999)).await;
    let mut hanoi = fort.open(Some(&identity), "01@2008").await.expect("let in");
    assert!(matches!(hanoi.hear().await, Message::Welcome(_)));
    hanoi.say(frames("01@2008", &key(origin("01@2008").number()), EPOCH, Lane::Live, 1)[0].clone()).await;
    let Message::Goodbye(goodbye) = hanoi.hear().await else { panic!("a goodbye") };
    assert_eq!(goodbye.reason(), GoodbyeReason::Protocol);
    assert_eq!(journaled(&fort, "01@2008").await, 0);
    provinces::enrol(&fort.store, origin("79@2008"), None, &Token::new([1; 32]), 0).await.expect("enrols");
    let keyless = fort.authority().issue_with_key(&Bearer::Province(origin("79@2008")), now_ms()).expect("issues");
    let refused = fort.open(Some(&keyless), "79@2008").await.err().expect("refused");
    assert!(refused.contains("pki trust"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_certificate_is_not_renewed_and_an_unknown_caller_renews_nothing() {
    let fort = Fort::start().await;
    let identity = fort.enrol("01@2008").await;
    TokenFile::make(&fort.folder(), origin("79@2008"), [1; 32], Duration::from_secs(60), now_ms()).expect("a token");
    let renew = async |identity: Option<&str>| {
        let mut client = EnrolmentServiceClient::new(fort.channel(identity).await.expect("connects"));
        client.renew(RenewRequest { request: vec![1] }).await.expect_err("refused").code()
    };
    assert_eq!(renew(Some(&identity)).await, Code::FailedPrecondition);
    assert_eq!(renew(None).await, Code::Unauthenticated);
    let young = (-10, 40);
    let old = (-40, 10);
    for ((from, until), expected) in [(young, Code::FailedPrecondition), (old, Code::PermissionDenied)] {
        let days = |days: i64| OffsetDateTime::now_utc() + time::Duration::days(days);
        let change = |params: &mut rcgen::CertificateParams| {
            (params.not_before, params.not_after) = (days(from), days(until));
        };
        // The request is no request, so who may renew is told that.
        assert_eq!(renew(Some(&fort.forge(&[HANOI], ClientAuth, change))).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_handshake_is_given_up() {
    let fort = Fort::start().await;
    let mut socket = TcpStream::connect(("127.0.0.1", fort.port)).await.expect("connects");
    socket.write_all(&[0x16, 3, 1, 2, 0, 1]).await.expect("the head of a handshake");
    let ended = timeout(Duration::from_secs(15), socket.read(&mut [0; 64])).await.expect("in time");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_and_half_handshakes_lock_nobody_out() {
    let fort = Fort::start().await;
    let identity = fort.enrol("01@2008").await;
    let connect = |last: u8| {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 1, last], 0).into()).expect("an address of this machine");
        socket.connect(([127, 0, 0, 1], fort.port).into())
    };
    let mut silent = Vec::new();
    for at in 0..500_u16 {
        let mut socket = connect((at % 2) as u8 + 1).await.expect("connects");
        if at % 2 == 0 {
            // The head of a handshake that never comes.
            let _ = socket.write_all(&[0x16, 3, 1, 2, 0, 1]).await;
        }
        silent.push(socket);
    }
    let began = Instant::now();
    let mut stream = timeout(Duration::from_secs(15), fort.open(Some(&identity), "01@2008"))
        .await
        .expect("in time")
        .expect("let in");
    assert!(matches!(stream.hear().await, Message::Welcome(_)));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let mut turned_away = 0;
    for socket in &mut silent {
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(1), socket.read(&mut [0; 8])).await {
            turned_away += 1;
        }
    }
    assert!(turned_away > 100, "{turned_away} of 500 were turned away");
}
