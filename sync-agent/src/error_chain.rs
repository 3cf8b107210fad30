//! An error in words, with everything behind it: the outermost layer of a network or storage error says next to nothing.

/// An error with its causes, in one line; a cause that was said already is left out.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
        source = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn causes_are_named_once() {
        let source = std::io::Error::other("no space");
        let error = StoreError::File { what: "locking x".to_owned(), source };
        assert_eq!(words(&error), "locking x failed: no space");
        let source = std::io::Error::other("x failed");
        assert_eq!(words(&StoreError::File { what: "x".to_owned(), source }), "x failed");
    }
}
