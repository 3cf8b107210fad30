//! Drawings of what was measured: SVG files that stand alone, without fonts, scripts or anything from elsewhere.

use std::fmt::Write as _;

/// Ticks on an axis, about.
const TICKS: f64 = 6.0;

/// A drawing with a heading, of some width and height in pixels.
#[must_use]
pub fn sheet(title: &str, (width, height): (f64, f64), draw: impl FnOnce(&mut String)) -> String {
    let mut out = String::with_capacity(32 * 1024);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"64\" y=\"28\" font-size=\"16\" font-weight=\"600\">{title}</text>\n",
        title = escaped(title)
    );
    draw(&mut out);
    out.push_str("</svg>\n");
    out
}

/// Names the colours of lines, side by side.
pub fn legend(out: &mut String, mut x: f64, y: f64, names: &[(&str, &str)]) {
    for (name, colour) in names {
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {y:.1}h22\" stroke=\"{colour}\" stroke-width=\"2.5\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
            x + 28.0,
            y + 4.0
        );
        x += 110.0;
    }
}

/// A rectangle with two axes.
pub struct Panel {
    /// Its left edge, in pixels.
    pub left: f64,
    /// Its upper edge, in pixels.
    pub top: f64,
    /// How wide it is, in pixels.
    pub width: f64,
    /// How high it is, in pixels.
    pub height: f64,
    /// The first and the last value of the axis along.
    pub x: (f64, f64),
    /// The first and the last value of the axis upwards.
    pub y: (f64, f64),
}

impl Panel {
    /// Where a value stands along, in pixels.
    #[must_use]
    pub fn px(&self, x: f64) -> f64 {
        self.left + (x - self.x.0) / (self.x.1 - self.x.0) * self.width
    }

    fn py(&self, y: f64) -> f64 {
        self.top + (self.y.1 - y) / (self.y.1 - self.y.0) * self.height
    }

    /// Draws both axes with round ticks and what they are about.
    pub fn axes(&self, out: &mut String, x_label: &str, y_label: &str) {
        let (left, top, bottom) = (self.left, self.top, self.top + self.height);
        for tick in ticks(self.x) {
            let x = self.px(tick);
            let label = number(tick, self.x);
            let _ = writeln!(
                out,
                "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#e6e6e6\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                bottom + 18.0
            );
        }
        for tick in ticks(self.y) {
            let y = self.py(tick);
            let label = number(tick, self.y);
            let _ = writeln!(
                out,
                "<path d=\"M{left} {y:.1}h{}\" stroke=\"#e6e6e6\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                self.width,
                left - 8.0,
                y + 4.0
            );
        }
        let middle = (left + self.width / 2.0, top + self.height / 2.0);
        let _ = writeln!(
            out,
            "<path d=\"M{left} {top}V{bottom}h{}\" stroke=\"#444\" fill=\"none\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_label}</text>\
             <text transform=\"translate({:.1} {:.1}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>",
            self.width,
            middle.0,
            bottom + 42.0,
            left - 58.0,
            middle.1
        );
    }

    /// Draws a line through points.
    pub fn line(&self, out: &mut String, points: impl Iterator<Item = (f64, f64)>, colour: &str) {
        let mut path = String::new();
        for (x, y) in points {
            let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { "M" } else { "L" }, self.px(x), self.py(y));
        }
        if !path.is_empty() {
            let _ = writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-linejoin=\"round\"/>"
            );
        }
    }

    /// Draws a point.
    pub fn dot(&self, out: &mut String, (x, y): (f64, f64), colour: &str) {
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4.5\" fill=\"#fff\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
            self.px(x),
            self.py(y)
        );
    }
}

/// Round numbers inside a range, both ends included where they are round.
fn ticks((from, to): (f64, f64)) -> Vec<f64> {
    let rough = (to - from) / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let first = (from / step - 1e-9).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last).map(|tick| tick as f64 * step).collect()
}

fn number(value: f64, (from, to): (f64, f64)) -> String {
    match to - from {
        span if span >= 5.0 => format!("{value:.0}"),
        span if span >= 0.5 => format!("{value:.1}"),
        span if span >= 0.05 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Text as it may stand in the file.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks((0.0, 1.0)), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks((-3.0, 37.0)), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(ticks((0.0, 1.0)).len(), 6);
        assert_eq!((number(0.9, (0.9, 1.0)), number(0.985, (0.98, 1.0))), ("0.90".to_owned(), "0.985".to_owned()));
    }
}
