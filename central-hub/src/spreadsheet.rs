//! Text that a spreadsheet shows and does not run.

use std::borrow::Cow;

/// What a formula begins with, in both widths, and what is skipped in front of it.
const STARTS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// A cell with an apostrophe in front where a spreadsheet might take it for a formula.
#[must_use]
pub fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(STARTS) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text_and_text_stays_as_it_is() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "－1", "＋1", "＠A"] {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        for text in ["", "Nguyễn Văn Hùng", "01/2020", "a=1"] {
            assert_eq!(guarded(text), text);
        }
    }
}
