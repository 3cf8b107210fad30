//! Commands about certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use hub_store::ledger::{Ledger as _, Signer, Verb};
use hub_store::{AnyStore, Journal as _};
use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;

use super::arguments::Output;
use super::{commands, output};
use crate::clock::now_ms;
use crate::exit::Exit;
use crate::identity::Token;
use crate::office::Office;
use crate::operator::{provinces, rfc3339};
use crate::pki::{Authority, Bearer, Folder, Issued, Settings, TOKEN_HOURS_MAX, TokenFile};

#[derive(Debug, Subcommand)]
pub(super) enum PkiCommand {
    /// Make an authority, and the hub's certificate and keys
    #[command(after_help = "Example:
  central-hub pki init --pki /etc/hotich/pki --name hub.example.vn --name 10.1.2.3

Where a country has an authority already, make no other: put its certificate (ca.pem), the hub's certificate and key
(hub.pem, hub.key), its revocation list (crl.pem) and an Ed25519 key in PKCS #8 (signing.key) into the folder. A
province's certificate names it in one URI: urn:hotich:province:01@2008.")]
    Init {
        /// A host name or an address of the hub; may be said several times [default: localhost, 127.0.0.1, ::1]
        #[arg(long = "name", value_name = "HOST")]
        names: Vec<String>,
        /// Hours for which certificates of provinces and operators are valid
        #[arg(long, default_value_t = Settings::default().bearer_hours, value_parser = clap::value_parser!(u32).range(1..=8_784))]
        bearer_hours: u32,
        /// What the authority is called
        #[arg(long, default_value = "pilot")]
        authority: String,
    },
    /// Make a one-time token for a province, with which its agent gets its certificate
    #[command(after_help = "Example:
  central-hub pki enrol 01@2008 --store sqlite:national.db --pki pki --token-file hanoi.toml

In the province: sync-agent init --enrol hanoi.toml --identity /etc/hotich/identity ...")]
    Enrol {
        /// The province, as CODE@EDITION
        province: Origin,
        /// Where to write the token, readable by its owner only
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
        /// Hours within which it is to be spent
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=i64::from(TOKEN_HOURS_MAX)))]
        hours: u32,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Give the hub a new certificate, and make the revocation list anew; a hub that runs takes both over
    Renew,
    /// Issue a certificate with a key for an operator
    Operator {
        /// The operator
        name: String,
        /// Where to write certificate and key, readable by their owner only
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Revoke every certificate of a province or an operator, or one by its serial number; in force within seconds
    Revoke {
        /// The province, the operator, or the serial number
        who: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Every certificate of a province or an operator
    List,
    /// Believe a province's signing key that did not come by enrolment: where certificates come from elsewhere
    #[command(after_help = "Example:
  central-hub pki trust 01@2008 --store sqlite:national.db --key 3d40...0c --reason 'read out over the telephone'

The province makes its key with `openssl genpkey -algorithm ed25519 -out signing.key`; the key to be named is what
`openssl pkey -in signing.key -pubout -outform DER | tail -c 32 | xxd -p -c 32` prints. A province that is not known
yet is enrolled.")]
    Trust {
        /// The province
        province: Origin,
        /// The Ed25519 public key, in 64 hexadecimal digits
        #[arg(long)]
        key: Hash256,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

impl PkiCommand {
    /// Whether it is written into the national store's ledger.
    pub(super) const fn needs_store(&self) -> bool {
        !matches!(self, Self::Init { .. } | Self::Renew | Self::List)
    }
}

/// Runs one command.
pub(super) async fn run(
    pki: Option<&Path>,
    desk: Option<(&AnyStore, &Office)>,
    command: PkiCommand,
    format: Output,
) -> anyhow::Result<Exit> {
    let Some(folder) = pki.map(Folder::new) else {
        output::notice("error: name the folder of certificates: --pki FOLDER, or set HOTICH_PKI");
        return Ok(Exit::Usage);
    };
    match (command, desk) {
        (PkiCommand::Init { names, bearer_hours, authority }, _) => {
            let mut settings = Settings { bearer_hours, ..Settings::default() };
            if !names.is_empty() {
                settings.names = names;
            }
            Authority::init(&folder, &settings, &authority, now_ms())?;
            output::line(&format!("an authority and the hub's certificate are in {}", folder.file("").display()))?;
            Ok(Exit::Success)
        }
        (PkiCommand::Renew, _) => {
            let authority = Authority::open(&folder)?;
            authority.issue_hub(now_ms())?;
            authority.renew_revocations(now_ms())?;
            Ok(Exit::Success)
        }
        (PkiCommand::List, _) => list(&Authority::list(&folder)?, format),
        (command, Some((store, office))) => recorded(&folder, store, office, command, format).await,
        (_, None) => {
            output::notice("error: name the national store, in whose ledger this is written: --store sqlite:PATH");
            Ok(Exit::Usage)
        }
    }
}

/// Commands that are written down before they are carried out.
async fn recorded(
    folder: &Folder,
    store: &AnyStore,
    office: &Office,
    command: PkiCommand,
    format: Output,
) -> anyhow::Result<Exit> {
    match command {
        PkiCommand::Enrol { province, token_file, hours, reason } => {
            Authority::open(folder)?;
            office.act(store, Verb::Issue, &format!("a token for {province}"), &reason).await?;
            let valid = Duration::from_secs(u64::from(hours) * 3_600);
            let token = TokenFile::make(folder, province, rand::random(), valid, now_ms())?;
            registry_secrets::replace(&token_file, token.to_toml().as_bytes())?;
            let report = serde_json::json!({ "province": province, "token_file": token_file,
                "expires": rfc3339(Some(token.expires_ms)), "authority_sha256": token.authority_sha256 });
            commands::print(format, &report, |_| {
                let (file, sum) = (token_file.display(), &token.authority_sha256);
                output::line(&format!("{province}: the token is in {file}; the authority is {sum}"))
            })
        }
        PkiCommand::Operator { name, file, reason } => {
            let bearer: Bearer = format!("urn:hotich:operator:{name}").parse().map_err(anyhow::Error::msg)?;
            let authority = Authority::open(folder)?;
            office.act(store, Verb::Issue, &format!("a certificate for operator {name}"), &reason).await?;
            registry_secrets::replace(&file, authority.issue_with_key(&bearer, now_ms())?.as_bytes())?;
            Ok(Exit::Success)
        }
        PkiCommand::Revoke { who, reason } => {
            let authority = Authority::open(folder)?;
            office.act(store, Verb::Revoke, &who, &reason).await?;
            let serials = authority.revoke(&who, &reason, now_ms())?;
            commands::print(format, &serde_json::json!({ "revoked": serials }), |_| {
                output::line(&format!("revoked: {}", serials.join(", ")))
            })
        }
        PkiCommand::Trust { province, key, reason } => {
            office.act(store, Verb::Trust, &format!("{province} key {key}"), &reason).await?;
            let certificate = Hash256([0; 32]);
            let signer =
                Signer { origin: province, public_key: key, certificate, enrolled_ms: now_ms(), retired_ms: None };
            if !store.provinces().await?.iter().any(|known| known.origin == province) {
                // Without TLS nobody comes in by this token: nobody knows it.
                provinces::enrol(store, province, None, &Token::new(rand::random()), now_ms()).await?;
            }
            store.trust(signer).await?;
            Ok(Exit::Success)
        }
        PkiCommand::Init { .. } | PkiCommand::Renew | PkiCommand::List => Ok(Exit::Usage),
    }
}

fn list(issued: &[Issued], format: Output) -> anyhow::Result<Exit> {
    commands::print(format, &serde_json::json!({ "certificates": issued }), |_| {
        let mut rows = output::table(&["serial", "bearer", "valid until", "revoked", "why"], 5);
        for issued in issued {
            let revoked = issued.revoked.as_ref();
            rows.add_row([
                issued.serial.clone(),
                issued.bearer.to_string(),
                rfc3339(Some(issued.not_after_ms)).unwrap_or_default(),
                revoked.and_then(|revoked| rfc3339(Some(revoked.revoked_ms))).unwrap_or_default(),
                revoked.map(|revoked| revoked.reason.clone()).unwrap_or_default(),
            ]);
        }
        output::line(&rows.to_string())
    })
}
