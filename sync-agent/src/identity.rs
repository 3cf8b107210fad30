//! The token by which the centre knows the province.

use std::fmt;
use std::path::{Path, PathBuf};

use registry_schema::ids::Origin;
use registry_schema::sensitive::Sensitive;
use registry_secrets::FileError;
use thiserror::Error;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

/// The longest token in bytes; a larger file is not a token.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// A token that fits a header and came from a file that only its owner may read; it is never shown.
#[derive(Clone)]
pub struct Token(Sensitive<AsciiMetadataValue>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

/// The token cannot be used.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The file cannot be read, or is open to others.
    #[error("token file {0}; the centre issues the token that belongs into it")]
    File(FileError),
    /// The file holds no token.
    #[error("token file {path} holds no token: one line of letters, digits and signs is expected", path = .path.display())]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads the token anew, so that a token is replaced without a restart.
    ///
    /// # Errors
    /// The file cannot be read, is open to others, or holds no token.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let not_a_token = || IdentityError::NotAToken { path: path.to_owned() };
        let content = match registry_secrets::read_secret(path, TOKEN_BYTES_MAX) {
            Ok(content) => content,
            Err(FileError::TooLarge { .. }) => return Err(not_a_token()),
            Err(error) => return Err(IdentityError::File(error)),
        };
        std::str::from_utf8(&content).ok().and_then(Self::parse).ok_or_else(not_a_token)
    }

    fn parse(text: &str) -> Option<Self> {
        let token = text.trim();
        let fits = !token.is_empty() && token.len() as u64 <= TOKEN_BYTES_MAX;
        let fits = fits && token.bytes().all(|byte| byte.is_ascii_graphic());
        let mut value: AsciiMetadataValue = format!("Bearer {token}").parse().ok().filter(|_| fits)?;
        value.set_sensitive(true);
        Some(Self(Sensitive::new(value)))
    }

    /// Writes the token and the province into the headers of a call.
    pub fn present(&self, province: Origin, headers: &mut MetadataMap) {
        headers.insert("authorization", self.0.expose().clone());
        let province = province.to_string().parse().expect("a province is digits and an at sign");
        headers.insert("x-province", province);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn load(content: &str, mode: u32) -> Result<Token, IdentityError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Token::load(&path)
    }

    #[test]
    fn a_token_goes_into_the_headers_and_nowhere_else() {
        let token = load(" s3cret-t0ken\n", 0o600).unwrap();
        let mut headers = MetadataMap::new();
        token.present("01@2008".parse().unwrap(), &mut headers);
        assert_eq!(headers.get("authorization").unwrap(), "Bearer s3cret-t0ken");
        assert_eq!(headers.get("x-province").unwrap(), "01@2008");
        assert!(!format!("{token:?} {headers:?}").contains("s3cret"));
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_remedy() {
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let error = load("s3cret", mode).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        assert!(load("s3cret", 0o400).is_ok());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for content in ["", " \n", "two words", "a\nb", "mật-khẩu", &"a".repeat(5_000)] {
            assert!(matches!(load(content, 0o600), Err(IdentityError::NotAToken { .. })));
        }
        assert!(matches!(Token::load(Path::new("/nowhere/token")), Err(IdentityError::File(_))));
    }
}
