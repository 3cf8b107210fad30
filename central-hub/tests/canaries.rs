//! Names and numbers of people that must appear in no log, no error and no report of numbers, whatever happens.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
mod nation;

use std::io::{Cursor, Read as _, Write as _};
use std::process::Command;

use nation::{Agent, Nation, wait_until};
use registry_proto::frame::{Change, FrameSealer, SealedChange, checksum};
use registry_proto::position;
use registry_proto::v1::stream_response::Message;
use registry_proto::v1::sync_service_client::SyncServiceClient;
use registry_proto::v1::{Codec, Frame, Hello, LaneHead};
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field, Role};
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Version};
use registry_schema::kind::{Kind, Status};
use sync_agent::credentials::{Credentials, Folder};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// The people of the test: no syllable of theirs is a word of either language or of a program.
const FAMILIES: [&str; 4] = ["Zxqvanh", "Wkjtbinh", "Fqzcuong", "Jwxdung"];
/// The epoch of a province whose agent never runs.
const EPOCH: Epoch = Epoch(7);
/// Each has a personal number that begins so.
const NUMBER: &str = "0010990";

fn number(at: usize) -> String {
    format!("{NUMBER}{at:05}")
}

fn birth(at: usize, name: &str, sex: &str, date: &str) -> String {
    format!(
        "INSERT INTO births (number, book, registration_date, registration_type, authority, child_name, child_sex,
           child_birth_date, child_personal_number, mother_name, mother_personal_number)
         VALUES ('{at}', '01/2020', '05.03.2020', '1', '01.00001', '{name}', '{sex}', '{date}', '{}', 'Lê {name}', '{}');",
        number(at),
        number(at + 500)
    )
}

/// A workbook that the reader gives up over, in the middle of a row about somebody.
fn broken_workbook() -> Vec<u8> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    let headings = ["number", "registration_date", "authority", "deceased_name", "deceased_personal_number"];
    for (at, (heading, cell)) in
        (0..).zip(headings.iter().zip(["1", "05.03.1999", "01.00001", "Lê Zxqvanh", &number(1)]))
    {
        sheet.write_string(0, at, *heading).expect("writes");
        sheet.write_string(1, at, cell).expect("writes");
    }
    let mut archive = ZipArchive::new(Cursor::new(workbook.save_to_buffer().expect("a workbook"))).expect("a zip");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..archive.len() {
        let mut part = archive.by_index(at).expect("a part");
        let (name, mut text) = (part.name().expect("a name").into_owned(), String::new());
        part.read_to_string(&mut text).expect("XML");
        writer.start_file(name, SimpleFileOptions::default()).expect("a part");
        writer.write_all(text.replace("r=\"E2\"", "r=\"ZZZZZZZZZ2\"").as_bytes()).expect("writes");
    }
    writer.finish().expect("a zip").into_inner()
}

/// Imports files about somebody, good ones and bad ones.
fn import_everything(agent: &Agent, say: &mut impl FnMut(&mut Command)) {
    let file = agent.path("backlog.csv");
    let mut csv =
        String::from("number,registration_date,authority,deceased_name,deceased_personal_number,event_date\n");
    for (at, family) in FAMILIES.iter().cycle().take(50).enumerate() {
        csv.push_str(&format!("{at},\"05.03.1999\",01.00001,=Lê {family},{},{at}.{at}.1960\n", number(at)));
    }
    csv.push_str("1,\"no end of a quotation, Zxqvanh 001099000001\n");
    std::fs::write(&file, &csv).expect("a file");
    say(&mut agent.command(&["import", &file, "--kind", "death"]));
    say(&mut agent.command(&["import", &file, "--kind", "birth", "--dry-run"]));
    std::fs::write(agent.path("backlog.xlsx"), &csv).expect("a file");
    say(&mut agent.command(&["import", &agent.path("backlog.xlsx")]));
    std::fs::write(agent.path("broken.xlsx"), broken_workbook()).expect("a file");
    say(&mut agent.command(&["import", &agent.path("broken.xlsx")]));
}

/// A signed frame with one entry about somebody, at the start of the live lane.
fn good_frame(origin: Origin, credentials: &Credentials) -> Frame {
    let start = position::Cursor::start(origin, EPOCH, Lane::Live);
    let draft = Draft::new(Kind::Death)
        .with(Field::entry(Attribute::Authority), "01.00001")
        .with(Field::new(Role::Deceased, Attribute::Name), "Lê Fqzcuong")
        .with(Field::new(Role::Deceased, Attribute::PersonalNumber), &number(7));
    let (record_id, clock) = (RecordId::from_number(1).expect("positive"), Hlc::from_number(1));
    let change = Change { record_id, version: Version(1), clock, canonical: canonical::encode(&draft, Status::Active) };
    let sealed = SealedChange::link(origin, &start.chain, start.seq.next(), change);
    let mut sealer = FrameSealer::new(origin, EPOCH).expect("a sealer");
    let mut frame = sealer.seal(Lane::Live, &start.chain, &[sealed]).expect("fits");
    credentials.signing.sign_frame(origin, &mut frame);
    frame
}

