//! Tests on real files.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// More than any file of these tests has.
const MAX: u64 = 100;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_secret_that_others_may_read_or_change_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    replace(&path, b"secret").unwrap();
    assert_eq!((read_secret(&path, MAX).unwrap(), mode(&path)), (b"secret".to_vec(), 0o600));
    for foreign in [0o640, 0o604, 0o660, 0o601, 0o610, 0o620] {
        std::fs::set_permissions(&path, Permissions::from_mode(foreign)).unwrap();
        let error = read_secret(&path, MAX).unwrap_err();
        assert!(error.is_about_permissions() && error.to_string().contains("chmod 600"), "{error}");
        assert_eq!(read(&path, MAX).unwrap(), b"secret", "a certificate may be seen by anybody");
    }
    std::fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    read_secret(&path, MAX).unwrap();
}

#[test]
fn what_is_too_large_is_refused_and_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    replace(&path, &[b'a'; MAX as usize]).unwrap();
    assert_eq!(read(&path, MAX).unwrap().len() as u64, MAX);
    replace(&path, &[b'a'; MAX as usize + 1]).unwrap();
    assert!(matches!(read(&path, MAX), Err(FileError::TooLarge { .. })));
    assert!(matches!(read_secret(&path, MAX), Err(FileError::TooLarge { .. })));
}

#[test]
fn a_file_is_replaced_whole_and_by_a_private_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "earlier").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let reader = File::open(&path).unwrap();
    std::fs::write(folder.path().join("key.new"), "of a writer that died").unwrap();
    replace(&path, b"later").unwrap();
    assert_eq!((read_secret(&path, MAX).unwrap(), mode(&path)), (b"later".to_vec(), 0o600));
    let mut seen = String::new();
    (&reader).read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "earlier", "who had the file open does not see the secret");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_no_file_is_not_replaced_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    assert!(replace(&inner, b"x").is_err());
    assert!(replace(&folder.path().join("absent/key"), b"x").is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn half_a_line_counts_as_not_written_and_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    assert!(read_lines(&path, MAX).unwrap().is_empty());
    append_line(&path, "one").unwrap();
    append_line(&path, "two").unwrap();
    assert_eq!(mode(&path), 0o600);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"thr").unwrap();
    assert_eq!(read_lines(&path, MAX).unwrap(), ["one", "two"]);
    append_line(&path, "three").unwrap();
    assert_eq!(read_lines(&path, MAX).unwrap(), ["one", "two", "three"]);
    std::fs::write(&path, "nothing but half a line").unwrap();
    append_line(&path, "one").unwrap();
    assert_eq!(read_lines(&path, MAX).unwrap(), ["one"]);
}

#[test]
fn a_file_is_removed_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    replace(&path, b"x").unwrap();
    remove(&path).unwrap();
    assert!(remove(&path).unwrap_err().is_absent());
}

#[test]
fn a_folder_of_secrets_is_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    create_folder(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    create_folder(&path).unwrap();
}
