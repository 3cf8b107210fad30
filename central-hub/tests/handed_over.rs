//! What operators of a country hand to the programs: certificates of an authority of their own, keys from a service
//! manager, and quotas that change while the hub runs.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
mod nation;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use nation::clerk::Clerk;
use nation::{Nation, wait_until};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData as _, SanType, SerialNumber,
};
use rustix::process::{Pid, Signal, kill_process};
use time::OffsetDateTime;

/// Backlog entries of the province whose quota changes: more than may be under way before it is told to wait.
const ENTRIES: u64 = 16_000;

/// An authority that this project did not make.
struct Country {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Country {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).expect("an issuer");
        Self { certificate, issuer }
    }

    /// A certificate and its key.
    fn issue(&self, name: SanType, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    fn nobody_is_revoked(&self) -> String {
        let now = OffsetDateTime::now_utc();
        let list = CertificateRevocationListParams {
            this_update: now - time::Duration::hours(1),
            next_update: now + time::Duration::hours(1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).and_then(|list| list.pem()).expect("a list")
    }
}

/// A file as a service manager hands it over: its group may read it too.
fn hand_over(folder: &Path, name: &str, content: &str) {
    std::fs::create_dir_all(folder).expect("a folder");
    let file = folder.join(name);
    std::fs::write(&file, content).expect("a file");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o440)).expect("a mode");
}

#[test]
fn an_authority_of_the_country_and_keys_of_a_service_manager_are_enough() {
    let (country, mut nation) = (Country::new(), Nation::not_started(true));
    let (pki, identity) = (nation.path("pki"), nation.path("identity"));
    let address = SanType::IpAddress([127, 0, 0, 1].into());
    let (hub, hub_key) = country.issue(address, ExtendedKeyUsagePurpose::ServerAuth);
    let signing = || KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    for (name, content) in [
        ("ca.pem", &country.certificate),
        ("crl.pem", &country.nobody_is_revoked()),
        ("hub.pem", &hub),
        ("hub.key", &hub_key),
        ("signing.key", &signing().serialize_pem()),
    ] {
        hand_over(&pki, name, content);
    }
    let refused = nation.serve_command().output().expect("runs");
    assert_eq!(refused.status.code(), Some(78), "keys that others may read are refused");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("chmod 600"));
    nation.credentials = Some(pki);
    nation.start_hub();

    let uri = SanType::URI("urn:hotich:province:01@2008".try_into().expect("ASCII"));
    let (certificate, key) = country.issue(uri, ExtendedKeyUsagePurpose::ClientAuth);
    let frames = signing();
    for (name, content) in [
        ("agent.pem", &format!("{certificate}{key}")),
        ("authority.pem", &country.certificate),
        ("signing.key", &frames.serialize_pem()),
    ] {
        hand_over(&identity, name, content);
    }
    let mut hanoi = nation.agent_with_identity("01@2008", &identity);
    let mut clerk = Clerk::new(&hanoi);
    hanoi.start();
    let error = |agent: &nation::Agent| agent.json(&["status"])["connection"]["error"].to_string();
    let log = |agent: &nation::Agent| std::fs::read_to_string(agent.path("agent.log")).expect("a log");
    wait_until("keys that others may read are refused", || {
        log(&hanoi).contains("chmod 600") || error(&hanoi).contains("chmod 600")
    });
    hanoi.kill();
    hanoi.credentials = Some(identity);
    hanoi.start();
    wait_until("a province that nobody enrolled is refused", || error(&hanoi).contains("not enrolled"));
    let public: String = frames.der_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    nation.hub_ok(&["pki", "trust", "01@2008", "--key", &public, "--reason", "read out over the telephone"]);
    hanoi.kill();
    hanoi.start();
    clerk.write();
    let audit = nation.hub_json(&["audit"]);
    assert_eq!((&audit["intact"], &audit["signed"]), (&true.into(), &1.into()), "{audit}");
}

#[test]
fn a_changed_quota_is_in_force_at_the_signal_and_a_mistake_changes_nothing() {
    let nation = Nation::configured("backlog_records_per_second = 10");
    let mut hanoi = nation.enrol("01@2008");
    let clerk = Clerk::new(&hanoi);
    clerk.fill_backlog(ENTRIES);
    hanoi.start();
    wait_until("the backlog comes", || clerk.backlog_received() > 0);
    let hup = || {
        let hub = i32::try_from(nation.hub_id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(hub, Signal::HUP).expect("a signal");
        std::thread::sleep(Duration::from_millis(1_500));
    };
    nation.configure("backlog_records_per_second = 1");
    hup();
    let slow = clerk.backlog_received();
    assert!(slow < ENTRIES, "the quota holds the backlog back");
    assert!(nation.hub_log().contains("the earlier quotas stay in force"), "{}", nation.hub_log());
    nation.configure("backlog_records_per_second = 100000");
    hup();
    wait_until("the rest comes at the new pace", || clerk.backlog_received() == ENTRIES);
}
