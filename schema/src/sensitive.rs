//! Personal data that cannot reach a log by accident.

use std::fmt;

/// A value about a person: it has no `Display`, and `Debug` prints only that something is there.
///
/// The one way to the value is [`Sensitive::expose`], so every place that shows personal data can be found by
/// searching for that word.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for matching, storing and showing to those who may see it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, for changing it.
    pub const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal data]")
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// From now on a panic of this process says where it was, and nothing else: what it was about may be about a person, as
/// in "byte index 3 is not a char boundary; it is inside 'ễ' of `Nguyễn`".
pub fn hush_panics(say: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| match panic.location() {
        Some(place) => say(&format!("a mistake of the program, at {place}; please report this line")),
        None => say("a mistake of the program, at an unknown place"),
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{Sensitive, hush_panics};

    #[test]
    fn a_panic_says_where_it_was_and_not_what_it_was_about() {
        let (said, name) = (Arc::new(Mutex::new(String::new())), "Nguyễn".to_owned());
        let (words, usual) = (Arc::clone(&said), std::panic::take_hook());
        hush_panics(move |text| words.lock().unwrap().push_str(text));
        let caught = std::panic::catch_unwind(|| name[..5].to_owned());
        std::panic::set_hook(usual);
        let said = said.lock().unwrap();
        assert!(caught.is_err() && said.contains(file!()), "{said}");
        assert!(!said.contains("Nguy"), "{said}");
    }

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let name = Sensitive::new("Nguyễn Văn Hùng".to_owned());
        assert_eq!(format!("{name:?}"), "[personal data]");
        assert_eq!(format!("{:?}", Some(&name)), "Some([personal data])");
        assert_eq!(name.expose(), "Nguyễn Văn Hùng");
    }
}
