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

#[cfg(test)]
mod tests {
    use super::Sensitive;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let name = Sensitive::new("Nguyễn Văn Hùng".to_owned());
        assert_eq!(format!("{name:?}"), "[personal data]");
        assert_eq!(format!("{:?}", Some(&name)), "Some([personal data])");
        assert_eq!(name.expose(), "Nguyễn Văn Hùng");
    }
}