/// Sends one frame in the name of a province; what the hub answers.
async fn send(nation: &Nation, origin: Origin, credentials: &Credentials, frame: Frame) -> Message {
    let endpoint = Endpoint::from_shared(format!("https://{}", nation.address())).expect("an address");
    let channel = endpoint.tls_config(credentials.tls.clone()).expect("settings").connect().await.expect("connects");
    let (requests, queue) = tokio::sync::mpsc::channel(4);
    let heads = vec![LaneHead { lane: 1, sealed_seq: 9 }];
    let hello = Hello { province: origin.to_string(), epoch: EPOCH.0, heads, ..Hello::default() };
    requests.send(hello.into()).await.expect("queued");
    requests.send(frame.into()).await.expect("queued");
    let answers = SyncServiceClient::new(channel).stream(ReceiverStream::new(queue)).await.expect("let in");
    let mut answers = answers.into_inner();
    loop {
        let answer = answers.message().await.expect("an answer").expect("not the end").message.expect("a message");
        if matches!(answer, Message::Received(_) | Message::Goodbye(_)) {
            return answer;
        }
    }
}

/// Frames about somebody that the hub refuses, each for another reason, and one with an entry that is none.
fn send_what_is_refused(nation: &Nation, province: &str, agent: &Agent) {
    let (origin, folder) = (province.parse().expect("a province"), Folder::new(agent.path("identity")));
    let credentials = folder.load().expect("enrolled");
    let spoiled = |spoil: &dyn Fn(&mut Frame), is_signed: bool| {
        let mut frame = good_frame(origin, &credentials);
        spoil(&mut frame);
        frame.crc32 = checksum(&frame);
        if is_signed {
            credentials.signing.sign_frame(origin, &mut frame);
        }
        frame
    };
    let text = "Lê Fqzcuong 001099000007".as_bytes();
    let no_batch = |frame: &mut Frame| {
        (frame.payload, frame.raw_bytes, frame.codec) = (text.to_vec(), text.len() as u32, Codec::None.into());
    };
    let refused = [
        spoiled(&|frame| frame.signature.clear(), false),
        spoiled(&|frame| frame.chain = vec![7; 32], true),
        spoiled(&|frame| frame.previous_chain = vec![7; 32], true),
        spoiled(&no_batch, true),
        Frame { crc32: 1, ..good_frame(origin, &credentials) },
    ];
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        for frame in refused {
            let answer = send(nation, origin, &credentials, frame).await;
            assert!(!matches!(&answer, Message::Received(received) if received.seq > 0), "{answer:?}");
        }
        let answer = send(nation, origin, &credentials, good_frame(origin, &credentials)).await;
        assert!(matches!(&answer, Message::Received(received) if received.seq == 1), "{answer:?}");
    });
}

#[test]
fn no_name_or_number_of_anybody_is_in_what_the_programs_say() {
    let mut nation = Nation::talkative();
    let mut hanoi = nation.enrol("01@2008");
    let mut saigon = nation.enrol("79@2008");
    hanoi.start();
    saigon.start();
    for (at, family) in FAMILIES.iter().cycle().take(40).enumerate() {
        // Good ones, ones with mistakes of every kind, twice the same, and one key for two.
        let (sex, date) = [("1", "01.03.2020"), ("x", "01.03.2020"), ("2", "31.02.2020"), ("1", "never")][at / 4 % 4];
        hanoi.sql(&birth(at / 2, &format!("Nguyễn {family}"), sex, date));
        saigon.sql(&birth(at, &format!("NGUYEN {}", family.to_uppercase()), sex, date));
    }
    let mut said = String::new();
    let mut say = |command: &mut Command| {
        let output = command.output().expect("runs");
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    };
    import_everything(&hanoi, &mut say);
    send_what_is_refused(&nation, "48@2008", &nation.enrol("48@2008"));
    nation.kill_hub();
    hanoi.kill();
    nation.start_hub();
    hanoi.start();
    nation.settle(&[&hanoi, &saigon]);
    wait_until("the provinces are told", || hanoi.sql("SELECT count(*) > 0 FROM notices") == "1");
    for arguments in [&["stats"][..], &["provinces"], &["audit"], &["digest"], &["audit", "export"], &["rebuild"]] {
        say(&mut nation.hub_command(arguments));
    }
    say(&mut nation.hub_command(&["person", "show", "P0"]));
    say(&mut hanoi.plain_command(&["status"]));
    let stats = nation.hub_json(&["stats"]);
    let count = |name: &str| stats[name].as_i64().unwrap_or_default();
    assert!(count("records") > 60 && count("rejected") > 10, "enough happened: {stats}");
    nation.kill_hub();
    said.push_str(&nation.hub_log());
    for agent in [&hanoi, &saigon] {
        said.push_str(&std::fs::read_to_string(agent.path("agent.log")).expect("a log"));
    }
    assert!(said.len() > 100_000 && said.contains("TRACE"), "the programs said everything: {} bytes", said.len());
    // Each way that ends in an error was gone.
    for trace in [
        "is damaged or incomplete",
        "the reader of workbooks gives up",
        "please report this line",
        "rejected",
        "cannot be taken",
        "frames are asked for again",
        "it is not signed",
    ] {
        assert!(said.contains(trace), "nobody said: {trace}");
    }
    let lower = said.to_lowercase();
    for canary in FAMILIES.map(str::to_lowercase).iter().map(String::as_str).chain([NUMBER]) {
        let at = lower.find(canary);
        let around =
            at.map(|at| lower[..at].chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect::<String>());
        assert!(at.is_none(), "{canary} behind ...{}", around.unwrap_or_default());
    }
}
